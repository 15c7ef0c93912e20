"""Specimen-honest training and evaluation of HEp-2 cell classifiers, headless.

Importing this package imports neither torch nor Qt nor napari. It forbids ONNX Runtime,
which may be imported by anybody afterwards, to number this machine and report on use.

References
----------
https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
