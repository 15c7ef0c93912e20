#!/usr/bin/env bash
# The first layer of a napari session reads a table of units before it is there.
#
# One would guess: with napari imported, an image layer of a few pixels is made in
#   milliseconds, the first as well as the second; no unit was asked for.
# What is so: each axis of a layer has a unit, `pixel` by default. It is looked up in
#   pint's application registry, which is empty until then: the first layer parses over a
#   thousand definitions, in the thread that makes it, most often the window's. Neither the
#   import of napari nor an empty viewer has done so. A registry that is read beforehand,
#   in another thread say, and set before the first layer takes most of the time away.
# Seen with: napari 0.9.2, pint 0.25.3.
# Source: the script; `napari/layers/utils/layer_utils.py`, `pint/registry.py`
# It matters here: the first field of view that a pathologist opens seems slow, and the
#   time is looked for in the reading and drawing of the image.
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

cat > layer.py <<'END'
import sys
import time

import numpy as np
import pint
from napari.components import ViewerModel
from napari.layers import Image
from pint.registry import LazyRegistry

ViewerModel()
if sys.argv[1] == "read before":
    pint.set_application_registry(pint.UnitRegistry())
registry = pint.get_application_registry().get()
was_empty = isinstance(registry, LazyRegistry)
times = []
for _ in range(2):
    started = time.perf_counter()
    Image(np.zeros((4, 4)))
    times.append(time.perf_counter() - started)
print(sys.argv[1], was_empty, len(registry._units), *times, sep=";")
END

for when in "read by the layer" "read before"; do
  XDG_CONFIG_HOME="$folder" venv/bin/python -I layer.py "$when" | tail -1
done > seen

venv/bin/python -I - <<'END'
by_layer, before = (line.strip().split(";") for line in open("seen"))
for when, was_empty, units, first, second in (by_layer, before):
    print(
        f"{when}: empty before the first layer: {was_empty}, {units} units after it; "
        f"first layer {float(first):.3f} s, second {float(second):.3f} s"
    )
assert (by_layer[1], before[1]) == ("True", "False")
assert int(by_layer[2]) > 1000
assert float(by_layer[3]) > 2 * float(before[3])
END
