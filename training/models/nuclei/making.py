"""From a folder of fields to the file of a fitted network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from training.config import NucleusFitSettings
from training.data.masks.matching import Matching, joined, match_nuclei
from training.data.masks.network_maps import (
    Maps,
    look,
    mean_mitosis,
    read_faintly,
    shown_at,
)
from training.data.masks.nucleus_network import NucleusNetwork, limits
from training.data.masks.readout import ReadOut
from training.errors import BadLayoutError, StorageError
from training.models.nuclei.fields import (
    Field,
    Part,
    lessons,
    read_fields,
    simulated_fields,
    without_debris,
)
from training.models.nuclei.fitting import NucleusStep, fit_network
from training.storage.writing import write_bytes, write_text

_NUCLEUS = (0.4, 0.5, 0.55, 0.6)
_CORE = (0.3, 0.4, 0.5, 0.6)
_MITOSIS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_OVERLAP = 0.7
_LEAST_DIAMETER = 18.0
_TO_VALIDATE = 12
"""Simulated fields to learn from for one to validate on."""

_SPECK = 0.1
_SUFFIX = ".safetensors"


def fit_nuclei(
    folder: Path, out: Path, settings: NucleusFitSettings, origin: str, command: str
) -> Iterator[NucleusStep]:
    """Fit the network that finds nuclei and write it with its card, one step at a time.

    Parameters
    ----------
    folder
        Fields with labels, see `read_fields`.
    out
        NAME.safetensors; the card is NAME.json beside it.
    origin
        Where the fields come from and their licence, for the card.
    command
        The command line, for the card.

    Raises
    ------
    StorageError
        If `out` has another ending or cannot be written.
    BadLayoutError
        If the folder holds too few fields to part them.
    """
    if out.suffix != _SUFFIX:
        raise StorageError(out, f"it does not end in {_SUFFIX}", "name it so")
    return _fit(folder, out, settings, origin, command)


def _fit(
    folder: Path, out: Path, settings: NucleusFitSettings, origin: str, command: str
) -> Iterator[NucleusStep]:
    parts = read_fields(folder)
    if not parts["training"] or not parts["validation"]:
        raise BadLayoutError(
            folder, "it holds too few fields to part them", "add more fields"
        )
    given = lessons(parts["training"])
    drawn = list(simulated_fields("training", settings.simulated, settings.seed))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = NucleusNetwork()
    yield from fit_network(network, given, lessons(drawn), settings)
    _write(network, parts, out, settings, {"origin": origin, "command": command})


def _write(
    network: NucleusNetwork,
    parts: dict[Part, list[Field]],
    out: Path,
    settings: NucleusFitSettings,
    source: dict[str, str],
) -> None:
    """Choose the read-out, and write the weights and the card."""
    validation = [f for f in parts["validation"] if f.diameter >= _LEAST_DIAMETER]
    validation += simulated_fields(
        "validation", settings.simulated // _TO_VALIDATE, settings.seed
    )
    how, figures = choose_read_out(network, validation)
    card = {
        "what": "network that finds nuclei in fluorescence frames",
        **source,
        "settings": settings.model_dump(mode="json"),
        "fields": {part: len(fields) for part, fields in parts.items()},
        "fingerprint": _fingerprint(parts["training"] + parts["validation"]),
        "weights": sum(p.numel() for p in network.parameters()),
        "read_out": vars(how),
        "validation": {"fields": len(validation), **figures},
        "torch": torch.__version__,
    }
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_bytes(out, save(weights, {"read_out": json.dumps(vars(how))}))
    write_text(out.with_suffix(".json"), json.dumps(card, indent=2) + "\n")


def choose_read_out(
    network: NucleusNetwork, fields: list[Field]
) -> tuple[ReadOut, dict[str, float]]:
    """Return the thresholds by which most nuclei and mitoses of some fields are found.

    Returns
    -------
    how
        The thresholds.
    figures
        ``f1_at_0.7`` of the nuclei of all fields together, and ``f1_of_mitoses`` of
        those nuclei that are found and known to be mitotic or not.
    """
    said = []
    for field in fields:
        signal = np.sqrt(field.image.astype(np.float32))
        said.append(look(network, signal, field.diameter, limits(signal)))
    found = {}
    for thresholds in product(_NUCLEUS, _CORE):
        how = ReadOut(*thresholds)
        matchings = [
            _matching(field, maps, how)
            for field, maps in zip(fields, said, strict=True)
        ]
        found[how] = joined(matchings).f1(_OVERLAP)
    best = max(found, key=lambda how: found[how])
    mitosis, f1 = _choose_mitosis(fields, said, best)
    figures = {f"f1_at_{_OVERLAP}": found[best], "f1_of_mitoses": f1}
    return (
        replace(best, mitosis=mitosis),
        {name: round(value, 4) for name, value in figures.items()},
    )


def _matching(field: Field, maps: Maps, how: ReadOut) -> Matching:
    labels = shown_at(field.image.shape, read_faintly(maps, how), maps, how)
    areas = np.bincount(labels.ravel())
    specks = areas < _SPECK * np.pi / 4 * field.diameter**2
    labels[specks[labels]] = 0
    return match_nuclei(without_debris(labels, field), field.nuclei)


def _choose_mitosis(
    fields: list[Field], said: list[Maps], how: ReadOut
) -> tuple[float, float]:
    """Return the probability from which most are rightly told mitotic, and its F1."""
    chances: list[float] = []
    truth: list[bool] = []
    for field, maps in zip(fields, said, strict=True):
        if field.mitotic is None:
            continue
        matching = _matching(field, maps, how)
        faint = read_faintly(maps, how)
        sure = np.where(maps.nucleus >= how.nucleus, faint, 0)
        means = mean_mitosis(sure, maps, int(faint.max(initial=0)))
        chances += means[matching.pairs[:, 0] - 1].tolist()
        truth += [label in field.mitotic for label in matching.pairs[:, 1].tolist()]
    chance, mitotic = np.array(chances), np.array(truth, bool)
    if not mitotic.any():
        return how.mitosis, 0.0
    scores = [
        2
        * (mitotic & (chance >= limit)).sum()
        / (mitotic.sum() + (chance >= limit).sum())
        for limit in _MITOSIS
    ]
    best = int(np.argmax(scores))
    return _MITOSIS[best], float(scores[best])


def _fingerprint(fields: list[Field]) -> str:
    """Return a hash of the pixels and labels that the fit has seen."""
    digest = hashlib.blake2b(digest_size=12)
    for field in fields:
        digest.update(field.image.tobytes() + field.labels.tobytes())
    return digest.hexdigest()
