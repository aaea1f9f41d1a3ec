"""Does an event say what its schema in ``events/`` promises?

For every test that sees an event: ``assert_conforms(event)`` for what a step emits,
``assert_message_conforms(message)`` for what came off the bus.  Works offline.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from postbus.domain.event import Event
from postbus.domain.lifecycle import FACTS

EVENTS = Path(__file__).resolve().parents[2] / "events"


def assert_conforms(event: Event) -> None:
    """Fail with every violation, each with its path, unless the event is as its schema says."""
    found = violations(event.type, event.to_detail(), event.schema_version)
    assert not found, f"{event.type} {event.event_id} is not as its schema says:\n" + "\n".join(found)


def assert_message_conforms(message: Mapping[str, Any]) -> None:
    """The same for a message off the bus: its source, its type and its detail."""
    event = Event.from_bus(message)
    assert message["source"] == FACTS[event.type].source, f"{event.type} from {message['source']}"
    assert_conforms(event)


def violations(event_type: str, detail: Any, version: int = 1) -> list[str]:
    """What is wrong with a ``detail``, one line each; empty when it conforms."""
    errors = validator(event_type, version).iter_errors(detail)
    return [f"  {error.json_path}: {error.message}" for error in sorted(errors, key=lambda e: e.json_path)]


@cache
def validator(event_type: str, version: int = 1) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": (EVENTS / event_type / f"v{version}" / "schema.json").as_uri()}, registry=_registry()
    )


@cache
def _registry() -> Registry[Any]:
    """Every schema under the address it has on this disk, so that relative references need no network."""
    return Registry().with_resources(
        (path.as_uri(), Resource.from_contents(json.loads(path.read_text())))
        for path in sorted(EVENTS.glob("*/v*/schema.json"))
    )
