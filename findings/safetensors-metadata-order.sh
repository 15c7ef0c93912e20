#!/usr/bin/env bash
# The same tensors and the same metadata give another file at every save.
#
# One would guess: safetensors is a plain format; equal content makes equal bytes, so the
#   hash of a model file tells whether two models are the same.
# What is so: without metadata, or with one entry, yes. Two or more entries of metadata
#   are written in an order that is drawn anew at each save, even within one process.
#   The content read back is equal; the bytes, and so any hash of the file, are not.
# Seen with: safetensors 0.8.0.
# Source: https://github.com/safetensors/safetensors/issues/584
# It matters here: a run that is repeated bit for bit still leaves a model file with
#   another hash. What should stay the same has to be hashed by content: tensors by name,
#   metadata sorted.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: numpy==2.4.6 safetensors==0.8.0

venv/bin/python -I - <<'END'
import hashlib
import json

import numpy as np
from safetensors.numpy import load, save

weights = {"weight": np.arange(6.0).reshape(2, 3), "bias": np.zeros(2)}
card = {f"field-{i:02}": str(i) for i in range(16)}
saved = [save(weights, metadata=card) for _ in range(10)]


def metadata(data):
    """Return the metadata in a file's header."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])["__metadata__"]


hashes = {hashlib.sha256(data).hexdigest() for data in saved}
print(f"16 entries, saved ten times: {len(hashes)} different files")
assert len(hashes) > 1
assert all(metadata(data) == card for data in saved)
assert all(np.array_equal(load(data)["weight"], weights["weight"]) for data in saved)

for few in (None, {"field": "0"}):
    hashes = {save(weights, metadata=few) for _ in range(10)}
    print(f"{len(few or {})} entries, saved ten times: {len(hashes)} different files")
    assert len(hashes) == 1
END
