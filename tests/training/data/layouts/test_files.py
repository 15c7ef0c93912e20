"""The files of one folder, told apart by name."""

from pathlib import Path

import pytest

from training.data.layouts.files import Listing


@pytest.mark.parametrize("beside", [True, False])
def test_each_mask_is_found_without_going_through_all_frames_again(monkeypatch, beside):
    """With fifty thousand crops, once for each of them would take hours."""
    count, asked = 300, []
    folder = Path("cells")
    place = folder if beside else folder / "masks"
    listing = Listing(folder, {f"{k}": folder / f"{k}.png" for k in range(count)})
    listing.masks["299"] = [place / "299_mask.png"]
    masks_of = Listing.masks_of
    monkeypatch.setattr(
        Listing, "masks_of", lambda one, stem: asked.append(stem) or masks_of(one, stem)
    )
    found = [listing.mask_of(stem) for stem in listing.images]
    assert found[7] == place / "7_mask.png", "the one that should be there"
    assert found[-1] == place / "299_mask.png"
    assert len(asked) <= 4 * count
