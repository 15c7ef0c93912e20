"""Whole files to start from, small ones, made by the product itself.

Each folder is what one command writes. Nothing in them depends on the clock or on where
they lie, so that a seed gives the same case on the next day.
"""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import scipy
import tifffile
import yaml
from PIL import Image
from roifile import ROI_TYPE, ImagejRoi, roiwrite
from zarr_files import write_labels, write_zarr

from training.config import (
    ExtractionSettings,
    LeNetSettings,
    SegmentationSettings,
    SheetSettings,
    SimulationSettings,
)
from training.curation.filtering import Choice
from training.curation.review_set import review_of_folder
from training.data.cells.cell_set import CellSet
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.cells.loading import load_cell_set, write_cell_set
from training.data.layouts import read_collection
from training.data.masks.changes import LabelChange
from training.data.masks.history import read_mends
from training.data.masks.history_writer import MendWriter
from training.data.simulation import simulate
from training.decisions.exchange import export_decisions
from training.decisions.store import DecisionStore
from training.inference.model_file import load_model
from training.inference.onnx_export import export_onnx
from training.inference.why.neighbours import build_index, index_path, write_index
from training.models.networks.checkpoints import save_checkpoint
from training.models.networks.loop import begin
from training.reports.sheets.making import sheet_steps, shown_steps
from training.reports.specimens.plans import ReportRequest, plan_reports
from training.reports.specimens.stream import finish_worklist, report_specimens
from training.runs.execution import execute, start_run
from training.runs.experiments import configure
from training.runs.final_fit import fit_model
from training.runs.folder import EVENTS, RunFolder
from training.runs.staleness import rescore
from training.storage.images import label_bytes
from training.storage.writing import write_bytes

NETWORK = LeNetSettings(epochs=2, vote_epochs=1, batch_size=16)
MODEL = Path("model/small.safetensors")
PATTERNS = "Homogeneous,Speckled,Nucleolar"
_FRAME = {"height": "260", "width": "300", "cells_min": "6", "cells_max": "8"}


def _clock() -> datetime:
    return datetime(2026, 1, 2, tzinfo=UTC)


def make_seeds(folder: Path) -> None:
    """Write the seeds of all targets into an empty folder."""
    with chdir(folder):
        _specimens(Path("task2"))
        _cells(Path("task2"), Path("cells"))
        cells = load_cell_set(Path("cells"), NETWORK.input_size)
        write_cell_set(cells, Path("packed"))
        _ready_cells(Path("task1"), Path("mivia"))
        _plain(Path("plain"))
        _mended(Path("mended"))
        _pictures(Path("images"), Path("masks"))
        _outlines(Path("outlines"))
        _containers(Path("containers"))
        _run(Path("run"))
        _model(MODEL, cells)
        _checkpoint(Path("checkpoint"), cells)
        _sheets(Path("sheets"))
        _typed(Path("settings"))
        _reports(Path("reports"))


def _specimens(out: Path) -> None:
    words = {"specimens": "6", "seed": "4", "patterns": PATTERNS, **_FRAME}
    list(simulate(out, SimulationSettings.parse(words)))


def _cells(specimens: Path, out: Path) -> None:
    how = ExtractionSettings(), SegmentationSettings()
    list(write_cell_folder(read_collection(specimens), out, *how))
    ids = read_cell_folder(out).table["id"].tolist()
    store = out / "curation.sqlite"
    with DecisionStore(store, "Ann", _clock) as ann:
        ann.decide(ids[:3], "accepted")
        ann.decide(ids[3:4], "relabelled", "Golgi")
        ann.decide(ids[4:6], "rejected", reason="focus")
        ann.undo()
        ann.redo()
        ann.flag(ids[:2], True)
        ann.note(ids[:1], "=odd, 'quoted'\nin two lines")
        ann.undo()
    with DecisionStore(store, "Bob", _clock) as bob:
        bob.decide(ids[:2], "rejected", reason="merged")
        table = out.parent / "tables" / "decisions.csv"
        export_decisions(bob, table)


