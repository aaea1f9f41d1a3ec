"""The scheduled comparison tells how much is lost, and changes nothing."""

import pytest

from postbus.adapters.dynamodb_inbound import DynamoDbInbound
from postbus.adapters.dynamodb_outcome_reader import OutcomeReader
from postbus.adapters.reconciliation import Reconciliation
from postbus.domain.inbound import SOURCES
from postbus.functions.reconcile.handler import bind, build
from postbus.runtime.clients import client
from postbus.runtime.config import Config
from tests.component.cli.conftest import REGION, World
from tests.fakes import stories


def compared(world: World, source: str = "visa") -> Reconciliation:
    dynamodb = world.client("dynamodb")
    table = DynamoDbInbound(dynamodb, source, SOURCES[source].key)
    return Reconciliation(SOURCES[source], table, OutcomeReader(dynamodb, "ledger"), world.timeline, REGION)


def test_what_left_no_trace_is_counted_and_left_alone(world: World) -> None:
    world.put_record(auth="M1")
    world.put_record(auth="M2", transaction_currency="ZZZ")
    world.put_record(auth="M3", home_region="mars-north-1")
    metrics: dict[str, float] = {}
    build([compared(world)], metrics.__setitem__, lambda _: None)({})
    assert metrics == {
        "MissingTransactions": 1,
        "ChangedTransactions": 0,
        "ReversalsWithoutEffect": 0,
        "MalformedRecords": 1,
        "ElsewhereRecords": 1,
    }
    assert world.on_the_bus() == []


def test_what_only_a_reversal_names_that_is_not_of_it_is_missing(world: World) -> None:
    world.put_record(auth="M1")
    _, voided = stories.came_first("M1")
    world.outcomes.decide(voided)
    world.timeline.record([voided.announcement()])
    metrics: dict[str, float] = {}
    build([compared(world)], metrics.__setitem__, lambda _: None)({})
    assert (metrics["MissingTransactions"], metrics["ChangedTransactions"]) == (1, 0)


def test_what_was_changed_after_it_was_decided_is_counted(world: World) -> None:
    world.put_record(auth="A1")
    _, outcome = stories.held("A1")
    world.outcomes.decide(outcome)
    metrics: dict[str, float] = {}
    build([compared(world)], metrics.__setitem__, lambda _: None)({})
    assert (metrics["MissingTransactions"], metrics["ChangedTransactions"]) == (0, 1)


def test_what_comes_in_while_the_table_is_read_is_not_lost(world: World) -> None:
    world.put_record(auth="M1")
    waited = []

    def comes_in(seconds: float) -> None:
        waited.append(seconds)
        world.timeline.record([stories.authorized("M1")])

    metrics: dict[str, float] = {}
    build([compared(world)], metrics.__setitem__, comes_in)({})
    assert (metrics["MissingTransactions"], waited) == (0, [60])


def test_the_deployed_handler_compares_every_source(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client.cache_clear()
    world.put_record(auth="M1", home_region="mars-north-1")
    world.put_record("transfer", "credit_transfers", home_region="mars-north-1")
    names = {"LEDGER_TABLE": "ledger", "TIMELINE_TABLE": "timeline", "HOME_REGION": REGION}
    names |= {"INPUT_TABLES": "visa=visa,credit_transfers=credit_transfers"}
    answer = bind(Config({f"POSTBUS_{name}": value for name, value in names.items()}))({})
    counts = {"compared": 0, "missing": 0, "changed": 0, "without_effect": 0, "malformed": 0, "elsewhere": 2}
    assert answer == counts
    found = world.client("cloudwatch").list_metrics(Namespace="Postbus")["Metrics"]
    assert {metric["MetricName"] for metric in found} == {
        "MissingTransactions",
        "ChangedTransactions",
        "ReversalsWithoutEffect",
        "MalformedRecords",
        "ElsewhereRecords",
    }
    client.cache_clear()
