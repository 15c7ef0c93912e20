"""Whether outlines of a file are those of the nuclei of a frame, in its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.masks.outlines import Outline
from training.errors import BadMaskError

_REGION = 4.0
"""Times the usual box of an outline, in which at least two others lie: a region."""

_MOST_REGIONS = 100
_SLACK = 1.0
"""Pixels by which an outline may reach out of the region that it is in."""

_CORNER = 0.6
"""Share of the frame, along both sides, in which all outlines seldom lie by chance."""

_FEWEST = 4
_WIDEST = 30.0
"""Micrometres; nuclei of HEp-2 are hardly wider, and in pixels most are."""

Boxes = npt.NDArray[np.float64]


def without_regions(
    path: Path, outlines: Sequence[Outline]
) -> tuple[list[Outline], str]:
    """Leave out outlines round several others, and say so: annotations of a region."""
    if len(outlines) < 3:
        return list(outlines), ""
    boxes = _boxes(outlines)
    sizes = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    largest = np.argsort(-sizes)[:_MOST_REGIONS]
    found = {
        int(row)
        for row in largest[sizes[largest] >= _REGION * np.median(sizes)]
        if _within(boxes, boxes[row]).sum() > 2
    }
    kept = [one for row, one in enumerate(outlines) if row not in found]
    names = ", ".join(outlines[row].name for row in sorted(found)[:5])
    note = f"{path.name}: left out, as they go round others: outline {names}"
    return kept, note if found else ""


def check_scale(
    path: Path,
    outlines: Sequence[Outline],
    shape: tuple[int, int],
    pixel_size: float | None = None,
) -> str:
    """Return a note where all outlines lie in a corner of the frame, or ''.

    Raises
    ------
    BadMaskError
        If they seem to be in micrometres: they lie in the corner that the frame would
        take then, or are as wide as nuclei are in micrometres.
    """
    if len(outlines) < _FEWEST:
        return ""
    boxes = _boxes(outlines)
    share = boxes[:, 2:].max(0) / shape
    if share.max() > _CORNER:
        return ""
    across = float(np.median(np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))))
    in_microns = pixel_size is not None and share.max() <= pixel_size
    if in_microns or across <= _WIDEST:
        raise BadMaskError(
            path,
            f"its outlines are {across:.1f} across and all lie in the upper left "
            f"{share.max():.0%} of the frame, as outlines in micrometres do",
            "export them in pixels of the frame",
        )
    return (
        f"all outlines lie in the upper left {share.max():.0%} of the frame: check "
        "that they are in its pixels"
    )


def _boxes(outlines: Sequence[Outline]) -> Boxes:
    """Return the boxes of outlines, (n, 4) float64: y0, x0, y1, x1."""
    corners = [np.concatenate(one.rings) for one in outlines]
    return np.array([np.concatenate([ring.min(0), ring.max(0)]) for ring in corners])


def _within(boxes: Boxes, region: Boxes) -> npt.NDArray[np.bool_]:
    """Return which boxes lie within one, itself among them, (n,) bool."""
    beyond = np.maximum(region[:2] - boxes[:, :2], boxes[:, 2:] - region[2:])
    inside: npt.NDArray[np.bool_] = beyond.max(axis=1) <= _SLACK
    return inside
