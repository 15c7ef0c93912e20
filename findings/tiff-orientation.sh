#!/usr/bin/env bash
# The same TIFF is turned in Pillow, mirrored in SimpleITK and left alone by tifffile.
#
# One would guess: a reader of arrays gives the pixels as they are stored (for JPEG, Pillow
#   does just that), or all readers obey the orientation tag.
# What is so: for TIFF, Pillow turns and mirrors the pixels by the tag while loading,
#   without being asked. SimpleITK mirrors, but does not turn, and gives colours and
#   transparency in place of grey values. tifffile and imageio leave them as stored. A
#   square image does not even change its shape.
# Seen with: tifffile 2026.3.3, Pillow 13.0.0, imageio 2.38.1, SimpleITK 2.5.7.
# Source: Orientation in TIFF 6.0; this script
# It matters here: some cameras and scanners set the tag. A frame read by one library and
#   a mask made by another are then a quarter turn apart, and cells are cut from the
#   wrong places.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 tifffile==2026.3.3 pillow==13.0.0 imageio==2.38.1 SimpleITK==2.5.7

venv/bin/python -I - <<'END'
import imageio.v3
import numpy as np
import SimpleITK
import tifffile
from PIL import Image

QUARTER_TURN = 6
frame = np.zeros((64, 64), dtype=np.uint8)
frame[8:20, 40:56] = 200
tag = (274, "H", 1, QUARTER_TURN, True)
tifffile.imwrite("frame.tif", frame, extratags=[tag])

pillow = np.asarray(Image.open("frame.tif"))
itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage("frame.tif"))
stored = {
    "tifffile": tifffile.imread("frame.tif"),
    "imageio": imageio.v3.imread("frame.tif"),
}
for library, found in stored.items():
    print(f"{library}: as stored")
    assert np.array_equal(found, frame)

print(f"Pillow: turned: {np.array_equal(pillow, np.rot90(frame, -1))}")
mirrored = np.array_equal(itk[..., 0], frame[:, ::-1])
print(f"SimpleITK: mirrored: {mirrored}, an array {itk.shape} of {itk.dtype}")
assert np.array_equal(pillow, np.rot90(frame, -1))
assert not np.array_equal(pillow, frame)
assert itk.shape == (64, 64, 4)
assert mirrored
END
