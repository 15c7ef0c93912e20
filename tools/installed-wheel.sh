#!/bin/sh
# Install the wheel of a folder in an empty environment: installed-wheel.sh DIST FOLDER
# What it needs comes at the pinned versions; nothing of the checkout is seen.
set -eu
dist=$1
folder=$2
python=${PYTHON:-python3}

rm -rf "$folder"
"$python" -m venv "$folder"
pip="$folder/bin/python -m pip install --quiet --disable-pip-version-check"
if [ -n "${TORCH_INDEX:-}" ]; then
  $pip --index-url "$TORCH_INDEX" "$TORCH"
else
  $pip "$TORCH"
fi
for wheel in "$dist"/napari_hep2-*.whl; do
  $pip --constraint constraints.txt "$wheel[pyqt5]"
done
