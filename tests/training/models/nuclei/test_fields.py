"""Fields are parted by what they show; lessons say what the network should answer."""

import numpy as np
import pytest

from training.errors import BadLayoutError
from training.models.nuclei.fields import (
    Field,
    distances,
    lessons,
    read_fields,
    simulated_fields,
    without_debris,
)


def test_rare_sizes_and_a_third_of_the_others_are_held_out(tmp_path, write_fields):
    write_fields(tmp_path, 48)
    write_fields(tmp_path, 3, (72, 80))
    parts = read_fields(tmp_path)
    names = {part: {f.name for f in fields} for part, fields in parts.items()}
    assert sum(map(len, names.values())) == 51
    assert len(set.union(*names.values())) == 51
    assert {n for n in names["held-out"] if n.startswith("72")} == {
        "72_0",
        "72_1",
        "72_2",
    }
    assert all(fields for fields in parts.values())
    (tmp_path / "64_0.png").rename(tmp_path / "a.png")
    (tmp_path / "64_0_labels.png").rename(tmp_path / "a_labels.png")
    again = read_fields(tmp_path)
    (part,) = (p for p in parts if "64_0" in names[p])
    assert "a" in {field.name for field in again[part]}


def test_a_folder_without_fields_is_named(tmp_path):
    with pytest.raises(BadLayoutError, match="is in it"):
        read_fields(tmp_path)


def test_distance_is_a_share_of_the_greatest_and_nil_between_two():
    labels = np.zeros((7, 12), np.int32)
    labels[1:6, 1:6] = 1
    labels[1:6, 6:11] = 2
    shares = distances(labels)
    assert shares[3, 3] == shares[3, 8] == 1
    assert shares[3, 5] == shares[3, 6] == pytest.approx(1 / 3)
    assert shares[0].max() == 0


def test_a_lesson_is_at_the_scale_of_the_network(discs):
    labels = discs((30, 20), (30, 50), radius=8)
    image = (labels > 0).astype(np.uint8) * 200
    known = Field("a", image, labels, frozenset({2}), frozenset())
    (lesson,) = lessons([known])
    light, nucleus, _, mitosis, _, weight = lesson.maps
    assert lesson.maps.shape[1:] == pytest.approx((128, 160), abs=4)
    assert light.max() == pytest.approx(200)
    assert nucleus.sum() == pytest.approx(2 * np.pi * 16**2, rel=0.03)
    assert mitosis.sum() == pytest.approx(nucleus.sum() / 2, rel=0.05)
    assert weight.sum() == pytest.approx(nucleus.sum())
    (unknown,) = lessons([Field("b", image, labels)])
    assert unknown.maps[5].max() == 0
    tiny = discs((30, 20), radius=5)
    assert lessons([Field("c", image, tiny)]) == []


def test_debris_counts_neither_way(discs):
    labels = discs((30, 20), (30, 50))
    field = Field("a", labels.astype(np.uint8), labels, debris=frozenset({2}))
    assert set(np.unique(field.nuclei)) == {0, 1}
    assert set(np.unique(without_debris(labels, field))) == {0, 1}


def test_simulated_parts_share_no_field_and_come_again():
    def one(part):
        (field,) = simulated_fields(part, 1, shape=(160, 160))
        return field

    first, other = one("training"), one("held-out")
    assert (first.image == one("training").image).all()
    assert (first.image != other.image).any()
    assert first.mitotic is not None
    assert first.labels.max() > 1
