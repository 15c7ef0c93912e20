#!/usr/bin/env bash
# All 16-bit crops have one perceptual hash, and so have all crops of floats up to 1.
#
# One would guess: a hash of "how the picture looks" takes a 16-bit picture as well as
#   an 8-bit one, or refuses it.
# What is so: ImageHash has Pillow convert the picture to 8 bits, and Pillow clips: all
#   above 255 becomes 255. What a microscope writes is then white everywhere, floats
#   between 0 and 1 black everywhere, and unrelated crops are at distance 0. Divided by
#   256 beforehand they are far apart.
# Seen with: ImageHash 4.3.2, Pillow 13.0.0.
# Source: `convert("L")` in imagehash/__init__.py; this script
# It matters here: a search for near copies among 16-bit crops finds that all are copies
#   of one another, and a clean-up keeps one cell.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 scipy==1.17.1 pillow==13.0.0 ImageHash==4.3.2

venv/bin/python -I - <<'END'
import itertools

import imagehash
import numpy as np
from PIL import Image

random = np.random.default_rng(0)
crops = random.uniform(300, 4095, size=(6, 77, 77))


def distances(pictures, hashed):
    """Return the smallest and largest distance between two pictures."""
    hashes = [hashed(Image.fromarray(picture)) for picture in pictures]
    apart = [a - b for a, b in itertools.combinations(hashes, 2)]
    return int(min(apart)), int(max(apart))


for hashed in (imagehash.phash, imagehash.dhash, imagehash.average_hash):
    wide = distances(crops.astype(np.uint16), hashed)
    shares = distances((crops / 4095).astype(np.float32), hashed)
    narrow = distances((crops / 16).astype(np.uint8), hashed)
    print(f"{hashed.__name__}: 16 bits {wide}, floats {shares}, 8 bits {narrow}")
    assert wide == shares == (0, 0)
    assert narrow[0] > 10
END