def _ready_cells(task1: Path, mivia: Path) -> None:
    """Write some crops as the contests gave their cells."""
    folder = read_cell_folder(Path("cells"))
    (task1 / "train").mkdir(parents=True)
    mivia.mkdir()
    truth, sides = ["Image ID,Image class"], ["Image ID,Specimen"]
    named, images = ["ID;pattern"], ["id;image"]
    for number in range(1, 7):
        row = folder.table.iloc[number]
        crop = Image.fromarray(folder.crops[number])
        mask = Image.fromarray(np.uint8(255 * (folder.crops[number] > 40)))
        for target in (task1 / "train" / f"{number:05d}", mivia / f"{number:03d}"):
            crop.save(target.with_suffix(".png"))
            mask.save(target.with_name(f"{target.name}_mask.png"))
        truth.append(f"{number:05d},{row['pattern']}")
        sides.append(f"{number:05d},{row['specimen']}")
        named.append(f"{number};{('homogeneous', 'fine_speckled')[number % 2]}")
        images.append(f"{number};{number % 2}")
    (task1 / "gt_training.csv").write_text("\n".join(truth) + "\n")
    (task1 / "specimens.csv").write_text("\n".join(sides) + "\n")
    (mivia / "gt_training.csv").write_text("\n".join(named) + "\n")
    (mivia / "cells.csv").write_text("\n".join(images) + "\n")


