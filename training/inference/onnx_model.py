"""Models in the ONNX format, scored by ONNX Runtime without torch.

Such a file may come from anywhere. Before the runtime sees it, its size, its card, its
operators, its input and output are checked, and how large what it computes becomes; it
may not reach for another file. The packages onnx and onnxruntime are an extra and
imported when they are needed.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.cells.cell_set import pack_images
from training.errors import BadModelError, BadSettingError
from training.inference.cards import ModelCard, known_vocabulary, parse_card
from training.patterns import Vocabulary

CARD = "napari-hep2 card"
"""Key of the card among the properties of the file."""

INPUT, OUTPUT = "images", "scores"

_MAX_FILE = 1_000_000_000
_MAX_NUMBERS = 2**28
"""Of all that a graph holds at one time beside its weights: 1 GB of float32."""

_BATCH = 25
"""Crops computed together; the rest one by one, so that two sizes are to be checked."""
_REMEDY = "export the model again"
_FOREIGN = "use a file that hep2 export wrote"
_OPERATORS = """
    Add Cast Clip Concat Constant Conv Div Flatten Gather Gemm Identity MatMul MaxPool
    Mul ReduceMax ReduceMean Relu Reshape Shape Slice Softmax Sub Tanh TopK Unsqueeze
    Where
