"""The catalogue: what every event promises, shown by what must pass and by what must fail."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from postbus.domain import card_numbers
from postbus.domain.event import Event, event_id
from postbus.domain.lifecycle import FACTS
from postbus.domain.posting import Account
from postbus.domain.transaction import Transaction
from tests.contract.conformance import EVENTS, assert_message_conforms, validator, violations


def read(path: Path) -> Any:
    return json.loads(path.read_text())


SCHEMAS = sorted(EVENTS.glob("*/v*/schema.json"))
EXAMPLES = {
    str(path.relative_to(EVENTS)): read(path) for path in sorted(EVENTS.glob("[A-Z]*/v*/examples/*.json"))
}
COUNTEREXAMPLES = {
    str(path.relative_to(EVENTS)): read(path)
    for path in sorted(EVENTS.glob("[A-Z]*/v*/counterexamples/*.json"))
}

each_example = pytest.mark.parametrize("message", EXAMPLES.values(), ids=EXAMPLES.keys())
each_counterexample = pytest.mark.parametrize("name", COUNTEREXAMPLES)


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_has_a_schema_an_example_and_two_counterexamples(name: str) -> None:
    assert (EVENTS / name / "v1" / "schema.json").is_file()
    assert len([path for path in EXAMPLES if path.startswith(f"{name}/v1/")]) >= 1
    assert len([path for path in COUNTEREXAMPLES if path.startswith(f"{name}/v1/")]) >= 2


def test_the_catalogue_has_no_event_that_is_not_a_fact() -> None:
    assert {path.parts[-3] for path in SCHEMAS if path.parts[-3][0].isupper()} == FACTS.keys()


@pytest.mark.parametrize("path", SCHEMAS, ids=[str(path.relative_to(EVENTS)) for path in SCHEMAS])
def test_every_schema_is_valid_and_leaves_no_object_open(path: Path) -> None:
    schema = read(path)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    open_objects = [part for part in parts(schema) if part.get("type") == "object" and closed(part) is False]
    assert not open_objects


def parts(schema: Any) -> list[dict[str, Any]]:
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    return [
        *([schema] if isinstance(schema, dict) else []),
        *(part for value in inner for part in parts(value)),
    ]


def closed(schema: dict[str, Any]) -> bool:
    return schema.get("additionalProperties") is False or schema.get("unevaluatedProperties") is False


@pytest.mark.parametrize("name", FACTS)
def test_a_schema_has_the_name_and_the_meaning_of_the_lifecycle_table(name: str) -> None:
    schema = read(EVENTS / name / "v1" / "schema.json")
    assert (schema["title"], schema["description"]) == (name, FACTS[name].meaning)


@each_example
def test_an_example_is_what_its_schema_and_the_lifecycle_table_say(message: dict[str, Any]) -> None:
    assert_message_conforms(message)


@each_counterexample
def test_a_counterexample_fails_for_its_own_reason_and_no_other(name: str) -> None:
    counterexample = COUNTEREXAMPLES[name]
    errors = list(validator(name.split("/")[0]).iter_errors(counterexample["detail"]))
    assert {error.json_path for error in errors} == {counterexample["at"]}, counterexample["why"]


@each_example
def test_an_example_is_read_and_written_by_the_code_without_loss(message: dict[str, Any]) -> None:
    event = Event.from_bus(message)
    assert replace(event, replay=message["detail"]["metadata"].get("replay")).to_detail() == message["detail"]
    data = message["detail"]["data"]
    if "transaction" in data:
        assert Transaction.from_event(event).to_data() == data["transaction"]
        assert Transaction.from_event(event).transaction_id == event.transaction_id
    for role in {"account", "counterparty"} & data.keys():
        assert Account.from_data(data[role], role).to_data() == data[role]


@each_example
def test_an_example_has_the_id_its_cause_gives_it(message: dict[str, Any]) -> None:
    event = Event.from_bus(message)
    assert event.event_id == event_id(event.transaction_id, event.type, event.causation_id)


@pytest.mark.parametrize(
    "message",
    [message for message in EXAMPLES.values() if message["detail-type"] == "TransactionPosted"],
    ids=[name for name in EXAMPLES if name.startswith("TransactionPosted/")],
)
def test_the_entries_of_a_posted_example_sum_to_zero_per_currency(message: dict[str, Any]) -> None:
    sums: dict[str, int] = {}
    for entry in message["detail"]["data"]["entries"]:
        sign = {"debit": -1, "credit": 1}[entry["direction"]]
        sums[entry["currency"]] = sums.get(entry["currency"], 0) + sign * int(entry["amount"])
    assert sums
    assert set(sums.values()) == {0}


@each_example
def test_a_story_begins_with_a_record_and_every_other_event_with_an_event(message: dict[str, Any]) -> None:
    event = Event.from_bus(message)
    begins = event.type == "TransactionAuthorized"
    assert event.causation_id.startswith("record:") is begins
    assert (event.correlation_id == event.event_id) is begins


@each_example
def test_no_example_holds_a_card_number(message: dict[str, Any]) -> None:
    assert list(card_numbers.places(message)) == []


def test_a_card_number_anywhere_in_the_facts_of_a_transaction_is_refused() -> None:
    """Tokens refuse 13 digits in a row; the other fields are too short or too regular for them."""
    [example] = [
        message
        for name, message in EXAMPLES.items()
        if name == "TransactionAuthorized/v1/examples/purchase.json"
    ]
    facts = example["detail"]["data"]["transaction"]
    may_be_all_digits = {"merchant_id", "end_to_end_id", "transaction_id", "content_hash", "local_time"}
    texts = [
        name for name, value in facts.items() if isinstance(value, str) and name not in may_be_all_digits
    ]
    assert len(texts) > 10
    for name in texts:
        detail = json.loads(json.dumps(example["detail"]))
        detail["data"]["transaction"][name] = "4111111111111111"
        assert violations("TransactionAuthorized", detail), name
