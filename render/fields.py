"""Fields of a JSON file that somebody else wrote, checked one by one.

Each function returns the value with its type or raises :class:`InputError` with one
line that names the field.
"""

from __future__ import annotations

import math
from typing import Any

from stablechat.errors import InputError

Json = dict[str, Any]


def get(data: Json, key: str) -> object:
    """A field that must be there."""
    if key not in data:
        raise InputError(f"{key!r} is missing.")
    return data[key]


def kind_of(value: object) -> str:
    """The name of a value's type, for a message."""
    return type(value).__name__


def as_object(value: object, name: str) -> Json:
    """A JSON object."""
    if not isinstance(value, dict):
        raise InputError(f"{name} must be an object, got {kind_of(value)}.")
    return value


def string(data: Json, key: str, default: str | None = None) -> str:
    """A text field; ``default`` makes it optional."""
    value = get(data, key) if default is None else data.get(key, default)
    if not isinstance(value, str):
        raise InputError(f"{key} must be text, got {kind_of(value)}.")
    return value


def as_strings(value: object, name: str) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise InputError(f"{name} must be a list of texts.")
    return tuple(value)


def one_of(
    data: Json, key: str, choices: tuple[Any, ...], default: str | None = None
) -> Any:
    """A text field that must be one of a few; ``default`` makes it optional."""
    value = string(data, key, default)
    if value not in choices:
        raise InputError(f"{key} must be one of {', '.join(choices)}, got {value!r}.")
    return value


def as_finite(value: object, name: str) -> float:
    """A finite number; true and false are none."""
    # bool is an int in Python; true is no coordinate.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} must be a number, got {kind_of(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{name} must be a finite number.")
    return number


def number(data: Json, key: str, default: float | None = None) -> float:
    """A field that is a finite number; ``default`` makes it optional."""
    value = get(data, key) if default is None else data.get(key, default)
    return as_finite(value, key)


def count(data: Json, key: str, default: int | None = None) -> int:
    """A field that is a whole number from 0; ``default`` makes it optional."""
    value = number(data, key, None if default is None else float(default))
    if value != int(value) or not 0 <= value < 2**31:
        raise InputError(f"{key} must be a whole number, got {value}.")
    return int(value)


def flag(data: Json, key: str) -> bool:
    """A field that is true or false; false when absent."""
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise InputError(f"{key} must be true or false, got {kind_of(value)}.")
    return value


def as_unit(value: object, name: str) -> float | None:
    """A number from 0 to 1, or None."""
    if value is None:
        return None
    number = as_finite(value, name)
    if not 0 <= number <= 1:
        raise InputError(f"{name} must be 0 to 1, got {number}.")
    return number
