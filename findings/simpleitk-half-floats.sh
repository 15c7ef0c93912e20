#!/usr/bin/env bash
# SimpleITK reads a TIFF of half floats as the integers that their bits spell.
#
# One would guess: a 16-bit float TIFF is read, or refused.
# What is so: SimpleITK sees 16 bits a sample, overlooks the sample format, and gives
#   uint16: 0.0 becomes 0, 0.5 becomes 14336, 1.0 becomes 15360. The order of the values
#   is kept, so the picture looks right; every threshold and every mean is wrong. Single
#   floats are read well.
# Seen with: SimpleITK 2.5.7, tifffile 2026.3.3.
# Source: SampleFormat in TIFF 6.0; this script
# It matters here: maps of probability are stored as half floats to save room. All but
#   zero is then "above 0.5".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 tifffile==2026.3.3 SimpleITK==2.5.7

venv/bin/python -I - <<'END'
import numpy as np
import SimpleITK
import tifffile

shares = np.array([[0.0, 0.25], [0.5, 1.0]])


def read(dtype):
    """Write the shares in a type, and read them with SimpleITK."""
    tifffile.imwrite("shares.tif", shares.astype(dtype))
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage("shares.tif"))


half, single = read(np.float16), read(np.float32)
print(f"half floats: {half.dtype} {half.ravel().tolist()}")
print(f"single floats: {single.dtype} {single.ravel().tolist()}")
assert np.array_equal(single, shares)
assert half.dtype == np.uint16
assert np.array_equal(half, shares.astype(np.float16).view(np.uint16))
END
