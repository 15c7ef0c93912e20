"""HTML pages of one file that need no network, and the pictures in them."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import jinja2
from PIL import Image

from training.shown_words import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG_METADATA = ("Creator", "Date", "Format", "Type")


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return a page; whatever stands in `content` cannot write HTML of its own.

    Parameters
    ----------
    template
        A file of ``training/templates``.
    content
        What it asks for; a name that is missing is an error.
    """
    return _environment().get_template(template).render(content)


@functools.cache
def _environment() -> jinja2.Environment:
    """Return the one that keeps its templates: a series renders a page a specimen."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("training.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_fit,
    )


def _fit(value: object) -> object:
    """Return words as they are shown; what is HTML of ours, or no word, as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(map(shown, value.split("\n")))


_Drawn = TypeVar("_Drawn", bound=Callable[..., Any])


def in_own_style(draw: _Drawn) -> _Drawn:
    """Draw as matplotlib does where nobody has changed its settings.

    It would obey a file ``matplotlibrc`` in the current folder, which may hold data of
    others.
    """

    @functools.wraps(draw)
    def drawn(*words: Any, **settings: Any) -> Any:
        from matplotlib import style

        with style.context("default"):
            return draw(*words, **settings)

    return cast(_Drawn, drawn)


def svg(figure: Figure) -> str:
    """Return a figure as an SVG element."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(_SVG_METADATA))
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def data_address(picture: Image.Image) -> str:
    """Return a picture as an address that holds it, PNG in base 64."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/png;base64,{text}"
