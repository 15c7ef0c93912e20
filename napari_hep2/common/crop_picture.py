"""Picture of a crop, stretched for the eye."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap

from training.curation.crop_measures import stretched


def crop_pixmap(
    crop: npt.NDArray[Any], side: int, limits: tuple[float, float] | None = None
) -> QPixmap:
    """Return a stretched crop as a picture of `side` pixels."""
    grey = np.ascontiguousarray(stretched(crop, limits))
    height, width = grey.shape
    image = QImage(
        grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8
    )
    return QPixmap.fromImage(
        image.scaled(
            side,
            side,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    )
