#!/usr/bin/env bash
# skimage.io.imread moves the axes of a stack of three or four frames, of no other stack.
#
# One would guess: a TIFF of n grey pages is read as (n, rows, columns), as tifffile and
#   imageio do; scikit-image reads TIFF with tifffile.
# What is so: where the first axis has three or four entries and the last has not,
#   `imread` takes them for colours and moves them to the end: two and five pages give
#   (2, 32, 48) and (5, 32, 48), three and four give (32, 48, 3) and (32, 48, 4). The file
#   says plainly that the pages are grey.
# Seen with: scikit-image 0.26.0, tifffile 2026.3.3.
# Source: skimage/io/_io.py, "swapaxes"; this script
# It matters here: a specimen with three fields of view, or three channels, has its frames
#   as one image of three "colours", and a loop over the first axis runs over rows.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0 tifffile==2026.3.3

venv/bin/python -I - <<'END'
import numpy as np
import skimage.io
import tifffile

for frames in (2, 3, 4, 5):
    stack = np.zeros((frames, 32, 48), dtype=np.uint16)
    tifffile.imwrite("stack.tif", stack, photometric="minisblack")
    with tifffile.TiffFile("stack.tif") as tiff:
        assert len(tiff.pages) == frames
    found = skimage.io.imread("stack.tif").shape
    print(f"{frames} pages: tifffile {stack.shape}, skimage {found}")
    assert tifffile.imread("stack.tif").shape == stack.shape
    assert found == ((32, 48, frames) if frames in (3, 4) else stack.shape)
END
