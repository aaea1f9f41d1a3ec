"""Approved records that left no trace are found and brought in; everything else is left as it is."""

from dataclasses import replace

from postbus.adapters.dynamodb_items import plain
from postbus.adapters.record_schemas import record_schema
from postbus.domain import sample
from postbus.domain.inbound import SOURCES, RecordSchema
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.transaction import Transaction
from tests.component.cli.conftest import World
from tests.contract.conformance import assert_conforms
from tests.fakes import stories


def test_what_is_missing_is_named_by_a_dry_run_and_brought_in_by_a_real_one(world: World) -> None:
    ids = sorted(world.put_record(auth=f"M{number}") for number in range(23))
    dry = world.run("reconcile", "--source", "visa", "--dry-run", "--json")
    assert (dry.exit_code, sorted(dry.json["missing"])) == (1, ids)
    assert world.on_the_bus() == []
    done = world.ask("reconcile")
    assert sorted(done["resubmitted"]) == ids
    events = world.on_the_bus()
    assert sorted(event.transaction_id for event in events) == ids
    for event in events:
        assert_conforms(event)


def test_what_came_in_is_not_brought_in_again(world: World) -> None:
    world.put_record(auth="M1")
    world.ask("reconcile")
    world.timeline.record(world.on_the_bus())
    again = world.ask("reconcile")
    assert (again["compared"], again["missing"], again["resubmitted"]) == (1, [], [])
    assert world.on_the_bus() == []


def test_a_record_brought_in_twice_is_the_same_event_twice(world: World) -> None:
    world.put_record(auth="M1")
    world.ask("reconcile")
    world.ask("reconcile")
    first, second = world.on_the_bus()
    assert (first.event_id, first.data) == (second.event_id, second.data)


def came_first(world: World, auth: str) -> Outcome:
    _, voided = stories.came_first(auth)
    world.outcomes.decide(voided)
    world.timeline.record([voided.announcement()])
    return voided


def test_what_only_a_reversal_names_that_is_not_of_it_is_brought_in(world: World) -> None:
    lost = world.put_record(auth="M1")
    came_first(world, "M1")
    answer = world.ask("reconcile")
    assert (answer["missing"], answer["resubmitted"], answer["changed"]) == ([lost], [lost], [])
    world.timeline.record(world.on_the_bus())
    assert world.ask("reconcile")["missing"] == []


def test_what_a_reversal_of_it_voided_before_it_came_is_neither_missing_nor_changed(world: World) -> None:
    world.put_record(auth="M1")
    record = world.client("dynamodb").scan(TableName="visa")["Items"][0]
    read = SOURCES["visa"].read(record, plain, RecordSchema(record_schema("visa")))
    assert isinstance(read, Transaction)
    _, voided = stories.came_first("M1")
    data = read.to_data()
    fitting = {name: data[name] for name in ("account_token", "amount", "billing")}
    world.outcomes.decide(replace(voided, context={"taken_back": fitting}))
    answer = world.ask("reconcile")
    assert (answer["missing"], answer["changed"]) == ([], [])


def test_a_reversal_that_came_first_and_does_not_fit_what_is_posted_is_named(world: World) -> None:
    reversal = world.put_record("reversal", auth="R1", original_auth="A1")
    record = world.client("dynamodb").scan(TableName="visa")["Items"][0]
    read = SOURCES["visa"].read(record, plain, RecordSchema(record_schema("visa")))
    assert isinstance(read, Transaction)
    own, voided = stories.came_first("A1")
    ended = replace(own, transaction_id=reversal, content_hash=read.content_hash)
    for outcome in (ended, voided):
        world.outcomes.decide(outcome)
    assert world.ask("reconcile")["without_effect"] == {}
    approved, posted = stories.paid("A1")[2:]
    world.outcomes.decide(
        Outcome.of(
            approved,
            OutcomeState.POSTED,
            posted.type,
            posted.data["content_hash"],
            posted.occurred_at,
            {**posted.data, "transaction": approved.data["transaction"]},
        )
    )
    assert world.ask("reconcile")["without_effect"] == {reversal: "visa-A1"}
    assert f"{reversal} of visa-A1" in world.run("reconcile").stdout
    # Its case is settled: the alarm may end.
    world.put_record("reversal", auth="R1", original_auth="A1", status="CANCELLED")
    assert world.ask("reconcile")["without_effect"] == {}
    assert world.outcomes.find(reversal) == ended


def test_declined_records_and_those_of_other_regions_are_left_alone(world: World) -> None:
    world.put_record(auth="M1", status="DECLINED")
    world.put_record(auth="M2", home_region="us-east-1")
    answer = world.ask("reconcile", "--dry-run")
    assert (answer["compared"], answer["elsewhere"], answer["missing"]) == (0, {"us-east-1": ["M2"]}, [])


def test_a_record_whose_region_is_nobodys_is_named_to_people_too(world: World) -> None:
    for number in range(12):
        world.put_record(auth=f"M{number:02}", home_region="mars-north-1")
    told = world.run("reconcile", "--dry-run").stdout
    assert "12 left to mars-north-1, if there is one: M" in told
    assert ", …" in told


def test_records_are_at_home_where_the_deployment_says(world: World) -> None:
    world.deployment.names["home_region"] = "us-east-1"
    lost = world.put_record(auth="M1", home_region="us-east-1")
    answer = world.run("reconcile", "--dry-run", "--json").json
    assert (answer["missing"], answer["elsewhere"]) == ([lost], {})


def test_a_malformed_record_is_named_with_its_field_and_holds_nobody_back(world: World) -> None:
    world.put_record(auth="M1", transaction_currency="ZZZ")
    good = world.put_record(auth="M2")
    answer = world.ask("reconcile", "--source", "visa")
    assert answer["resubmitted"] == [good]
    (fault,) = answer["malformed"]
    assert (fault["key"], fault["field"]) == ("M1", "transaction_currency")


def test_a_card_number_where_none_belongs_is_not_shown(world: World) -> None:
    number = sample.pan(11)
    world.put_record(auth=number)
    for words in (("reconcile",), ("reconcile", "--json")):
        assert number not in world.run(*words).stdout


def test_every_source_is_compared(world: World) -> None:
    world.put_record(auth="M1")
    transfer = world.put_record("transfer", "credit_transfers")
    assert transfer in world.ask("reconcile")["resubmitted"]


def test_an_unknown_source_is_named(world: World) -> None:
    answer = world.run("reconcile", "--source", "fednow")
    assert answer.exit_code == 2
    assert f"--source: one of {', '.join(sorted(SOURCES))}" in answer.stderr


def test_a_function_that_fails_is_told_as_something_to_try_again(world: World) -> None:
    world.put_record(auth="M1")

    def away(_: object) -> object:
        raise RuntimeError("claims did not answer")

    world.functions.known["postbus-deduplicate-visa"] = away
    answer = world.run("reconcile")
    assert answer.exit_code == 3
    assert "claims did not answer" in answer.stderr
