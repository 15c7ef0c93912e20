#!/usr/bin/env bash
# Cleanlab finds no wrong label if the right one is a class that nobody has been given yet.
#
# One would guess: twenty cells whose scores all say "Golgi" at 97 % while their label is
#   another are the first label issues that are reported.
# What is so: as long as not one cell is labelled Golgi, six of the seven ways to filter
#   report none of them. One more cell, labelled Golgi, and all seven report all twenty:
#   the threshold of a class is the mean score of the cells labelled with it, and a class
#   without cells has none. Three filters warn that the class has few examples, in the
#   same words before and after; the others are silent.
# Seen with: cleanlab 2.9.0.
# Source: https://docs.cleanlab.ai (confident learning, thresholds by class); this script
# It matters here: the rare patterns are those that a laboratory overlooks as a whole, and
#   an audit specimen by specimen has patterns without a label in nearly every specimen.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 pandas==2.3.3 scikit-learn==1.7.2 cleanlab==2.9.0

venv/bin/python -I - <<'END'
import numpy as np
from cleanlab.filter import find_label_issues

FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
)
labels = np.repeat([0, 1, 2], 100)
scores = np.full((300, 4), 0.02)
scores[np.arange(300), labels] = 0.94
scores[:20] = (0.01, 0.01, 0.01, 0.97)


def count_issues(labels, scores):
    """Return how many label issues each filter reports."""
    return {
        name: int(find_label_issues(labels, scores, filter_by=name, n_jobs=1).sum())
        for name in FILTERS
    }


absent = count_issues(labels, scores)
present = count_issues(
    np.append(labels, 3), np.vstack([scores, (0.02, 0.02, 0.02, 0.94)])
)
print(f"no cell labelled 3: {absent}")
print(f"one cell labelled 3: {present}")
assert absent.pop("predicted_neq_given") == 20
assert set(absent.values()) == {0}
assert set(present.values()) == {20}
END
