"""What is parked of a record that cannot enter: all of it, masked, with its reason."""

import json
from collections.abc import Mapping
from typing import Any

from postbus.domain import card_numbers
from postbus.domain.errors import Malformed

# A queue's message of 256 KiB, less its attributes.  A table's item may be 400 KB.
MOST_BYTES = 250_000

_REMAINS = "the record remains in the table"


def parked(
    source: str, event_id: str, key: Mapping[str, Any], image: Mapping[str, Any], fault: Malformed
) -> dict[str, Any]:
    """The body for the quarantine queue.

    Args:
        event_id: of the table's stream; the same for a record that is parked twice.
        key: the record's key, in DynamoDB's notation.
        image: the whole record, in DynamoDB's notation.
    Returns:
        ``{"source", "event_id", "key", "field", "expected", "record", "left_out"?, "note"?}``; no card number
        in it.  A record that does not fit has its largest attributes left out, by name.
    """
    body = card_numbers.masked(
        {
            "source": source,
            "event_id": event_id,
            "key": _text_only(key),
            "field": fault.field,
            "expected": fault.expected,
            "record": _text_only(image),
        }
    )
    return body if _size(body) <= MOST_BYTES else _shortened(body)


def reason(fault: Malformed) -> str:
    """One line for whoever lists the queue."""
    return card_numbers.mask(str(fault))


def _shortened(body: dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = body["record"]
    sizes = sorted((_size(name) + _size(value) + 2, name) for name, value in record.items())
    budget = MOST_BYTES // 2  # the other half is for the names of what is left out
    kept: list[str] = []
    for size, name in sizes:
        if size <= budget:
            kept.append(name)
            budget -= size
    left_out = sorted(record.keys() - set(kept))
    return {
        **body,
        "key": {name: value for name, value in body["key"].items() if _size(value) < MOST_BYTES // 8},
        "record": {name: record[name] for name in kept},
        "left_out": [name[:64] for name in left_out[:500]],
        "note": f"too large for a message: {len(left_out)} attributes left out; {_REMAINS}",
    }


def _text_only(value: Any) -> Any:
    """Without binary values: no schema has one, and what is in them cannot be searched for card numbers."""
    if isinstance(value, Mapping):
        return {
            name: f"binary, left out; {_REMAINS}" if name in ("B", "BS") else _text_only(member)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_text_only(member) for member in value]
    return value


def _size(value: Any) -> int:
    return len(json.dumps(value))
