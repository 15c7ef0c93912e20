"""A fit of seconds: the loss falls, and the file that it writes can be used."""

import json

import numpy as np
import pytest
import torch

from training.config import NucleusFitSettings, SegmentationSettings
from training.data.masks.network_segmentation import NetworkFrame, load_fitted
from training.errors import BadLayoutError, StorageError
from training.models.nuclei.fitting import loss_of
from training.models.nuclei.making import fit_nuclei
from training.steps import drain

QUICK = NucleusFitSettings(
    steps=3,
    mitosis_steps=1,
    batch=2,
    crop=64,
    simulated=0,
    half_precision=False,
    learning_rate=0.01,
)


def _fit(folder, out):
    return list(fit_nuclei(folder, out, QUICK, "drawn", "fit-nuclei FIELDS"))


def test_a_fit_writes_weights_and_a_card(tmp_path, write_fields):
    fields, out = tmp_path / "fields", tmp_path / "n.safetensors"
    fields.mkdir()
    write_fields(fields, 12)
    steps = _fit(fields, out)
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert all(np.isfinite(step.loss) for step in steps)
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["origin"] == "drawn"
    assert card["command"] == "fit-nuclei FIELDS"
    assert card["settings"]["seed"] == 0
    assert sum(card["fields"].values()) == 12
    assert out.stat().st_size < 2_000_000
    fitted = load_fitted(out)
    assert vars(fitted.how) == card["read_out"]
    image = np.full((70, 90), 30, np.uint8)
    everywhere = slice(0, 70), slice(0, 90)
    seen = NetworkFrame(image, fitted=fitted)
    for piece in drain(seen.find(everywhere, 20, SegmentationSettings())):
        assert piece.mask.shape == image[piece.box].shape
    first = out.read_bytes()
    assert _fit(fields, out) == steps
    assert out.read_bytes() == first


def test_too_few_fields_and_another_ending_are_refused(tmp_path, write_fields):
    with pytest.raises(StorageError, match="end in"):
        fit_nuclei(tmp_path, tmp_path / "n.pt", QUICK, "", "")
    write_fields(tmp_path, 1)
    with pytest.raises(BadLayoutError, match="too few fields"):
        _fit(tmp_path, tmp_path / "n.safetensors")


def test_the_right_answer_has_the_least_loss():
    nucleus = torch.zeros(1, 32, 32)
    nucleus[0, 8:24, 8:24] = 1
    truth = torch.stack([nucleus, nucleus, nucleus, 1 + 0 * nucleus, nucleus], 1)
    right = (20 * truth[:, :3] - 10).requires_grad_()
    assert loss_of(right, truth, 1.0) < 0.01
    for wrong in range(3):
        logits = right.detach().clone()
        logits[:, wrong] *= -1
        assert loss_of(logits, truth, 1.0) > 0.05
    unknown = truth.clone()
    unknown[:, 4] = 0
    logits = right.detach().clone()
    logits[:, 2] *= -1
    assert loss_of(logits, unknown, 1.0) < 0.01
