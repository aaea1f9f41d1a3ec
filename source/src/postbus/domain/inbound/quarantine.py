"""What is parked of a record that cannot enter: what the schema knows of it, masked, with its reason."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from postbus.domain.card_numbers import without_long_numbers
from postbus.domain.errors import Malformed

# A queue's message of 256 KiB, less its attributes.  A table's item may be 400 KB.
MOST_BYTES = 250_000

_MOST_OF_A_TEXT = 200
_MOST_OF_A_REASON = 1000
_REMAINS = "the record remains in the table"


def parked(
    source: str,
    event_id: str,
    key: Mapping[str, Any],
    image: Mapping[str, Any],
    fault: Malformed,
    known: Collection[str],
) -> dict[str, Any]:
    """The body for the quarantine queue, at most ``MOST_BYTES`` as JSON.

    Args:
        event_id: of the table's stream; the same for a record that is parked twice.
        key: the record's key, in DynamoDB's notation.
        image: the whole record, in DynamoDB's notation.
        known: the fields of the source's schema.  What stands in others could be anything: of them only
            type and length are kept.
    Returns:
        ``{"source", "event_id", "key", "field", "expected", "record", "left_out"?, "note"?}``, with no number
        of 13 or more digits in it.  A record that does not fit has its largest attributes left out, by name;
        one that does not fit even so, all of it: ``{"source", "event_id", "field", "note"}``.
    """
    name = {"source": source, "event_id": _clipped(event_id), "field": _clipped(fault.field)}
    body = {
        **name,
        "key": _kept(key, known),
        "expected": _clipped(fault.expected),
        "record": _kept(image, known),
    }
    if _size(body) > MOST_BYTES:
        body = _shortened(body)
    if _size(body) > MOST_BYTES:
        body = {**name, "note": f"too large for a message: {_REMAINS}"}
    return body


def reason(fault: Malformed) -> str:
    """One line for whoever lists the queue, of at most a thousand characters."""
    return without_long_numbers(str(fault))[:_MOST_OF_A_REASON]


def _kept(item: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Texts and numbers of known fields, masked; of all else type and length."""
    kept: dict[str, Any] = {}
    for name, value in item.items():
        shown = without_long_numbers(name)
        while shown in kept:  # two names that differ in their masked digits only
            shown += "'"
        match value:
            case {"S": str(text), **rest} if name in known and not rest:
                kept[shown] = {"S": without_long_numbers(text)}
            case {"N": str(digits), **rest} if name in known and not rest:
                kept[shown] = {"N": without_long_numbers(digits)}
            case _:
                kept[shown] = _described(value)
    return kept


def _described(value: Any) -> dict[str, Any]:
    """The type, in DynamoDB's notation, and the length: of characters, digits or members."""
    kind, content = next(iter(value.items()), ("", "")) if isinstance(value, Mapping) else ("", value)
    known_kind = kind if kind in ("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS") else "?"
    return {"type": known_kind, "length": len(content) if hasattr(content, "__len__") else 1}


def _shortened(body: dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = body["record"]
    sizes = sorted((_size(name) + _size(value) + 4, name) for name, value in record.items())
    kept = set(_fitting(sizes, MOST_BYTES // 2))
    left_out = [name[:64] for name in sorted(record.keys() - kept)]
    named = _fitting([(_size(name) + 2, name) for name in left_out], MOST_BYTES // 4)
    return {
        **body,
        "key": {name: value for name, value in body["key"].items() if _size(value) < MOST_BYTES // 8},
        "record": {name: value for name, value in record.items() if name in kept},
        "left_out": named[:500],
        "note": f"too large for a message: {len(left_out)} attributes left out; {_REMAINS}",
    }


def _fitting(sizes: list[tuple[int, str]], budget: int) -> list[str]:
    """The names, in order, that fit together into so many bytes."""
    fitting = []
    for size, name in sizes:
        if size <= budget:
            fitting.append(name)
            budget -= size
    return fitting


def _clipped(text: str) -> str:
    return without_long_numbers(text)[:_MOST_OF_A_TEXT]


def _size(value: Any) -> int:
    return len(json.dumps(value))
