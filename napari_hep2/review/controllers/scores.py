"""Scores of the cells under review: of the open frame's prediction, or of them all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_hep2.review.state import ReviewState
from napari_hep2.state import SessionState
from training.curation.review_set import frame_ids
from training.patterns import Vocabulary

Scores = npt.NDArray[np.float32]


def scores_of(session: SessionState, state: ReviewState) -> Scores | None:
    """Return (N, K) scores of the cells under review, nan where there is none.

    Those of the open frame's prediction stand before those of all cells.
    """
    review, prediction, cells = session.review, session.prediction, session.cells
    known = state.scores
    if review is None or (prediction is None and known is None):
        return None
    if known is not None and len(known.values) == len(review):
        out = known.values.copy()
    else:
        out = np.full((len(review), len(review.vocabulary)), np.nan, np.float32)
    if prediction is None or cells is None:
        return out
    labels = cells.cells.table["label"].to_numpy()[prediction.rows]
    ids = frame_ids(review, cells.frame.name, labels.tolist())
    found = translated(prediction.scores, prediction.vocabulary, review.vocabulary)
    for cell, scores in zip(ids, found, strict=True):
        row = review.row_of.get(cell)
        if row is not None:
            out[row] = scores
    return out


def translated(scores: Scores, theirs: Vocabulary, ours: Vocabulary) -> Scores:
    """Return (N, K) scores in the order of another vocabulary.

    A cell that the model calls by a pattern which is not in it has none, all nan: the
    best of the others is not what the model says.
    """
    columns = [theirs.find(pattern.name) for pattern in ours]
    known = [k for k, column in enumerate(columns) if column is not None]
    taken = [column for column in columns if column is not None]
    out = np.zeros((len(scores), len(ours)), np.float32)
    out[:, known] = scores[:, taken]
    if len(scores):
        out[~np.isin(scores.argmax(axis=1), taken)] = np.nan
    return out


def leading_two(scores: Scores) -> npt.NDArray[np.int64]:
    """Return (N, 2) int64, the two patterns of highest score, -1 where not scored."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    return np.where(np.isnan(scores[:, :1]), -1, best)
