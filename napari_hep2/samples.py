"""Simulated specimens and a small model that come with the plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.errors import BadLayoutError, Hep2Error

LayerData = tuple[Any, dict[str, Any], str]

SAMPLE_FRAME = "00004_p0"
"""The frame to begin with: its pattern is easy to see, and the model finds it."""

_HERE = Path(__file__).resolve().parent


class SampleDataError(Hep2Error):
    """The sample data are not where an installation puts them."""


def sample_folder() -> Path:
    """Return the folder of the sample data: of a wheel, or beside the packages.

    Raises
    ------
    SampleDataError
        If there is none.
    """
    for folder in (_HERE / "sample_data", _HERE.parent / "sample_data"):
        if (folder / "specimens").is_dir():
            return folder
    raise SampleDataError(
        "sample data",
        "they are missing from this installation",
        "install napari-hep2 again",
    )


def sample_specimens() -> Path:
    """Return the folder of simulated specimens."""
    return sample_folder() / "specimens"


def sample_model() -> Path | None:
    """Return the small model that was fitted on simulated cells, or None."""
    try:
        found = sorted((sample_folder() / "model").glob("*.safetensors"))
    except SampleDataError:
        return None
    return found[0] if found else None


def open_pattern(name: str) -> list[LayerData]:
    """Return the layers of the first simulated specimen of a pattern.

    Raises
    ------
    SampleDataError
        If the sample data are missing.
    BadLayoutError
        If no simulated specimen has the pattern.
    """
    from napari_hep2.reader import frame_layers
    from training.data.layouts import read_collection

    collection = read_collection(sample_specimens())
    for specimen in collection.specimens:
        if specimen.pattern == name:
            return frame_layers(specimen.frames[0], specimen.id, collection.root)
    raise BadLayoutError(
        collection.root,
        f"no simulated specimen is {name}",
        "make some with 'hep2 simulate'",
    )


def open_homogeneous() -> list[LayerData]:
    """Open a simulated homogeneous specimen."""
    return open_pattern("Homogeneous")


def open_speckled() -> list[LayerData]:
    """Open a simulated speckled specimen."""
    return open_pattern("Speckled")


def open_nucleolar() -> list[LayerData]:
    """Open a simulated nucleolar specimen."""
    return open_pattern("Nucleolar")


def open_centromere() -> list[LayerData]:
    """Open a simulated centromere specimen."""
    return open_pattern("Centromere")


def open_nuclear_membrane() -> list[LayerData]:
    """Open a simulated specimen with nuclear membrane pattern."""
    return open_pattern("NuMem")


def open_golgi() -> list[LayerData]:
    """Open a simulated Golgi specimen."""
    return open_pattern("Golgi")
