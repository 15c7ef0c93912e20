#!/usr/bin/env bash
# A table of measured nuclei is shown by napari one label off.
#
# One would guess: a table with one row a nucleus and a column `label`, as scikit-image's
#   `regionprops_table` makes it, is shown under the labels that it names; or a data frame
#   by its index.
# What is so: the row is found by its position, and row 0 belongs to the background. The
#   column `label` and the index of the data frame are not looked at. Pointing at nucleus
#   1 shows the values of nucleus 2, the last has none. Only a column named `index` counts.
# Seen with: napari 0.9.2, scikit-image 0.26.0.
# Source: https://github.com/napari/napari/issues/4250
# It matters here: who reviews cells reads the pattern of the neighbour, plausible and
#   wrong. Rename the column: `features.rename(columns={"label": "index"})`.
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
import pandas as pd
from napari.layers import Labels
from skimage.measure import regionprops_table

nuclei = np.zeros((16, 32), dtype=np.int32)
nuclei[4:12, 2:8] = 1
nuclei[4:12, 12:18] = 2
nuclei[4:12, 22:30] = 3
table = pd.DataFrame(regionprops_table(nuclei, properties=("label",)))
table["pattern"] = ["homogeneous", "speckled", "nucleolar"]


def shown(features):
    """Return the patterns that the status bar shows over nuclei 1, 2 and 3."""
    layer = Labels(nuclei, features=features)
    values = [layer.get_status((8, x))["value"] for x in (5, 15, 25)]
    return [value.partition("pattern: ")[2] or "none" for value in values]


off_by_one = ["speckled", "nucleolar", "none"]
for name, features, expected in (
    ("column label", table, off_by_one),
    ("index of the frame", table.set_index("label"), off_by_one),
    ("column index", table.rename(columns={"label": "index"}), list(table["pattern"])),
):
    found = shown(features)
    print(f"{name}: {found}")
    assert found == expected
END