"""


@dataclass(frozen=True)
class OnnxModel:
    """A model whose scores ONNX Runtime computes.

    See `training.inference.scorers.Scorer`.

    Attributes
    ----------
    path
        The file, for faults.
    card
        What it is.
    vocabulary
        The patterns, in the order of its scores.
    session
        An ``onnxruntime.InferenceSession``.
    """

    path: Path
    card: ModelCard
    vocabulary: Vocabulary
    session: Any

    def scores(self, crops: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the scores of crops, (N, K) float32; see `Scorer.scores`.

        Raises
        ------
        BadModelError
            If the graph does not compute scores of its patterns.
        """
        parts = [np.zeros((0, len(self.vocabulary)), np.float32)]
        if len(crops):
            size = self.card.classifier.input_size
            packed = pack_images(crops, size)
            whole = len(packed) - len(packed) % _BATCH
            parts += map(self._run, packed[:whole].reshape(-1, _BATCH, size, size))
            parts += map(self._run, packed[whole:, None])
        return np.concatenate(parts)

    def _run(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        try:
            (scores,) = self.session.run([OUTPUT], {INPUT: images})
        except _runtime_faults() as fault:
            raise BadModelError(self.path, "it cannot be run", _REMEDY) from fault
        if scores.shape != (len(images), len(self.vocabulary)):
            raise BadModelError(
                self.path, f"its scores have the shape {scores.shape}", _REMEDY
            )
        return np.asarray(scores, np.float32)


def load_onnx_model(path: Path, threads: int = 0) -> OnnxModel:
    """Read a model that `training.inference.onnx_export.export_onnx` wrote.

    Parameters
    ----------
    path
        Its file.
    threads
        Threads of the runtime; 0 takes one a core.

    Raises
    ------
    BadModelError
        If it is missing, larger than 1 GB, damaged, hostile, or not such a model.
    BadSettingError
        If onnx or onnxruntime is not installed.
    """
    path = path.with_suffix(".onnx")
    onnx, runtime = need("onnx"), need("onnxruntime")
    content = _read(path)
    card = _check(path, onnx, content)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    except _runtime_faults() as fault:
        raise BadModelError(path, "it cannot be run", _REMEDY) from fault
    return OnnxModel(path, card, known_vocabulary(card, path), session)


def need(package: str) -> ModuleType:
    """Import onnx or onnxruntime; see `training` on what the second would send.

    Raises
    ------
    BadSettingError
        If it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as fault:
        raise BadSettingError(
            "ONNX",
            f"it needs {package}, which is not installed",
            'pip install "napari-hep2[onnx]"',
        ) from fault


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise BadModelError(path, "there is no such model", "make it with: hep2 export")
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_FILE + 1)
    except OSError as fault:
        raise BadModelError(path, "the file cannot be read", _REMEDY) from fault
    if len(content) > _MAX_FILE:
        raise BadModelError(path, "it is larger than 1 GB", "use another model")
    return content


def _check(path: Path, onnx: ModuleType, content: bytes) -> ModelCard:
    """Return the card of a file that is what we write and no more."""
    decode_error = importlib.import_module("google.protobuf.message").DecodeError
    try:
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model)
    except (decode_error, onnx.checker.ValidationError, ValueError) as fault:
        raise BadModelError(
            path, "this is not an ONNX model, or a damaged one", _REMEDY
        ) from fault
    cards = [entry.value for entry in model.metadata_props if entry.key == CARD]
    if len(cards) != 1:
        raise BadModelError(path, "it has no card in it", _FOREIGN)
    card = parse_card(cards[0], path)
    found = next(chain(_foreign(onnx, model, card), _oversized(onnx, model)), None)
    if found is not None:
        raise BadModelError(path, found, _FOREIGN)
    return card


def _foreign(onnx: ModuleType, model: Any, card: ModelCard) -> Iterator[str]:
    """Yield what the file has that a file of ours has not."""
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer:
        yield "it holds more than one graph"
    tensors = list(graph.initializer)
    for node in graph.node:
        if node.domain or node.op_type not in _OPERATORS.split():
            yield f"it uses the operator {node.op_type[:40]}"
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                yield "it holds more than one graph"
            tensors += [attribute.t, *attribute.tensors]
    outside = onnx.TensorProto.EXTERNAL
    if any(t.external_data or t.data_location == outside for t in tensors):
        yield "its weights lie in another file"
    side = card.classifier.input_size
    ports = [_port(onnx, port) for port in (*graph.input, *graph.output)]
    ours = [
        (INPUT, "UINT8", (None, side, side)),
        (OUTPUT, "FLOAT", (None, len(card.patterns))),
    ]
    if ports != ours:
        yield "its input and output do not fit its card"


def _oversized(onnx: ModuleType, model: Any) -> Iterator[str]:
    """Yield that a graph computes too much at one time, where it does.

    The sizes are derived, for each number of crops that it is ever given; those that
    the file declares do not count.
    """
    del model.graph.value_info[:]
    infer = onnx.shape_inference
    for crops in (1, _BATCH):
        for port in (*model.graph.input, *model.graph.output):
            port.type.tensor_type.shape.dim[0].dim_value = crops
        try:
            graph = infer.infer_shapes(
                model, check_type=True, strict_mode=True, data_prop=True
            ).graph
        except (infer.InferenceError, RuntimeError, ValueError):
            yield "its sizes do not fit together"
            return
        if not _most_at_once(graph) <= _MAX_NUMBERS:
            yield "it computes more at one time than fits in memory"


def _most_at_once(graph: Any) -> float:
    """Return how many numbers live at one time; infinite where a size is not known."""
    sizes = {
        one.name: math.prod(
            axis.dim_value if axis.HasField("dim_value") else math.inf
            for axis in one.type.tensor_type.shape.dim
        )
        for one in (*graph.value_info, *graph.input, *graph.output)
        if one.type.tensor_type.HasField("shape")
    }
    last = {name: k for k, node in enumerate(graph.node) for name in node.input}
    live: dict[str, float] = {}
    most = 0.0
    for k, node in enumerate(graph.node):
        live |= {name: sizes.get(name, math.inf) for name in filter(None, node.output)}
        most = max(most, sum(live.values()))
        live = {name: size for name, size in live.items() if last.get(name, 0) > k}
    return most


def _port(onnx: ModuleType, port: Any) -> tuple[str, str, tuple[int | None, ...]]:
    kind = port.type.tensor_type
    shape = tuple(
        axis.dim_value if axis.HasField("dim_value") else None
        for axis in kind.shape.dim
    )
    return port.name, onnx.TensorProto.DataType.Name(kind.elem_type), shape


def _runtime_faults() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises; its exceptions have no base of their own."""
    found = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    own = [value for value in vars(found).values() if isinstance(value, type)]
    faults = [value for value in own if issubclass(value, Exception)]
    return (*faults, RuntimeError, ValueError)
