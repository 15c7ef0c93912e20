"""The seal of a user: the same in each of their processes, and of nobody else."""

import sys

import pytest

from training.storage import seals


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Return a function that becomes a user, in a process that has just begun."""

    def become(name):
        monkeypatch.setattr(
            seals.platformdirs, "user_state_path", lambda _: tmp_path / name
        )
        seals._key.cache_clear()

    return become


def test_a_seal_is_known_later_and_is_of_its_words_and_its_user_alone(user):
    user("ada")
    seal = seals.seal_of("these words")
    user("ada")
    assert seals.is_sealed("these words", seal)
    assert not seals.is_sealed("those words", seal)
    assert not any(
        seals.is_sealed("these words", found) for found in (None, "", "é", 3)
    )
    user("bob")
    assert not seals.is_sealed("these words", seal)


@pytest.mark.skipif(sys.platform == "win32", reason="no modes")
def test_the_secret_is_for_its_user_alone_and_leaves_nothing_beside_it(user, tmp_path):
    user("ada")
    seals.seal_of("words")
    (kept,) = (tmp_path / "ada").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"too short"])
def test_a_secret_that_cannot_be_used_lasts_as_long_as_the_process(
    user, tmp_path, content
):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "seal.key").write_bytes(content)
    user("ada")
    seal = seals.seal_of("words")
    assert seals.is_sealed("words", seal)
    user("ada")
    assert not seals.is_sealed("words", seal)


def test_where_nothing_can_be_kept_words_are_sealed_all_the_same(user, tmp_path):
    (tmp_path / "ada").write_text("a file where the folder would be")
    user("ada")
    assert seals.is_sealed("words", seals.seal_of("words"))
