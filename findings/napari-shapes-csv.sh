#!/usr/bin/env bash
# Boxes saved by napari lose their features; points saved the same way keep them.
#
# One would guess: both CSV files have a column for every feature, or neither.
# What is so: the CSV of a Points layer has its features, that of a Shapes layer only index,
#   type and corners. Scale and units are in neither, so corners are in pixels. The files
#   are napari's own format for these layers, and saving says nothing of the loss.
# Seen with: napari 0.9.2.
# Source: napari_builtins/io/_write.py; this script
# It matters here: boxes around cells carry the pattern and what the reviewer said. Saved
#   from the window and opened again they are boxes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
# napari's layers without its window: of its requirements only what they import.
venv/bin/pip install --quiet --no-compile --only-binary=:all: --no-deps \
  napari==0.9.2 annotated-types==0.8.0 app-model==0.5.1 cachey==0.2.1 \
  cloudpickle==3.1.2 dask==2026.8.0 docstring_parser==0.18.0 flexcache==0.3 \
  flexparser==0.4 HeapDict==1.0.1 hsluv==5.0.5 ImageIO==2.38.1 \
  importlib_metadata==10.2.0 in-n-out==0.2.1 lazy-importer==0.1.0 lazy-loader==0.6 \
  lxml==6.1.3 magicgui==0.10.2 napari-resources==1.0.1 npe2==0.10.0 numpy==2.4.6 \
  packaging==26.3 pandas==3.1.1 pillow==13.0.0 Pint==0.25.3 platformdirs==4.14.7 \
  psutil==7.2.2 psygnal==0.16.1 pydantic-extra-types==2.11.1 pydantic-settings==2.16.3 \
  pydantic==2.14.3 pydantic_core==2.50.4 Pygments==2.21.0 python-dateutil==4.0.0 \
  python-dotenv==1.2.4 PyYAML==6.0.3 scikit-image==0.26.0 scipy==1.17.1 six==1.17.0 \
  toolz==1.2.0 tqdm==4.70.1 typing-inspection==0.4.5 typing_extensions==4.16.0 \
  vispy==0.17.0 wrapt==2.5.2 zipp==4.1.2

venv/bin/python -I - <<'END'
import csv
from pathlib import Path

import numpy as np
from napari.layers import Points, Shapes
from napari_builtins.io import napari_write_points, napari_write_shapes

box = np.array([[0.0, 0.0], [0.0, 8.0], [8.0, 8.0], [8.0, 0.0]])
look = {"features": {"pattern": ["speckled"]}, "scale": (0.5, 0.5)}


def columns(write, layer):
    """Save a layer as napari does, and return the head of the file."""
    data, settings, _ = layer.as_layer_data_tuple()
    path = Path(write("layer.csv", data, settings))
    with path.open(newline="") as stream:
        return next(csv.reader(stream))


points = columns(napari_write_points, Points(box[:1], **look))
shapes = columns(napari_write_shapes, Shapes([box], shape_type="rectangle", **look))
print(f"points: {points}")
print(f"boxes: {shapes}")
assert points == ["index", "axis-0", "axis-1", "pattern"]
assert shapes == ["index", "shape-type", "vertex-index", "axis-0", "axis-1"]
END
