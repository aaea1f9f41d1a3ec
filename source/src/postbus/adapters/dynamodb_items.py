"""Items as DynamoDB writes them, ``{"S": "text"}`` and ``{"N": "12"}``, to plain values and back.

Numbers are whole or malformed: an amount must never pass through a float, and nothing else has a fraction.
"""

import re
from collections.abc import Mapping
from typing import Any

from postbus.domain.card_numbers import without_long_numbers
from postbus.domain.errors import Malformed

_WHOLE = re.compile(r"-?[0-9]{1,38}")


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item's attributes as text, whole numbers, truth values, ``None``, lists and mappings.

    Raises:
        Malformed: names the attribute; a fraction, a binary, or not DynamoDB's notation.
    """
    return {name: _plain(name, value) for name, value in item.items()}


def reference(item: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a record that people keep by hand: numbers as decimal text, binaries left out.

    A rate typed as a number is as exact as one typed as text, and an attribute nobody asks for stops nobody.
    """
    values = {}
    for name, value in item.items():
        match value:
            case {"N": str(digits)}:
                values[name] = digits
            case {"B": _} | {"BS": _} | {"NS": _}:
                continue
            case _:
                values[name] = _plain(name, value)
    return values


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The item of plain values; ``None`` attributes are left out."""
    return {name: _typed(value) for name, value in values.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    match value:
        case {"S": str(text), **rest} if not rest:
            return text
        case {"N": str(digits), **rest} if not rest:
            if not _WHOLE.fullmatch(digits):
                raise Malformed(without_long_numbers(name), "a whole number")
            return int(digits)
        case {"BOOL": bool(truth), **rest} if not rest:
            return truth
        case {"NULL": True, **rest} if not rest:
            return None
        case {"SS": list(texts), **rest} if not rest:
            return sorted(texts)
        case {"L": list(members), **rest} if not rest:
            return [_plain(f"{name}[{index}]", member) for index, member in enumerate(members)]
        case {"M": dict(members), **rest} if not rest:
            return {inner: _plain(f"{name}.{inner}", member) for inner, member in members.items()}
    raise Malformed(without_long_numbers(name), "text, a whole number, true or false, a list or a map")


def _typed(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case list() | tuple():
            return {"L": [_typed(member) for member in value]}
        case Mapping():
            return {"M": typed(value)}
    raise TypeError(f"no attribute type for {type(value).__name__}")
