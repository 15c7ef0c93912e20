#!/usr/bin/env bash
# csbdeep's writer for ImageJ stores integer labels as signed 16 bits.
#
# One would guess: the integers that StarDist returns (int32) are written as they are, or
#   as the unsigned 16 bits that ImageJ has, or refused if they are too large.
# What is so: any signed integer becomes int16. Label 40000 is read back as -25536, label
#   65536 as 0, the background, and label 65537 as 1, which exists. A warning names the
#   types, not the loss. The same labels as uint16 are kept up to 65535.
# Seen with: csbdeep 0.8.2, tifffile 2026.3.3.
# Source: csbdeep/io.py, `save_tiff_imagej_compatible`; this script
# It matters here: the function is the one that StarDist's examples save labels with, and
#   a scanned well has more than 32,767 nuclei.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: --no-deps \
  numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2 six==1.17.0 tqdm==4.70.1 \
  packaging==26.3 tifffile==2026.3.3 csbdeep==0.8.2 \
  contourpy==1.3.3 cycler==0.12.1 fonttools==4.68.0 kiwisolver==1.5.1 pillow==13.0.0 \
  pyparsing==3.3.3 python-dateutil==2.9.0.post0

venv/bin/python -I - <<'END'
import warnings

import numpy as np
import tifffile
from csbdeep.io import save_tiff_imagej_compatible

labels = np.array([[0, 1, 32767], [40000, 65536, 65537]])


def read_back(dtype):
    """Write labels as csbdeep does, and read them back."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        save_tiff_imagej_compatible("labels.tif", labels.astype(dtype), axes="YX")
    return tifffile.imread("labels.tif")


for dtype in (np.int32, np.int64):
    found = read_back(dtype)
    print(f"{labels.ravel().tolist()} as {dtype.__name__}: {found.ravel().tolist()}")
    assert found.dtype == np.int16
    assert found.ravel().tolist() == [0, 1, 32767, -25536, 0, 1]

save_tiff_imagej_compatible("labels.tif", np.array([[0, 40000]], np.uint16), axes="YX")
kept = tifffile.imread("labels.tif").ravel().tolist()
print(f"[0, 40000] as uint16: {kept}")
assert kept == [0, 40000]
END
