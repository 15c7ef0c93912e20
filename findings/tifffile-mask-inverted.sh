#!/usr/bin/env bash
# A boolean mask written by tifffile is inverted in Pillow and OpenCV.
#
# One would guess: `imwrite("mask.tif", mask)` makes a file whose nuclei are white, or 1,
#   for whoever reads it.
# What is so: tifffile writes booleans as one bit a pixel and as "0 is white", and ignores
#   that word when it reads. Its own round trip is right; Pillow and OpenCV obey it and
#   give the background as the nuclei.
# Seen with: tifffile 2026.3.3, Pillow 13.0.0, opencv-python-headless 5.0.0.93.
# Source: PhotometricInterpretation 0 (WhiteIsZero) in TIFF 6.0; this script
# It matters here: a mask often passes from one library to another, and an inverted mask
#   of a frame is still a mask: one large "nucleus" with holes. Written as
#   `mask.astype(np.uint8)` it is read alike by all three.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 tifffile==2026.3.3 pillow==13.0.0 opencv-python-headless==5.0.0.93

venv/bin/python -I - <<'END'
import cv2
import numpy as np
import tifffile
from PIL import Image

mask = np.zeros((16, 24), dtype=bool)
mask[4:9, 6:12] = True


def read_everywhere(path):
    """Read a file as a mask with three libraries."""
    return {
        "tifffile": tifffile.imread(path) > 0,
        "Pillow": np.asarray(Image.open(path)) > 0,
        "OpenCV": cv2.imread(path, cv2.IMREAD_UNCHANGED) > 0,
    }


for name, data in (("bool", mask), ("uint8", mask.astype(np.uint8))):
    tifffile.imwrite("mask.tif", data)
    with tifffile.TiffFile("mask.tif") as tiff:
        print(f"{name}: written as {tiff.pages[0].photometric.name}")
    for library, found in read_everywhere("mask.tif").items():
        inverted = np.array_equal(found, ~mask)
        print(f"  {library}: {found.sum()} of {mask.sum()} pixels in the mask")
        assert inverted or np.array_equal(found, mask)
        assert inverted == (name == "bool" and library != "tifffile")
END
