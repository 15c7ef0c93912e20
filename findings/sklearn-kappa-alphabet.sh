#!/usr/bin/env bash
# Weighted kappa ranks grades by the alphabet: negative, strong, weak.
#
# One would guess: grades given as words are refused where distances count, or ranked as
#   they come or as their ordered categories say.
# What is so: scikit-learn ranks them alphabetically and says nothing, even if pandas holds
#   them as an ordered categorical. Two reviewers of weak, strong and negative cells have a
#   quadratic kappa of 0; with `labels` in their true order it is 0.75.
# Seen with: scikit-learn 1.9.1, pandas 3.1.1.
# Source: `labels` in sklearn.metrics.cohen_kappa_score; this script
# It matters here: intensity of fluorescence and titres ("1:160" sorts before "1:80") are
#   the grades that weighted kappa is meant for.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1

venv/bin/python -I - <<'END'
import pandas as pd
from sklearn.metrics import cohen_kappa_score

GRADES = ["negative", "weak", "strong"]
first = ["negative", "weak", "strong", "weak", "negative", "strong"]
second = ["weak", "weak", "strong", "negative", "negative", "strong"]


def ordered(grades):
    """Return grades as pandas holds them in order."""
    return pd.Series(pd.Categorical(grades, categories=GRADES, ordered=True))


plain = cohen_kappa_score(first, second, weights="quadratic")
held = cohen_kappa_score(ordered(first), ordered(second), weights="quadratic")
right = cohen_kappa_score(first, second, weights="quadratic", labels=GRADES)
print(f"words: {plain:.2f}, ordered categorical: {held:.2f}, in order: {right:.2f}")
assert abs(plain) < 1e-9
assert abs(held) < 1e-9
assert abs(right - 0.75) < 1e-9
END
