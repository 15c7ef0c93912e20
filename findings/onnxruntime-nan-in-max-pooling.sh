#!/usr/bin/env bash
# Max pooling in ONNX Runtime swallows NaN, and makes a number of nothing but NaN.
#
# One would guess: a NaN reaches the scores, as it does in NumPy and torch, so checking the
#   scores for NaN is enough.
# What is so: on the CPU, 3 x 3 max pooling drops every NaN; of a window of NaN alone it
#   makes the lowest float there is. Global max pooling and ReduceMax drop it at most
#   places and keep it at some. Average pooling passes it on, as expected.
# Seen with: onnxruntime 1.32.0, onnx 1.23.2, on x86-64.
# Source: https://github.com/microsoft/onnxruntime/issues/10514 (ReduceMax); this script
# It matters here: a crop with NaN, of a division by an empty background say, has scores
#   of NaN in torch, and can have a sure pattern from the same network as ONNX. NaN has to
#   be looked for in what goes in.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --only-binary=:all: \
  numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0

venv/bin/python -I - <<'END'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

SHAPE = (1, 1, 9, 9)
FLOAT = TensorProto.FLOAT


def layer(kind, **settings):
    """Return a model of one layer as a function."""
    graph = helper.make_graph(
        [helper.make_node(kind, ["x"], ["y"], **settings)],
        "layer",
        [helper.make_tensor_value_info("x", FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", FLOAT, None)],
    )
    version = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[version], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})[0]


def swallowed(run):
    """Return how many of the 81 places of one NaN give an output without NaN."""
    count = 0
    for place in range(81):
        maps = np.ones(SHAPE, dtype=np.float32)
        maps.ravel()[place] = np.nan
        count += not np.isnan(run(maps)).any()
    return count


pooling = layer("MaxPool", kernel_shape=[3, 3], strides=[3, 3])
counts = {
    "MaxPool 3 x 3": swallowed(pooling),
    "GlobalMaxPool": swallowed(layer("GlobalMaxPool")),
    "ReduceMax": swallowed(layer("ReduceMax")),
    "GlobalAveragePool": swallowed(layer("GlobalAveragePool")),
}
for name, count in counts.items():
    print(f"{name}: NaN is swallowed at {count} of 81 places")
assert counts["MaxPool 3 x 3"] == 81
assert counts["GlobalMaxPool"] > 0
assert counts["ReduceMax"] > 0
assert counts["GlobalAveragePool"] == 0

of_nan = pooling(np.full(SHAPE, np.nan, dtype=np.float32))
print(f"MaxPool 3 x 3 of nothing but NaN: {of_nan.max():.3g}")
assert np.all(of_nan == np.finfo(np.float32).min)
END
