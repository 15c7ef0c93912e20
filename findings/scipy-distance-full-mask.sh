#!/usr/bin/env bash
# Where a mask has no background, the distances are those to a point above the corner.
#
# One would guess: without background the distance is infinite, or zero, or an error.
# What is so: `scipy.ndimage.distance_transform_edt` measures from row -1, column 0, a pixel
#   that does not exist. The result is a smooth slope from the upper left to the lower
#   right, and the deepest pixel is the lower right corner. scikit-image's `medial_axis`
#   passes it on. OpenCV gives the largest float there is, and the package edt infinity.
# Seen with: SciPy 1.17.1, scikit-image 0.26.0, OpenCV 5.0.0.93, edt 3.1.2.
# Source: https://github.com/scipy/scipy/issues/15585
# It matters here: a crop that its nucleus fills, or the tight box of a rectangular label
#   (`region.image`), has no background. Features by depth are then taken from a slope,
#   and differ by how the crop lies. A border of zeros before the transform mends it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0 opencv-python-headless==5.0.0.93 \
  edt==3.1.2

venv/bin/python -I - <<'END'
import cv2
import edt
import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.morphology import medial_axis

crop = np.ones((77, 77), dtype=np.uint8)
rows, columns = np.mgrid[:77, :77]
slope = np.hypot(rows + 1, columns)

scipys = distance_transform_edt(crop)
deepest = np.unravel_index(scipys.argmax(), scipys.shape)
print(f"SciPy: {scipys[0, 0]} to {scipys.max():.1f}, deepest at {deepest}")
assert np.allclose(scipys, slope)
assert np.allclose(medial_axis(crop.astype(bool), return_distance=True)[1], slope)

opencvs = cv2.distanceTransform(crop, cv2.DIST_L2, 5)
print(f"OpenCV: {opencvs.min():.3g} everywhere, edt: {edt.edt(crop).min()}")
assert np.all(opencvs == np.finfo(np.float32).max)
assert np.all(np.isinf(edt.edt(crop)))

framed = distance_transform_edt(np.pad(crop, 1))[1:-1, 1:-1]
print(f"SciPy with a border of zeros: deepest {framed.max()} in the middle")
assert framed.max() == framed[38, 38] == 39
END
