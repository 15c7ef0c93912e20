"""Common base of all settings: parsing, ranges, one sentence for a bad value.

The command line and the plugin's forms are made from these models, and a run writes the
resolved values into its folder. A unit stands in ``json_schema_extra={"unit": ...}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from training.errors import BadSettingError

_SHOWN = 100
"""Characters of a bad value that are shown."""


class Settings(BaseModel):
    """Base of all settings: immutable, and no key goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Self:
        """Return settings from values as typed.

        Raises
        ------
        BadSettingError
            If a name is unknown or a value out of range.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as fault:
            raise _bad_setting(cls, fault) from fault

    def differing(self, base: Settings | None = None) -> dict[str, object]:
        """Return the values that are not those of `base`, or not the defaults."""
        base = type(self)() if base is None else base
        return {k: v for k, v in self if v != getattr(base, k)}

    @classmethod
    def changeable(cls) -> tuple[str, ...]:
        """Return the names of the settings; a classifier's `name` is none."""
        return tuple(name for name in cls.model_fields if name != "name")


def parse_together(given: Mapping[str, object], *bases: Settings) -> tuple[Any, ...]:
    """Change several settings by the names of their fields, which are distinct.

    Parameters
    ----------
    given
        Values as typed, by name.
    bases
        What is changed.

    Raises
    ------
    BadSettingError
        If a name is none of their fields or a value out of range.
    """
    known = [name for base in bases for name in base.changeable()]
    for name in given:
        if name not in known:
            raise BadSettingError(
                name, "there is no such setting", f"use one of {', '.join(known)}"
            )
    return tuple(
        type(base).parse(
            {name: given.get(name, value) for name, value in base.model_dump().items()}
        )
        for base in bases
    )


def _bad_setting(model: type[Settings], fault: ValidationError) -> BadSettingError:
    first = fault.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else model.__name__
    if first["type"] == "extra_forbidden":
        known = ", ".join(model.changeable())
        return BadSettingError(name, "there is no such setting", f"use one of {known}")
    return BadSettingError(
        name, f"{_short(first['input'])} does not fit", first["msg"].lower()
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def unit(name: str, lowest: str = "") -> dict[str, JsonValue]:
    """Return what gives a field its unit, for ``json_schema_extra``.

    `lowest` is what a form shows in place of the least value.
    """
    return {"unit": name, "lowest": lowest} if lowest else {"unit": name}


def as_numbers(value: object) -> object:
    """Parse '1,2,4' as the numbers 1, 2 and 4."""
    return tuple(value.split(",")) if isinstance(value, str) else value


def as_typed(value: object) -> object:
    """Return '1,2.5,4' for a tuple of numbers or words, as it is typed in."""
    if not isinstance(value, tuple):
        return value
    return ",".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)


def as_choice(value: object) -> object:
    """Parse '8' as 8: pydantic does not convert the choices of a Literal."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value
