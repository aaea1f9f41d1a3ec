"""The published contract, what the adapter sends and what the test server answers are one thing."""

import http.client
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from postbus.adapters.posting_system import Booking
from postbus.domain.money import Money
from postbus.domain.posting import Direction
from postbus.domain.transaction import Kind
from tests.component.http_ledger.bench import Bench, purchase, reversal
from tests.servers.misbehaving_ledger import MisbehavingLedger, Way

pytestmark = pytest.mark.contract

CONTRACT = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "docs" / "posting-system.openapi.yaml").read_text()
)
REGISTRY: Registry[Any] = Registry().with_resource(
    "urn:contract", Resource.from_contents(CONTRACT, DRAFT202012)
)
SCHEMAS = CONTRACT["components"]["schemas"]


def violations(schema: str, instance: Any) -> list[str]:
    validator = Draft202012Validator(
        {"$ref": f"urn:contract#/components/schemas/{schema}"}, registry=REGISTRY
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]


def booking(**facts: Any) -> Booking:
    values: dict[str, Any] = {
        "key": "visa-1",
        "kind": Kind.PURCHASE,
        "account": "acc-1",
        "direction": Direction.DEBIT,
        "amount": Money(1500, "USD"),
        "billing": Money(1384, "EUR"),
        "content_hash": "0" * 32,
        **facts,
    }
    return Booking(**values)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_of_the_contract_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_reference_in_the_contract_leads_somewhere() -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [found for value in part.values() for found in references(value)]
        return [found for value in part for found in references(value)] if isinstance(part, list) else []

    found = references(CONTRACT)
    assert len(found) > 20
    for reference in found:
        place: Any = CONTRACT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_examples_of_the_contract_keep_it() -> None:
    seen = 0
    for path in CONTRACT["paths"].values():
        for operation in path.values():
            bodies = [operation["requestBody"]] if "requestBody" in operation else []
            bodies += [body for body in operation["responses"].values() if "content" in body]
            for media in (media for body in bodies for media in body["content"].values()):
                for example in media.get("examples", {}).values():
                    assert violations(media["schema"]["$ref"].rsplit("/", 1)[1], example["value"]) == []
                    seen += 1
    assert seen == 4


@pytest.mark.parametrize(
    "asked",
    [
        *(booking(kind=kind) for kind in Kind),
        booking(kind=Kind.TRANSFER, counterparty="acc-2"),
        booking(kind=Kind.REVERSAL, reverses="visa-0", direction=Direction.CREDIT),
    ],
)
def test_what_the_adapter_sends_keeps_the_contract(asked: Booking) -> None:
    assert violations("PostingRequest", asked.to_data()) == []


def test_a_request_that_breaks_the_contract_would_be_seen() -> None:
    assert violations("PostingRequest", {**booking().to_data(), "amount": 1500})
    assert violations("PostingRequest", {**booking().to_data(), "direction": "sideways"})
    assert violations("PostingRequest", {**booking().to_data(), "card": "unknown"})


def test_what_the_test_server_books_keeps_the_contract(bench: Bench) -> None:
    bench.post(purchase("1"), reversal("1"))
    assert len(bench.system.books.postings) == 2
    for posting in bench.system.books.postings.values():
        assert violations("Posting", posting) == []


@pytest.mark.parametrize(
    "way",
    [
        Way.ERROR_BEFORE_BOOKING,
        Way.OVERLOADED,
        Way.TOO_MANY,
        Way.UNAUTHORIZED,
        Way.FORBIDDEN,
        Way.CONFLICT,
        Way.REFUSED,
        Way.NOT_UNDERSTOOD,
    ],
)
def test_what_the_test_server_turns_away_it_turns_away_as_the_contract_says(
    system: MisbehavingLedger, way: Way
) -> None:
    system.post_ways(way)
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=2)
    connection.request("POST", "/postings", json.dumps(booking().to_data()), {"Idempotency-Key": "visa-1"})
    response = connection.getresponse()
    assert response.getheader("Content-Type") == "application/problem+json"
    assert violations("Problem", json.loads(response.read())) == []
    assert str(response.status) in CONTRACT["paths"]["/postings"]["post"]["responses"]
    connection.close()
