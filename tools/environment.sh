#!/bin/sh
# Make a virtual environment with this checkout in it: environment.sh FOLDER EXTRAS
# torch comes first and pinned: whatever else asks for it later finds it there.
set -eu
folder=$1
extras=$2
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "$python: Python 3.11 or newer is needed; install it, or run: make PYTHON=python3.12 ..." >&2
  exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "$python: its venv module is missing; install it, on Debian with: apt-get install python3-venv" >&2
  exit 2
fi

[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
pip="$folder/bin/python -m pip install --quiet --disable-pip-version-check"
if [ -n "${TORCH_INDEX:-}" ]; then
  $pip --index-url "$TORCH_INDEX" "$TORCH"
else
  $pip "$TORCH"
fi
$pip --constraint constraints.txt --editable ".[$extras]"
