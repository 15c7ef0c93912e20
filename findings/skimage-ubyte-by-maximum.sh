#!/usr/bin/env bash
# One grey level decides whether img_as_ubyte divides a 16-bit image by 1 or by 256.
#
# One would guess: a 16-bit image is scaled to 8 bits by its type, so 65535 becomes 255
#   and everything is divided by about 257.
# What is so: an image whose brightest pixel is at most 255 is copied unscaled; from 256 on
#   it is divided by 256. Two frames that differ by one grey level in one pixel come out
#   as (100, 255) and as (0, 1). A warning is given for the first only.
# Seen with: scikit-image 0.26.0.
# Source: https://github.com/scikit-image/scikit-image/pull/1818
# It matters here: cameras write 16-bit files of few grey levels when a specimen is weak.
#   Negative specimens then come out brighter than positive ones, frame by frame.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0

venv/bin/python -I - <<'END'
import warnings

import numpy as np
from skimage.util import img_as_ubyte

for brightest, expected, warns in ((255, [0, 100, 255], 1), (256, [0, 0, 1], 0)):
    frame = np.array([0, 100, brightest], dtype=np.uint16)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        converted = img_as_ubyte(frame)
    print(f"{frame.tolist()} becomes {converted.tolist()}, {len(given)} warnings")
    assert converted.tolist() == expected
    assert len(given) == warns
END
