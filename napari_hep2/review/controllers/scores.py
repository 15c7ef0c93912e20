"""Scores of the cells under review, from the prediction of the open frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_hep2.state import SessionState
from training.curation.review_set import frame_ids


def scores_of(session: SessionState) -> npt.NDArray[np.float32] | None:
    """Return (N, K) scores of the cells under review, nan where there is none.

    A cell that the model calls by a pattern which these cells do not know has none:
    the best of the others is not what the model says.
    """
    review, prediction, cells = session.review, session.prediction, session.cells
    if review is None or prediction is None or cells is None:
        return None
    columns = [prediction.vocabulary.find(p.name) for p in review.vocabulary]
    known = [k for k, column in enumerate(columns) if column is not None]
    taken = [column for column in columns if column is not None]
    out = np.full((len(review), len(columns)), np.nan, np.float32)
    labels = cells.cells.table["label"].to_numpy()[prediction.rows]
    ids = frame_ids(review, cells.frame.name, labels.tolist())
    for cell, scores in zip(ids, prediction.scores, strict=True):
        row = review.row_of.get(cell)
        if row is not None and int(scores.argmax()) in taken:
            out[row] = 0
            out[row, known] = scores[taken]
    return out
