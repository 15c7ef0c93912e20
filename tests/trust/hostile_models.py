"""Hostile model files: made, loaded under watch, and told as JSON.

Called with an empty folder. Each file is loaded as `load_scorer` does it; an audit hook
of Python notes whatever is run, sent, written, or opened outside of the file's folder.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from training.config import PaperNetworkSettings, TrainingSetSettings
from training.errors import BadModelError
from training.inference.cards import ModelCard
from training.inference.model_file import Model, load_model, save_model
from training.inference.onnx_export import export_onnx
from training.inference.onnx_model import load_onnx_model
from training.models.networks.architectures import blank_network
from training.patterns import I3A
from training.storage.writing import write_json

SETTINGS = PaperNetworkSettings(input_size=32, width=0.04, epochs=1, vote_epochs=1)
MARK = "was-run"
_WATCHED = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen"),
    *("socket.connect", "pickle.find_class", "ctypes.dlopen", "exec", "compile"),
    *("os.remove", "os.rename", "os.mkdir", "shutil.rmtree"),
)

Files = Iterator[tuple[str, bytes | None, bytes | None]]
"""Name, weights and card; None leaves the good one."""


def _card() -> ModelCard:
    return ModelCard(
        format=2,
        name="small",
        vocabulary=I3A.name,
        patterns=I3A.names,
        classifier=SETTINGS,
        training_set=TrainingSetSettings(),
        trained_on="nothing",
        cells=0,
        specimens=(),
        data_fingerprint="",
    )


def write_good(path: Path) -> None:
    """Write a model that is whole, as safetensors and as ONNX.

    Its card names no weights: changed ones are then looked at themselves.
    """
    network = blank_network(SETTINGS, len(I3A)).eval()
    save_model(path, _card(), [network.state_dict()])
    write_json(path.with_suffix(".json"), _card().model_dump(mode="json"))
    export_onnx(Model(_card(), I3A, (network,)), path)


def pickled() -> bytes:
    """Return a pickle that makes a file if it is loaded; written by hand."""
    return f"cos\nsystem\n(S'touch {MARK}'\ntR.".encode()


def _zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, pickled())
        archive.writestr("archive/version", "3")
    return out.getvalue()


def _tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("../../" + MARK)
        entry.size = len(pickled())
        archive.addfile(entry, io.BytesIO(pickled()))
    return out.getvalue()


def _object_array() -> bytes:
    head = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", 118) + head.encode() + pickled()


def foreign_files() -> Files:
    """Files of other formats, most of which would run code where they are loaded."""
    yield "pickle", pickled(), None
    yield "pickle-protocol-4", b"\x80\x04\x95" + pickled(), None
    yield "torch-zip", _zipped("archive/data.pkl"), None
    yield "torchscript", _zipped("archive/code/__torch__.py"), None
    yield "keras-zip", _zipped("config.json"), None
    yield (
        "joblib",
        b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n" + pickled(),
        None,
    )
    yield "npy-of-objects", _object_array(), None
    yield "npz", _zipped("a.npy"), None
    yield "tar", _tarred(), None
    yield "hdf5", b"\x89HDF\r\n\x1a\n" + bytes(500), None
    yield "script", b"#!/bin/sh\ntouch " + MARK.encode(), None
    yield "elf", b"\x7fELF" + bytes(500), None
    yield "gguf", b"GGUF" + bytes(500), None
    yield "html", b"<script>alert(1)</script>", None
    yield "nothing", b"", None


def _safetensors(header: Any, numbers: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def bad_headers(good: bytes) -> Files:
    """Safetensors whose header lies; `good` is the whole file."""
    (length,) = struct.unpack_from("<Q", good)
    header, numbers = json.loads(good[8 : 8 + length]), good[8 + length :]
    name = next(iter(header))

    def with_claim(**claim: Any) -> bytes:
        return _safetensors({**header, name: {**header[name], **claim}}, numbers)

    yield "length-over-file", struct.pack("<Q", 2**20 - 1) + good[8:], None
    yield "length-endless", struct.pack("<Q", 2**63) + good[8:], None
    yield "length-0", struct.pack("<Q", 0) + good[8:], None
    yield "cut-in-length", good[:5], None
    yield "cut-in-header", good[:100], None
    yield "cut-in-numbers", good[:-1], None
    yield "more-numbers", good + bytes(1000), None
    yield "header-no-json", _safetensors(b"pickle", numbers), None
    yield "header-a-list", _safetensors([1, 2], numbers), None
    yield "header-a-number", _safetensors(b"1", numbers), None
    yield "header-deep", _safetensors(b"[" * 500_000, numbers), None
    yield "header-no-text", _safetensors(b"\xff\xfe{}", numbers), None
    yield "header-long-number", _safetensors(b"9" * 900_000, numbers), None
    yield "header-empty", _safetensors({}, numbers), None
    yield "name-twice", _twice(header, name, numbers), None
    yield "name-of-a-path", _renamed(header, name, "../../x", numbers), None
    yield "name-of-a-class", _renamed(header, name, "__class__", numbers), None
    yield "shape-huge", with_claim(shape=[2**40, 2**40]), None
    yield "shape-overflows", with_claim(shape=[2**63, 2]), None
    yield "shape-negative", with_claim(shape=[-1, -8]), None
    yield "shape-a-word", with_claim(shape="x"), None
    yield "shape-nested", with_claim(shape=[[1]]), None
    yield "shape-true", with_claim(shape=[True]), None
    yield "dtype-unknown", with_claim(dtype="OBJECT"), None
    yield "dtype-other", with_claim(dtype="F64"), None
    yield "dtype-a-list", with_claim(dtype=["F32"]), None
    yield "offsets-beyond", with_claim(data_offsets=[0, 2**62]), None
    yield "offsets-backwards", with_claim(data_offsets=[100, 0]), None
    yield "offsets-negative", with_claim(data_offsets=[-100, 0]), None
    yield "offsets-overlap", with_claim(data_offsets=[4, 4]), None
    yield "offsets-missing", with_claim(data_offsets=None), None
    yield "metadata-deep", _safetensors({**header, "__metadata__": 3}, numbers), None


def _twice(header: dict[str, Any], name: str, numbers: bytes) -> bytes:
    more = f'{{"{name}": {json.dumps(header[name])}, '.encode()
    return _safetensors(more + json.dumps(header).encode()[1:], numbers)


def _renamed(header: dict[str, Any], name: str, other: str, numbers: bytes) -> bytes:
    changed = {other if key == name else key: claim for key, claim in header.items()}
    return _safetensors(changed, numbers)


def bad_cards(good: bytes) -> Files:
    """Cards that lie, ask for the largest network or are no cards."""
    card = json.loads(good)

    def with_words(**words: Any) -> bytes:
        return json.dumps({**card, **words}).encode()

    def with_network(**words: Any) -> bytes:
        return with_words(classifier={**card["classifier"], **words})

    yield "card-empty", None, b""
    yield "card-pickle", None, pickled()
    yield "card-deep", None, b'{"a":' * 100_000
    yield "card-huge", None, b'{"name": "' + b"x" * 2_000_000 + b'"}'
    yield "card-no-text", None, b"\xff\xfe\x00"
    yield "card-a-list", None, b"[]"
    yield "card-endless-number", None, with_words(cells=1).replace(b"1", b"9" * 9000, 1)
    yield "card-yaml-tag", None, b"!!python/object/apply:os.system [touch x]"
    yield "card-more-keys", None, with_words(__reduce__="os.system")
    yield "card-other-format", None, with_words(format=99)
    yield "card-other-patterns", None, with_words(patterns=["a"])
    yield "card-unknown-vocabulary", None, with_words(vocabulary="../i3a")
    yield "card-unknown-network", None, with_network(name="os.system")
    yield (
        "card-largest-network",
        None,
        with_network(width=2, input_size=256, epochs=20, vote_epochs=20),
    )
    yield "card-endless-width", None, with_network(width=1e300)
    yield "card-nan-width", None, with_network(width=float("nan"))
    yield "card-many-votes", None, with_network(vote_epochs=10**9, epochs=10**9)
    yield "card-endless-input", None, with_network(input_size=2**31)
    yield (
        "card-names-a-file",
        None,
        with_words(
            classifier={"name": "imagenet", "weights": "/etc/passwd", "epochs": 1}
        ),
    )
    yield "card-verdict-of-others", None, with_words(verdict={"patterns": ["a"]})


def odd_places(folder: Path) -> list[str]:
    """Make pairs of which one file is a pipe, a device, a link or a folder."""
    made = []
    for suffix in (".safetensors", ".json"):
        for kind in ("pipe", "zeros", "passwords", "folder", "nowhere"):
            name = f"{kind}{suffix.replace('.', '-')}"
            _copy_good(folder, name)
            path = folder / f"{name}{suffix}"
            path.unlink()
            if kind == "pipe":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                places = {"zeros": "/dev/zero", "passwords": "/etc/passwd"}
                path.symlink_to(places.get(kind, "/nowhere"))
            made.append(name)
    return made


def _copy_good(folder: Path, name: str) -> None:
    for suffix in (".safetensors", ".json"):
        (folder / f"{name}{suffix}").write_bytes(
            (folder / f"good{suffix}").read_bytes()
        )


def bad_graphs(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield ONNX files that reach out, loop, grow or are none; `path` is a good one."""
    import onnx

    def changed(change: Any) -> bytes:
        model = onnx.load(path)
        change(model)
        return model.SerializeToString()

    def outside(model: Any, place: str) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)

    node = onnx.helper.make_node
    yield "file-beside", changed(lambda m: outside(m, "good.safetensors"))
    yield "file-above", changed(lambda m: outside(m, "../../../etc/passwd"))
    yield "file-absolute", changed(lambda m: outside(m, "/etc/passwd"))
    yield "loop", changed(lambda m: m.graph.node.append(node("Loop", [], ["z"])))
    yield (
        "own-operator",
        changed(
            lambda m: m.graph.node.append(node("Run", [], ["z"], domain="com.evil"))
        ),
    )
    yield (
        "string-operator",
        changed(lambda m: m.graph.node.append(node("StringNormalizer", ["x"], ["z"]))),
    )
    yield "no-card", changed(lambda m: m.metadata_props.pop())
    yield "two-cards", changed(lambda m: m.metadata_props.append(m.metadata_props[0]))
    yield (
        "card-pickle",
        changed(lambda m: setattr(m.metadata_props[0], "value", pickled().decode())),
    )
    yield (
        "other-input",
        changed(lambda m: setattr(m.graph.input[0], "name", "/etc/passwd")),
    )
    yield "onnx-pickle", pickled()
    yield "onnx-nothing", b""
    yield "onnx-cut", path.read_bytes()[:-100]
    yield "onnx-zeros", bytes(100_000)


