"""Folder layouts in, specimens and frames (or cells already cut) out.

Four layouts are read: ``task1`` and ``task2`` as the I3A contests give them, ``mivia``
as the ICPR 2012 contest gives it, and ``plain``, a folder of images. No path is ever
built from a word in a table: names are looked up among the files that are there.
"""

from training.data.layouts.collection import (
    CellFile,
    Channel,
    Collection,
    Frame,
    Specimen,
    check_no_fault,
    check_one_mask,
    with_channel,
)
from training.data.layouts.frames import frame_beside
from training.data.layouts.names import is_mask_folder, is_mask_name
from training.data.layouts.sniffing import LAYOUTS, find_layout, read_collection

__all__ = [
    "LAYOUTS",
    "CellFile",
    "Channel",
    "Collection",
    "Frame",
    "Specimen",
    "check_no_fault",
    "check_one_mask",
    "find_layout",
    "frame_beside",
    "is_mask_folder",
    "is_mask_name",
    "read_collection",
    "with_channel",
]
