#!/bin/sh
# Give an environment the Qt that the demo takes, and print its name: qt.sh FOLDER
# PyQt6 where it installs and loads, PyQt5 elsewhere; nothing is compiled for either.
set -eu
folder=$1
# napari 0.9 says so on PyQt5.
ends="napari drops PyQt5 in the fall of 2026"

gives() {
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary "$1,$1-Qt${1#PyQt},$1-sip" --constraint constraints.txt \
    --editable ".[$2]" >&2 || return 1
  "$folder/bin/python" -c "from $1 import QtWidgets" >&2
}

if gives PyQt6 pyqt6; then
  echo "The demo takes PyQt6: $ends." >&2
  echo pyqt6
elif gives PyQt5 pyqt5; then
  echo "The demo takes PyQt5, for PyQt6 does not install or load here; $ends." >&2
  echo pyqt5
else
  echo "neither PyQt6 nor PyQt5 installs and loads here: see above why, and docs/troubleshooting.md" >&2
  exit 2
fi