def _plain(out: Path) -> None:
    for name in ("00001_p0", "00002_p0"):
        for end in ("", "_Mask"):
            pixels = tifffile.imread(f"task2/train/{name}{end}.tif")
            (out / name[:5]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(out / name[:5] / f"{name}{end}.png")
    table = "specimen,pattern\n00001,Homogeneous\n00002,Speckled\n"
    (out / "patterns.csv").write_text(table)


def _outlines(out: Path) -> None:
    """Write three nuclei as each tool does, for a frame of 60 x 50 pixels."""
    out.mkdir()
    squares = [
        np.array([[x, 5], [x + 9, 5], [x + 9, 20], [x, 20]]) for x in (3, 15, 30)
    ]
    regions = [ImagejRoi.frompoints(one, name=str(one[0, 0])) for one in squares]
    roiwrite(out / "RoiSet.zip", regions)
    regions[0].tofile(out / "corners.roi")
    ImagejRoi.frompoints(squares[0] + 0.25).tofile(out / "finer.roi")
    box = {"top": 5, "left": 3, "bottom": 20, "right": 12}
    for kind in (ROI_TYPE.OVAL, ROI_TYPE.RECT):
        ImagejRoi(roitype=kind, **box).tofile(out / f"{kind.name.lower()}.roi")
    polygons = [{"type": "Polygon", "coordinates": [s.tolist()]} for s in squares]
    objects = [
        {
            "type": "Feature",
            "geometry": polygon,
            "nucleusGeometry": polygon,
            "properties": {"objectType": kind},
        }
        for polygon, kind in zip(
            polygons, ("cell", "detection", "annotation"), strict=True
        )
    ]
    content = {"type": "FeatureCollection", "features": objects}
    (out / "objects.geojson").write_text(json.dumps(content))
    classes = np.ones((60, 50), np.uint8)
    classes[5:20, 3:12] = 2
    Image.fromarray(classes).save(out / "a_Simple Segmentation.png")


def _mended(out: Path) -> None:
    shutil.copytree("task2", out)
    collection = read_collection(out)
    frame = collection.specimens[0].frames[0]
    labels = np.zeros((260, 300), np.int32)
    labels[50:90, 50:90], labels[150:190, 100:140] = 1, 2
    writer = MendWriter(collection.root, frame, "Ann", _clock)
    history = read_mends(collection.root, frame.name)
    history = writer.save(history, LabelChange(labels, (1, 2), ()), "2 nuclei added")
    writer.redo(writer.undo(history))
    for part in ("00003", "00004", "00005", "00006"):
        for path in (out / "train").glob(f"{part}*"):
            path.unlink()


def _pictures(images: Path, masks: Path) -> None:
    images.mkdir()
    masks.mkdir()
    grey = tifffile.imread("task2/train/00001_p0.tif")[:60, :50]
    colour = np.stack([grey // 3, grey, grey // 2], axis=2)
    deep = grey.astype(np.uint16) * 257
    for suffix in ("png", "jpg", "bmp", "tif"):
        Image.fromarray(grey).save(images / f"grey.{suffix}")
        Image.fromarray(colour).save(images / f"colour.{suffix}")
    Image.fromarray(deep).save(images / "deep.png")
    Image.fromarray(colour).quantize(16).save(images / "palette.png")
    fire = np.stack([np.arange(256), np.arange(256) // 2, np.arange(256)[::-1]], 1)
    display = Image.fromarray(grey)
    display.putpalette(fire.astype(np.uint8).ravel().tolist())
    display.save(images / "display.png")
    Image.fromarray(grey > 40).save(images / "bit.png")
    for name in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"):
        Image.fromarray(grey).save(images / f"{name}.tif", compression=name)
    for name, options in {
        "ome": {"ome": True},
        "imagej": {"imagej": True},
        "big": {"bigtiff": True},
        "swapped": {"byteorder": ">"},
        "tiled": {"tile": (16, 16)},
        "strips": {"rowsperstrip": 3},
        "packed": {"compression": "zlib", "predictor": True},
        "packed-tiles": {"compression": "zlib", "tile": (16, 16)},
        "white": {"compression": "zlib", "photometric": "miniswhite"},
    }.items():
        tifffile.imwrite(images / f"{name}.tif", deep, **options)
    tifffile.imwrite(images / "planes.tif", np.moveaxis(colour, 2, 0))
    _stacks(images, grey)
    mask = np.zeros((60, 50), np.int32)
    mask[10:20, 10:20], mask[30:40, 10:30] = 1, 2
    Image.fromarray(np.uint8(255 * (mask > 0))).save(masks / "binary.png")
    Image.fromarray(np.uint8(255 * (mask > 0))).save(masks / "binary.tif")
    write_bytes(masks / "labels.tif", label_bytes(mask))
    tifffile.imwrite(masks / "floats.tif", mask.astype(np.float32))
    tifffile.imwrite(masks / "wide.tif", mask.astype(np.int64), compression="zlib")
    soft = Image.fromarray(np.uint8(255 * (mask > 0))).resize((10, 12))
    soft.resize((50, 60), Image.Resampling.BICUBIC).save(masks / "soft.png")
    indexed = Image.fromarray(np.uint8(mask))
    indexed.putpalette(list(range(255, -1, -1)) * 3)
    for suffix in ("png", "bmp", "tif"):
        indexed.save(masks / f"indexed.{suffix}")
    colours = np.stack([mask * 0, mask, mask * 90], axis=2).astype(np.uint8)
    Image.fromarray(colours).save(masks / "colours.png")
    alpha = Image.new("RGBA", (50, 60))
    alpha.putalpha(Image.fromarray(np.uint8(255 * (mask > 0))))
    alpha.save(masks / "alpha.png")
    inner = scipy.ndimage.binary_erosion(mask > 0, iterations=2)
    for name, pixels in {
        "boundary": (mask > 0) + 1 * inner,
        "lines": 255 * ((mask > 0) & ~inner),
        "far": np.where(mask, np.arange(50) // 2 % 2 + 254, 0),
        "large": np.kron(np.asarray(soft), np.ones((5, 5))),
    }.items():
        Image.fromarray(pixels.astype(np.uint8)).save(masks / f"{name}.png")


def _stacks(images: Path, grey: np.ndarray) -> None:
    """Write stacks, channels and colours of 16 bits, packed and not."""
    three = np.stack([grey, grey // 2, grey // 3])
    for name, how in {
        "z": {"imagej": True},
        "packed-z": {"compression": "zlib"},
    }.items():
        told = {"metadata": {"axes": "ZYX"}, "photometric": "minisblack"}
        tifffile.imwrite(images / f"{name}.tif", three, **how, **told)
    names = {"axes": "CYX", "Channel": {"Name": ["FITC", "DAPI", "TRITC"]}}
    told = {"metadata": names, "photometric": "minisblack"}
    tifffile.imwrite(images / "channels.tif", three, ome=True, **told)
    wide = np.moveaxis(three, 0, 2).astype(np.uint16) * 257
    told = {"compression": "zlib", "photometric": "rgb"}
    tifffile.imwrite(images / "wide-colour.tif", wide, **told)


def _containers(out: Path) -> None:
    """Write images of OME-Zarr: by hand and, where it is installed, by its package."""
    grey = tifffile.imread("task2/train/00001_p0.tif")[:60, :50].astype(np.uint16)
    mask = np.zeros((60, 50), np.uint16)
    mask[10:20, 10:20], mask[30:40, 10:30] = 1, 2
    channels = ({"label": "FITC", "color": "00FF00"}, {"label": "DAPI"})
    for version in (2, 3):
        for packed in (False, True):
            path = out / f"{version}-{packed}.zarr"
            how = {"packed": packed, "channels": channels}
            write_zarr(path, np.stack([grey, grey // 2]), "cyx", version, **how)
            write_labels(path, "nuclei", mask, version)
    if find_spec("zarr") is not None:
        _by_the_package(out, grey)


def _by_the_package(out: Path, grey: np.ndarray) -> None:
    import zarr

    codecs = zarr.codecs
    for name, packing, shards in (
        ("blosc", codecs.BloscCodec(), None),
        ("zstd", codecs.ZstdCodec(), None),
        ("shards", [codecs.ZstdCodec(), codecs.Crc32cCodec()], (64, 64)),
    ):
        path = write_zarr(out / f"{name}.zarr", grey, version=3)
        shutil.rmtree(path / "0")
        told = {"shape": grey.shape, "dtype": grey.dtype, "chunks": (16, 16)}
        written = zarr.create_array(
            path / "0", shards=shards, compressors=packing, **told
        )
        written[:] = grey


def _run(out: Path) -> None:
    changes = {"epochs": "2", "vote_epochs": "1", "batch_size": "16"}
    changes |= {"protocol": "group-k", "folds": "2"}
    config = configure("lenet", "cells", device="cpu", workers=1, changes=changes)
    run = start_run(out, config)
    list(execute(run))
    rescore(run)
    (out / "lock").write_text(json.dumps({"pid": 2**22 + 1, "started": 1.5}))
    (out / "trainer.log").write_text("a warning\nits last words\n")
    _without_clock(run)


def _without_clock(run: RunFolder) -> None:
    path = run.path / EVENTS
    lines = []
    for k, event in enumerate(run.events()):
        event["time"] = f"2026-01-02T00:00:{k % 60:02d}.000+00:00"
        event = {key: 1.5 if "seconds" in key else v for key, v in event.items()}
        lines.append(json.dumps(event))
    path.write_text("\n".join(lines) + "\n")
    for history in run.path.glob("folds/*/history.json"):
        records = json.loads(history.read_text())
        history.write_text(json.dumps([{**one, "seconds": 1.5} for one in records]))
    about = run.description() | {"machine": "x86_64, 2 cores"}
    (run.path / "config.yaml").write_text(yaml.safe_dump(about, sort_keys=False))


def _reports(out: Path) -> None:
    request = ReportRequest(Path("task2"), MODEL, out, ("1",), Path("cells"))
    plan, _ = plan_reports(request)
    plan = replace(plan, clock=_clock)
    finish_worklist(plan, list(report_specimens(plan)))


def _model(path: Path, cells: CellSet) -> None:
    fitted = fit_model("small", cells, NETWORK, path, device="cpu", nucleus_share=0.7)
    list(fitted)
    model = load_model(path, "cpu")
    index = build_index(model, path, cells, np.random.default_rng(0))
    write_index(index_path(path), index)
    card = json.loads(path.with_suffix(".json").read_text())
    card["verdict"] = json.loads(Path("run/verdict.json").read_text())
    # A card that names no weights: changed ones are then read, not refused at once.
    card |= {"format": 2, "weights_sha256": None}
    path.with_suffix(".json").write_text(json.dumps(card, indent=1))
    export_onnx(model, path)


def _checkpoint(out: Path, cells: CellSet) -> None:
    out.mkdir()
    save_checkpoint(out, begin(NETWORK, len(cells.vocabulary), 0))
    save_checkpoint(out, begin(NETWORK, len(cells.vocabulary), 1))
    state = begin(NETWORK, len(cells.vocabulary), 1)
    state.votes = [np.zeros((4, len(cells.vocabulary)), np.float32)]
    state.network.requires_grad_(False)
    weights = state.network.state_dict()
    state.voters = [{name: tensor.clone() for name, tensor in weights.items()}]
    save_checkpoint(out, state)


def _sheets(out: Path) -> None:
    out.mkdir()
    cells = Path("cells")
    review = review_of_folder(cells, read_cell_folder(cells))
    for suffix in ("png", "pdf"):
        shown = _last(shown_steps(review, Choice("all"), "cell", "Ann", None))
        _last(sheet_steps(out / f"sheet.{suffix}", shown, SheetSettings(), _clock))


def _last(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _typed(out: Path) -> None:
    """Write settings as they are typed behind --set."""
    out.mkdir()
    typed = {"epochs": "3", "learning_rate": "0.1", "protocol": "group-k", "seed": "7"}
    more = {"augmentation": "d4", "mixup": "0.2", "weight_average": "0.9"}
    for name, given in {
        "set-1": typed,
        "modern": typed | more,
        "shape-index": {"scales": "1,2,4", "folds": "3"},
        "stack": {"runs": "run", "folds": "2"},
    }.items():
        text = json.dumps({"experiment": name, "set": given})
        (out / f"{name}.json").write_text(text)
