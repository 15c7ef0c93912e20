"""Outlines of nuclei as GeoJSON, as QuPath exports its objects.

A document is a ``FeatureCollection``, a list of features or one feature. Coordinates
are pixels of the frame at its full size.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.masks.outlines import (
    MAX_BYTES,
    Outline,
    Ring,
    as_ring,
    check_amount,
    too_large,
)
from training.errors import BadMaskError
from training.storage.reading import read_json

_NUCLEI = frozenset({"cell", "detection"})


@dataclass(frozen=True)
class GeojsonOutlines:
    """The nuclei of a GeoJSON file, and what of it was left out, in words."""

    outlines: list[Outline]
    note: str


def read_geojson(path: Path) -> GeojsonOutlines:
    """Read the outlines of nuclei from GeoJSON.

    Of a cell the outline of its nucleus is taken. Where QuPath's detections or cells
    are among the objects, its annotations and tiles are left out: they are regions in
    which nuclei were sought.

    Raises
    ------
    BadMaskError
        If the file is missing, too large or no GeoJSON, or an object has no area or is
        a cell without its nucleus.
    """
    if not path.is_file():
        raise BadMaskError(path, "the outlines are missing", "put the file back")
    if path.stat().st_size > MAX_BYTES:
        raise too_large(path)
    try:
        features = _features(read_json(path))
        kinds = [_kind(feature) for feature in features]
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as fault:
        raise BadMaskError(
            path, "it is no GeoJSON with features", "export it from QuPath again"
        ) from fault
    has_nuclei = any(kind in _NUCLEI for kind in kinds)
    outlines, left_out = [], Counter[str]()
    for number, (feature, kind) in enumerate(zip(features, kinds, strict=True), 1):
        if has_nuclei and kind not in _NUCLEI:
            left_out[kind or "other object"] += 1
        else:
            outlines.append(_outline(path, number, feature, kind))
    check_amount(path, outlines)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
    note = f"{path.name}: left out, as no nuclei: {counted}" if counted else ""
    return GeojsonOutlines(outlines, note)


def _features(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, dict):
        is_one = content["type"] == "Feature"
        content = [content] if is_one else content["features"]
    if not isinstance(content, list):
        raise TypeError("features are a list")
    return content


def _kind(feature: dict[str, Any]) -> str:
    """Return what QuPath calls an object, in lower case, or ''.

    Before version 0.3 it stood in its id, as in ``PathDetectionObject``.
    """
    told = feature.get("properties") or {}
    kind = told.get("objectType") or told.get("object_type") or ""
    name = feature.get("id")
    if not kind and isinstance(name, str) and name.startswith("Path"):
        kind = name.removeprefix("Path").removesuffix("Object")
    return str(kind)[:40].lower()


def _outline(path: Path, number: int, feature: dict[str, Any], kind: str) -> Outline:
    geometry = feature.get("geometry")
    if kind == "cell":
        told = feature.get("properties") or {}
        geometry = feature.get("nucleusGeometry") or told.get("nucleusGeometry")
        if geometry is None:
            raise BadMaskError(
                path,
                f"the cell {number} has no outline of its nucleus",
                "detect cells with their nuclei, or export the nuclei as detections",
            )
    try:
        rings = _rings(path, str(number), geometry)
    except (ValueError, TypeError, LookupError, AttributeError) as fault:
        raise BadMaskError(
            path, f"the object {number} is no polygon", "take it out"
        ) from fault
    return Outline(str(number), rings)


def _rings(path: Path, name: str, geometry: Any) -> tuple[Ring, ...]:
    polygons = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        polygons = [polygons]
    elif geometry["type"] != "MultiPolygon":
        raise ValueError(f"a {geometry['type']} has no area")
    rings = tuple(as_ring(path, name, ring) for one in polygons for ring in one)
    if not rings:
        raise ValueError("it has no ring")
    return rings
