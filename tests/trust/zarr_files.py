"""OME-Zarr written by hand: metadata as JSON, chunks as plain or deflated bytes."""

from __future__ import annotations

import itertools
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

MICROMETRES = {"y": 0.325, "x": 0.325}


def write_zarr(
    folder: Path,
    pixels: Any,
    axes: str = "yx",
    version: int = 2,
    *,
    chunk: int = 32,
    unit: str = "micrometer",
    channels: tuple[dict[str, Any], ...] = (),
    packed: bool = False,
) -> Path:
    """Write an image of one level.

    Parameters
    ----------
    pixels : (..., H, W)
    axes
        A letter an axis.
    version
        Of Zarr: 2 makes OME-Zarr 0.4, 3 makes 0.5.
    chunk
        Side of the chunks along each axis.
    packed
        Whether chunks are deflated (by zlib, or gzip in version 3).
    """
    ome = {"multiscales": [_multiscale(axes, unit)]}
    if channels:
        ome["omero"] = {"channels": list(channels)}
    write_group(folder, ome, version)
    write_array(folder / "0", np.asarray(pixels), version, chunk, packed)
    return folder


def write_labels(image: Path, name: str, labels: Any, version: int = 2) -> Path:
    """Add a label image to an image; returns its folder."""
    known = [one.name for one in (image / "labels").glob("*") if one.is_dir()]
    write_group(image / "labels", {"labels": [*known, name]}, version)
    axes = "zyx"[-np.ndim(labels) :]
    return write_zarr(image / "labels" / name, labels, axes, version)


def write_group(folder: Path, ome: dict[str, Any], version: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if version == 2:
        _write(folder / ".zgroup", {"zarr_format": 2})
        _write(folder / ".zattrs", ome)
    else:
        about = {"version": "0.5", **ome}
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": about}}
        _write(folder / "zarr.json", group)


def write_array(
    folder: Path, pixels: np.ndarray, version: int, chunk: int, packed: bool
) -> None:
    chunks = tuple(min(chunk, length) for length in pixels.shape)
    folder.mkdir(exist_ok=True)
    if version == 2:
        _write(folder / ".zarray", _about_2(pixels, chunks, packed))
    else:
        _write(folder / "zarr.json", _about_3(pixels, chunks, packed))
    form = 31 if version == 3 else 15
    grid = [range(-(-a // b)) for a, b in zip(pixels.shape, chunks, strict=True)]
    for place in itertools.product(*grid):
        part = np.zeros(chunks, pixels.dtype)
        corner = zip(place, chunks, strict=True)
        inside = tuple(slice(k * n, k * n + n) for k, n in corner)
        found = pixels[inside]
        part[tuple(slice(length) for length in found.shape)] = found
        content = part.tobytes()
        if packed:
            packer = zlib.compressobj(wbits=form)
            content = packer.compress(content) + packer.flush()
        path = folder.joinpath(*["c"] * (version == 3), *map(str, place))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def change(file: Path, **more: Any) -> None:
    """Change what a file of metadata says."""
    _write(file, json.loads(file.read_text()) | more)


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content))


def _multiscale(axes: str, unit: str) -> dict[str, Any]:
    kinds = {"c": "channel", "t": "time"}
    named = [{"name": a, "type": kinds.get(a, "space")} for a in axes]
    for one in named:
        if one["type"] == "space" and unit:
            one["unit"] = unit
    scale = [MICROMETRES.get(axis, 1.0) for axis in axes]
    levels = [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    ]
    return {"version": "0.4", "axes": named, "datasets": levels}


def _about_2(pixels: np.ndarray, chunks: Any, packed: bool) -> dict[str, Any]:
    return {
        "zarr_format": 2,
        "shape": list(pixels.shape),
        "chunks": list(chunks),
        "dtype": pixels.dtype.str,
        "compressor": {"id": "zlib", "level": 1} if packed else None,
        "filters": None,
        "fill_value": 0,
        "order": "C",
        "dimension_separator": "/",
    }


def _about_3(pixels: np.ndarray, chunks: Any, packed: bool) -> dict[str, Any]:
    gzip = {"name": "gzip", "configuration": {"level": 1}}
    grid = {"name": "regular", "configuration": {"chunk_shape": list(chunks)}}
    names = {"name": "default", "configuration": {"separator": "/"}}
    plain = {"name": "bytes", "configuration": {"endian": "little"}}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(pixels.shape),
        "data_type": pixels.dtype.name,
        "chunk_grid": grid,
        "chunk_key_encoding": names,
        "fill_value": 0,
        "codecs": [plain, gzip] if packed else [plain],
        "attributes": {},
        "storage_transformers": [],
    }
