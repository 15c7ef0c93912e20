#!/usr/bin/env bash
# Boolean seeds put every nucleus into one region, and the result is boolean.
#
# One would guess: seeds given as a mask are numbered, as an integer `markers` is when it
#   asks for so many seeds; or booleans are refused.
# What is so: `watershed` reads True as label 1, so all seeds are one seed, and returns an
#   array of booleans: the mask that went in. Two touching nuclei with a seed each stay
#   one; with `label(seeds)` they are cut.
# Seen with: scikit-image 0.26.0.
# Source: this script
# It matters here: the seeds of touching nuclei come from `peak_local_max` or from a
#   threshold, which are often kept as a mask. The outcome looks like a segmentation that
#   failed to separate, so the distance map is blamed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0

venv/bin/python -I - <<'END'
import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.measure import label
from skimage.segmentation import watershed

rows, columns = np.mgrid[:30, :48]
nuclei = np.zeros((30, 48), dtype=bool)
seeds = np.zeros_like(nuclei)
for centre in (15, 31):
    nuclei |= (rows - 15) ** 2 + (columns - centre) ** 2 < 100
    seeds[15, centre] = True
depth = distance_transform_edt(nuclei)

from_mask = watershed(-depth, seeds, mask=nuclei)
from_numbers = watershed(-depth, label(seeds), mask=nuclei)
print(f"boolean seeds: {from_mask.dtype}, values {np.unique(from_mask).tolist()}")
print(f"numbered seeds: {from_numbers.dtype}, values {np.unique(from_numbers).tolist()}")
assert label(nuclei).max() == 1
assert from_mask.dtype == bool
assert np.array_equal(from_mask, nuclei)
assert np.unique(from_numbers).tolist() == [0, 1, 2]
END
