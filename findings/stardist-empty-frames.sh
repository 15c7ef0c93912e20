#!/usr/bin/env bash
# A frame without nuclei, rightly found empty, lowers StarDist's score of a data set.
#
# One would guess: nothing to find and nothing found is a perfect frame, or one that
#   is left out of the mean.
# What is so: `matching` gives it precision, recall and accuracy 0, although it counts no
#   false positive and no false negative; and the mean over frames (`by_image=True`) takes
#   the zero in. One perfect frame and one empty one score 0.5; pooled over frames, 1.
# Seen with: stardist 0.9.2.
# Source: `matching` and `matching_dataset` in stardist/matching.py; this script
# It matters here: slides have empty fields, and negative controls are made of them. The
#   more of them a test set has, the worse the same segmentation scores.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.3.5 scipy==1.17.1 scikit-image==0.26.0 stardist==0.9.2

venv/bin/python -I - <<'END'
import numpy as np
from stardist.matching import matching, matching_dataset

empty = np.zeros((32, 32), dtype=int)
filled = empty.copy()
filled[8:20, 8:20] = 1

alone = matching(empty, empty)
print(f"an empty frame: false {alone.fp} and {alone.fn}, accuracy {alone.accuracy}")
assert (alone.fp, alone.fn, alone.accuracy, alone.f1) == (0, 0, 0, 0)

frames = [filled, empty]
for by_image, expected in ((True, 0.5), (False, 1.0)):
    found = matching_dataset(frames, frames, by_image=by_image, show_progress=False)
    print(f"two perfect frames, by_image={by_image}: accuracy {found.accuracy}")
    assert found.accuracy == expected
END
