#!/usr/bin/env bash
# Taking a point out of a layer's data leaves its features to the next point.
#
# One would guess: `layer.data = layer.data[1:]` takes the first point away with its row of
#   features; or napari refuses data that no longer fit the table.
# What is so: the table is cut, or grown, at its end, whichever points were taken. Without
#   the first of three, the second has the pattern of the first and the third that of the
#   second. A Shapes layer does the same. Removing the selection keeps them together.
# Seen with: napari 0.9.2.
# Source: the setters of `data` in napari/layers/points and napari/layers/shapes; this script
# It matters here: boxes or points with a pattern each are the usual way to show cells.
#   After such a filter every label is on another cell, with no warning and no gap.
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
import numpy as np
from napari.layers import Points, Shapes

patterns = ["homogeneous", "speckled", "nucleolar"]
box = np.array([[0.0, 0.0], [0.0, 8.0], [8.0, 8.0], [8.0, 0.0]])
boxes = [box + 20 * i for i in range(3)]
middles = np.array([b.mean(axis=0) for b in boxes])


def layers():
    """Return a layer of points and one of boxes, with a pattern each."""
    features = {"pattern": patterns}
    yield Points(middles, features=features)
    yield Shapes(boxes, shape_type="rectangle", features=features)


for layer in layers():
    name = type(layer).__name__
    layer.data = layer.data[1:]
    left = layer.features["pattern"].tolist()
    print(f"{name}: the first taken from the data: {left}")
    assert len(layer.data) == 2
    assert left == patterns[:2]

for layer in layers():
    name = type(layer).__name__
    layer.selected_data = {0}
    layer.remove_selected()
    left = layer.features["pattern"].tolist()
    print(f"{name}: the first selected and removed: {left}")
    assert len(layer.data) == 2
    assert left == patterns[1:]
END
