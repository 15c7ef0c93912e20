"""Colours that the plots share, in napari's light and dark themes.

Okabe and Ito's (2008), told apart by colour-blind readers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from qtpy.QtGui import QColor

from training.patterns import VOCABULARIES, Pattern

SKY, GREEN, VERMILLION, BLUE = "#56b4e9", "#009e73", "#d55e00", "#0072b2"


@dataclass(frozen=True)
class Palette:
    """Colours of the window's theme.

    Attributes
    ----------
    muted, faint
        Text and lines that step back.
    accent
        The line that matters most, legible on `background`.
    """

    background: str = "#262930"
    text: str = "#f0f1f2"
    muted: str = "#9da1a5"
    faint: str = "#585b61"
    accent: str = SKY

    @classmethod
    def of(cls, background: str, text: str) -> Palette:
        """Return the palette for a background and a text colour."""
        dark = QColor(background).lightnessF() < 0.5
        return cls(
            background,
            text,
            blend(background, text, 0.6),
            blend(background, text, 0.25),
            SKY if dark else BLUE,
        )


@lru_cache(4096)
def blend(below: str, above: str, share: float) -> str:
    """Return `below` with `share` (0 to 1) of `above` on it, as ``#rrggbb``."""
    a, b = QColor(below), QColor(above)
    mixed = [
        round(x + (y - x) * share)
        for x, y in zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)
    ]
    return QColor(*mixed).name()


@lru_cache(256)
def pattern_named(name: str) -> Pattern:
    """Return the pattern of any vocabulary, or a plain one with its first letter."""
    for vocabulary in VOCABULARIES.values():
        index = vocabulary.find(name)
        if index is not None:
            return vocabulary[index]
    return Pattern(name, name, name[:1].upper(), "#999999", "")


def theme_palette(name: str) -> Palette:
    """Return the plots' colours for a theme of napari."""
    from napari.utils.theme import get_theme

    theme = get_theme(name)
    return Palette.of(theme.background.as_hex("long"), theme.text.as_hex("long"))
