"""Dictionary, locality-constrained linear coding (LLC), and pooling.

Wang et al., CVPR 2010, doi 10.1109/CVPR.2010.5540018: the approximated coding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

RIDGE = 1e-4
"""Added to the diagonal of a local covariance, as a multiple of its trace."""
MINI_BATCH = 4096
CHUNK = 8192
"""Patches that are coded at once."""


def fit_dictionary(patches: npt.NDArray[np.float32], words: int, seed: int) -> Tensor:
    """Return the centres of mini-batch k-means, (words, D) float32.

    Parameters
    ----------
    patches : (m, D) float32
        Of training cells alone. There are no more words than patches.
    words
        Centres asked for.
    seed
        Of the first centres and of the batches.
    """
    means = MiniBatchKMeans(
        min(words, len(patches)),
        batch_size=MINI_BATCH,
        n_init=1,
        random_state=seed,
    )
    return torch.from_numpy(means.fit(patches).cluster_centers_.astype(np.float32))


def encode(patches: Tensor, words: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """Write each patch as an affine combination of its nearest words.

    The codes w of a patch x minimise |x - sum w_i b_i|^2 + ridge |w|^2 among those of
    sum 1, with ridge 1e-4 times the trace of the words' scatter around x.

    Parameters
    ----------
    patches : (P, D) float32
    words : (W, D) float32
    neighbours
        Words that code a patch; all, if there are fewer.

    Returns
    -------
    nearest : (P, k) int64
        Which words; in no order.
    codes : (P, k) float32
        Rows sum to 1; codes may be negative.
    """
    products = words @ words.T
    halves = products.diagonal() / 2
    parts = [
        _encode(chunk, words, products, halves, min(neighbours, len(words)))
        for chunk in torch.split(patches, CHUNK)
    ]
    nearest, codes = zip(*parts, strict=True)
    return torch.cat(nearest), torch.cat(codes)


def _encode(
    patches: Tensor, words: Tensor, products: Tensor, halves: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    along = patches @ words.T
    nearest = (along - halves).topk(count, dim=1, sorted=False).indices
    near = along.gather(1, nearest)
    scatter = products[nearest[:, :, None], nearest[:, None, :]]
    scatter -= near[:, :, None]
    scatter -= near[:, None, :]
    scatter += patches.square().sum(dim=1)[:, None, None]
    diagonal = scatter.diagonal(dim1=1, dim2=2)
    trace = diagonal.sum(dim=1, keepdim=True).clamp(min=1e-6)
    diagonal += RIDGE * trace
    codes = torch.linalg.solve(scatter, torch.ones(len(patches), count))
    return nearest, codes / codes.sum(dim=1, keepdim=True)


def pool(
    nearest: Tensor, codes: Tensor, slots: Tensor, cells: int, words: int
) -> Tensor:
    """Keep the largest code of each word over the parts of each cell.

    Parameters
    ----------
    nearest : (P, k) int64
    codes : (P, k) float32
    slots : (P,) int64
        Twice the number of the patch's cell, plus 1 if it lies in the border region.
    cells, words
        How many there are.

    Returns
    -------
    pooled : (cells, 3 * words) float32
        Whole cell, inner region, border region; a word that no patch of a region uses,
        or only with negative codes, has 0. The whole has l2 norm 1.
    """
    flat = torch.zeros(cells * 2 * words)
    where = (slots[:, None] * words + nearest).flatten()
    flat.scatter_reduce_(0, where, codes.flatten(), "amax")
    parts = flat.reshape(cells, 2, words)
    whole = parts.amax(dim=1, keepdim=True)
    pooled = torch.cat([whole, parts], dim=1).flatten(1)
    return torch.nn.functional.normalize(pooled, dim=1)