class Watch:
    """What Python's audit hook saw of one file being loaded."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[str] = []
        self.on = False
        self._folder = str(folder)
        sys.addaudithook(self._note)

    def _note(self, event: str, words: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _WATCHED:
            self.seen.append(f"{event} {words!r:.100}")
        if event == "open" and self._is_strange(words[0], words[1], words[2]):
            self.seen.append(f"open {words!r:.100}")

    def _is_strange(self, path: object, mode: object, flags: object) -> bool:
        if isinstance(mode, str) and set(mode) & set("wax+"):
            return True
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        place = "" if isinstance(path, int) else str(Path(os.fsdecode(path)).absolute())
        ours = place.startswith((self._folder, sys.prefix, sys.base_prefix, "/proc/"))
        return bool(writes) or not (ours or place.endswith((".py", ".pyc")))


def main(folder: Path) -> None:
    """Make the files in `folder`, load each, and print what became of it."""
    folder = folder.resolve()
    os.chdir(folder)
    good = folder / "good.safetensors"
    write_good(good)
    crops = np.zeros((1, 77, 77), np.uint8)
    for load in (load_model, load_onnx_model):
        load(good).scores(crops)  # what is imported late is imported now
    corpus = [
        *foreign_files(),
        *bad_headers(good.read_bytes()),
        *bad_cards(good.with_suffix(".json").read_bytes()),
    ]
    names = []
    for name, weights, card in corpus:
        _copy_good(folder, name)
        for suffix, content in ((".safetensors", weights), (".json", card)):
            if content is not None:
                (folder / f"{name}{suffix}").write_bytes(content)
        names.append(f"{name}.safetensors")
    names += [f"{name}.safetensors" for name in odd_places(folder)]
    for name, content in bad_graphs(good.with_suffix(".onnx")):
        (folder / f"{name}.onnx").write_bytes(content)
        names.append(f"{name}.onnx")
    watch = Watch(folder)
    print(json.dumps([_loaded(folder / name, watch) for name in names]))


def _loaded(path: Path, watch: Watch) -> dict[str, Any]:
    load = load_onnx_model if path.suffix == ".onnx" else load_model
    watch.seen, watch.on = [], True
    started = time.perf_counter()
    try:
        load(path)
        said = "loaded"
    except BadModelError as fault:
        said = f"refused: {fault}"
    except BaseException as fault:  # noqa: BLE001 - it is what the test asks for
        said = f"{type(fault).__name__}: {fault}"
    seconds = time.perf_counter() - started
    watch.on = False
    return {"file": path.name, "said": said, "seconds": seconds, "seen": watch.seen}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
