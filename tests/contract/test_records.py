"""The inbound records' schemas: examples pass and become transactions, counterexamples fail."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from postbus.adapters.dynamodb_items import plain, typed
from postbus.adapters.record_schemas import record_schema
from postbus.domain.errors import Malformed
from postbus.domain.inbound import SOURCES, RecordSchema
from postbus.domain.transaction import Transaction

RECORDS = Path(__file__).parents[2] / "events" / "records"
EXAMPLES = sorted(RECORDS.glob("*/v1/examples/*.json"))
COUNTEREXAMPLES = sorted(RECORDS.glob("*/v1/counterexamples/*.json"))


def name(path: Path) -> str:
    return f"{path.parts[-4]}-{path.stem}"


def source_of(path: Path) -> str:
    return path.parts[-4]


def test_there_are_examples_and_counterexamples_of_every_source() -> None:
    assert SOURCES
    for source in SOURCES:
        assert [path for path in EXAMPLES if source_of(path) == source]
        assert [path for path in COUNTEREXAMPLES if source_of(path) == source]
    assert {folder.name for folder in RECORDS.iterdir() if folder.is_dir()} == set(SOURCES)


def test_terraform_gives_each_source_its_table_with_the_key_its_records_are_read_by() -> None:
    main = (RECORDS.parents[1] / "source" / "main.tf").read_text()
    blocks = re.findall(
        r'^module "\w+" {\n  source += "./modules/inbound_source"\n(.*?)^}', main, re.M | re.S
    )
    deployed = [dict(re.findall(r'^  (source_name|key_attribute) += "(\w+)"$', one, re.M)) for one in blocks]
    keys = {block["source_name"]: block["key_attribute"] for block in deployed}
    assert keys == {source.name: source.key for source in SOURCES.values()}


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_schema_is_valid_strict_and_describes_every_field(source: str) -> None:
    schema = record_schema(source)
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert SOURCES[source].key in schema["required"]
    assert all(len(field["description"]) > 10 for field in schema["properties"].values())


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_an_example_becomes_a_transaction_by_way_of_the_table(path: Path) -> None:
    source = SOURCES[source_of(path)]
    record = json.loads(path.read_text())
    transaction = source.read(typed(record), plain, RecordSchema(record_schema(source.name)))
    assert isinstance(transaction, Transaction), transaction
    assert transaction.transaction_id == f"{source.name}-{record[source.key]}"
    assert Transaction.from_data(json.loads(json.dumps(transaction.to_data()))) == transaction


@pytest.mark.parametrize("path", COUNTEREXAMPLES, ids=name)
def test_a_counterexample_is_refused_with_a_field_named(path: Path) -> None:
    source = SOURCES[source_of(path)]
    fault = source.read(json.loads(path.read_text()), dict, RecordSchema(record_schema(source.name)))
    assert isinstance(fault, Malformed), fault
    assert fault.field
    assert fault.expected
