"""The network that comes with the program, on small simulated fields."""

import sys

import numpy as np
import pytest

from training.config import SegmentationSettings
from training.data.masks import network_segmentation
from training.data.masks.matching import match_nuclei
from training.data.masks.network_segmentation import WEIGHTS, load_fitted
from training.data.masks.segmentation import segment_frame
from training.data.simulation import draw_style, simulate_frame
from training.errors import BadModelError

AUTO = SegmentationSettings()


@pytest.fixture(scope="module")
def field():
    rng = np.random.default_rng(8)
    style = draw_style("Homogeneous", 0.0, rng)
    return simulate_frame(style, 34, (420, 460), 0.4, rng)


def _labels(field, *conditions):
    return [n.label for n in field.nuclei if n.condition in conditions]


def test_nuclei_are_found_and_mitoses_told(field):
    found = segment_frame(field.image, AUTO)
    debris = np.isin(field.labels, _labels(field, "debris"))
    true = np.where(debris, 0, field.labels)
    matching = match_nuclei(found.labels, true)
    assert matching.f1(0.5) > 0.9
    assert found.notes == ()
    assert len(found.confidence) == len(found.mitotic) == found.labels.max()
    assert np.median(found.confidence) > 0.8
    mitotic = [n for n in _labels(field, "mitotic") if n in matching.pairs[:, 1]]
    flagged = [t for f, t in matching.pairs.tolist() if found.mitotic[f - 1]]
    assert len(mitotic) > 1
    assert len(set(mitotic) & set(flagged)) >= 0.7 * len(mitotic)
    assert len(set(flagged) - set(mitotic)) <= 1


def test_tiles_give_what_the_whole_gives(field, monkeypatch):
    settings = SegmentationSettings(diameter=48)
    whole = segment_frame(field.image, settings)
    monkeypatch.setattr(network_segmentation, "_TILE", 150)
    tiled = segment_frame(field.image, settings)
    matching = match_nuclei(tiled.labels, whole.labels)
    assert matching.found == matching.true
    assert matching.f1(0.9) == 1


def test_scale_does_not_matter(field):
    large = np.repeat(np.repeat(field.image, 2, 0), 2, 1)
    found = segment_frame(large, AUTO).labels[::2, ::2]
    assert match_nuclei(found, segment_frame(field.image, AUTO).labels).f1(0.7) > 0.9


@pytest.mark.parametrize("settings", [{"sensitivity": 2.0}, {"split": False}])
def test_settings_count(field, settings):
    usual = segment_frame(field.image, SegmentationSettings(diameter=48))
    other = segment_frame(field.image, SegmentationSettings(diameter=48, **settings))
    assert (usual.labels != other.labels).any()
    if "sensitivity" in settings:
        assert (other.labels > 0).sum() > (usual.labels > 0).sum()
    else:
        assert other.labels.max() < usual.labels.max()


def test_without_torch_the_classical_way_is_taken_and_said(field, monkeypatch):
    monkeypatch.setitem(sys.modules, "training.data.masks.network_segmentation", None)
    found = segment_frame(field.image, AUTO)
    classical = segment_frame(field.image, SegmentationSettings(method="classical"))
    assert (found.labels == classical.labels).all()
    assert "torch cannot be loaded" in found.notes[0]
    assert classical.notes == ()
    assert np.isnan(found.confidence).all()


def test_the_file_is_small_and_another_is_refused(tmp_path):
    assert WEIGHTS.stat().st_size < 2_000_000
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(WEIGHTS.read_bytes()[:5000])
    with pytest.raises(BadModelError, match="network for nuclei"):
        load_fitted(bad)
