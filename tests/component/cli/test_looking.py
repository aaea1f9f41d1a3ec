"""Status, trace, ledger and deployment: what the operator can see, and that looking changes nothing."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.cli.app import app
from postbus.cli.deployment import Deployment, load
from postbus.cli.desk import Changing, ago
from postbus.cli.errors import CannotRun
from postbus.domain import sample
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.transaction import Kind
from postbus.ports import Settled
from tests.component.cli.conftest import World
from tests.fakes import stories
from tests.fakes.approvals import ALICE, BOB, NOON, instruction


def fund(world: World) -> DynamoDbLedger:
    ledger = DynamoDbLedger(world.client("dynamodb"), "ledger", "balances")
    ledger.fund(ALICE, Money(100_000, "EUR"), "funding-alice", NOON)
    return ledger


def test_a_trace_tells_each_hop_in_order_with_how_long_and_why(world: World) -> None:
    events = stories.paid()
    for event in reversed(events):
        world.timeline.record([event])
    told = world.ask("trace", "visa-A1")
    assert [one["type"] for one in told["events"]] == [event.type for event in events]
    assert [one["after_seconds"] for one in told["events"]] == [0, 0.1, 0.2, 0.1]
    assert [one["detail"] for one in told["events"]] == [event.to_detail() for event in events]
    assert (told["state"], told["final"]) == ("POSTED", True)
    text = world.run("trace", "visa-A1").stdout
    assert "visa-A1 is POSTED, for good" in text
    assert "debit NL-CUR-0001 12.50 EUR" in text


def test_a_trace_of_a_held_payment_says_what_was_found_and_what_may_be_done(world: World) -> None:
    events, outcome = stories.held("A1")
    world.timeline.record(events)
    world.outcomes.decide(outcome)
    text = world.run("trace", "visa-A1").stdout
    assert "high-amount (hold)" in text
    assert "postbus hold release" in text
    assert "Decided: HELD" in text


def test_a_decision_whose_event_has_not_arrived_is_told_as_such(world: World) -> None:
    events, outcome = stories.held("A1")
    world.timeline.record(events[:2])
    world.outcomes.decide(outcome)
    assert "not in the timeline yet" in world.run("trace", "visa-A1").stdout


def test_a_transaction_nobody_knows_is_an_empty_story_to_a_program_and_an_error_to_a_person(
    world: World,
) -> None:
    assert world.ask("trace", "visa-nobody")["events"] == []
    answer = world.run("trace", "visa-nobody")
    assert answer.exit_code == 2
    assert "nothing is known of 'visa-nobody'" in answer.stderr
    assert "postbus dlq show quarantine-visa" in answer.stderr
    assert "postbus dlq list" in world.run("trace", "nobody").stderr


@pytest.mark.parametrize("words", [("trace",), ("hold", "show"), ("ledger", "entries")])
def test_an_empty_id_is_refused_plainly(world: World, words: tuple[str, ...]) -> None:
    answer = world.run(*words, "")
    assert answer.exit_code == 2
    assert answer.stderr.strip() == "postbus: TRANSACTION: an id, such as visa-A10005, not an empty text."


def test_a_trace_tells_a_payment_from_a_reversal_that_came_first_and_is_not_of_it(world: World) -> None:
    own, voided = stories.came_first("A1")
    for outcome in (own, voided):
        world.outcomes.decide(outcome)
        world.timeline.record([outcome.announcement()])
    unseen = world.ask("trace", "visa-A1")
    assert (unseen["state"], unseen["final"]) == ("VOIDED", False)
    assert "has not been seen" in unseen["look"][0]
    assert "look" not in world.ask("trace", "visa-R-A1")

    events = stories.paid("A1")
    world.timeline.record(events[:2])
    moving = world.ask("trace", "visa-A1")
    assert (moving["state"], moving["final"], moving["outcome"]) == ("ENRICHED", False, None)
    assert "cancel" in moving["next"]
    people = world.run("trace", "visa-A1").stdout
    assert "visa-A1 is ENRICHED." in people
    assert "visa-R-A1 names it and takes back something else" in people

    data = {**events[3].data, "transaction": events[2].data["transaction"]}
    content = events[3].data["content_hash"]
    posted = Outcome.of(events[2], OutcomeState.POSTED, events[3].type, content, NOON, data)
    assert world.outcomes.decide(posted) == posted
    assert "had no effect, and visa-A1 is posted" in world.run("trace", "visa-R-A1").stdout


def test_a_trace_says_that_what_a_reversal_of_it_voided_is_voided_for_good(world: World) -> None:
    _, voided = stories.came_first("A1", fits=True)
    world.outcomes.decide(voided)
    world.timeline.record([*stories.paid("A1")[:3], voided.announcement()])
    told = world.ask("trace", "visa-A1")
    assert (told["state"], told["final"], "look" in told) == ("VOIDED", True, False)


def test_a_trace_names_what_is_held_under_the_same_id_with_other_content(world: World) -> None:
    world.timeline.record(stories.paid("A1"))
    events, outcome = stories.held("A1.conflict-00000000", conflict_with="visa-A1")
    world.timeline.record(events)
    world.outcomes.decide(outcome)
    world.outcomes.decide(stories.held("A2")[1])
    assert world.ask("trace", "visa-A1")["held_conflicts"] == ["visa-A1.conflict-00000000"]
    assert "postbus hold show visa-A1.conflict-00000000" in world.run("trace", "visa-A1").stdout
    assert "held_conflicts" not in world.ask("trace", "visa-A2")


def test_the_status_counts_payments_queues_and_dead_letters_and_says_what_needs_attention(
    world: World,
) -> None:
    fund(world).post([instruction("P1"), instruction("P2")])
    events, outcome = stories.held("H1")
    world.timeline.record(events)
    world.outcomes.decide(outcome)
    began = datetime.now(UTC) - timedelta(minutes=10)
    world.timeline.record(stories.paid("O1", began)[:2])
    world.send("dead_letters", "posting", "x")
    world.send("queues", "enrich", "x")
    told = world.ask("status")
    assert told["open"] == {"ENRICHED": 1, "HELD": 1}
    assert told["outcomes"] == {"TransactionHeld": 1, "TransactionPosted": 3}
    assert told["oldest_open"] == "visa-O1"
    assert 599 < told["oldest_open_seconds"] < 660
    assert told["queues"]["enrich"]["messages"] == 1
    assert told["dead_letters"]["posting"]["messages"] == 1
    assert told["ledger"]["balanced"] is True
    assert any("postbus dlq show posting" in line for line in told["attention"])
    text = world.run("status").stdout
    assert text.count("HELD") == 1
    assert "longest on its way: visa-O1, for 10 min" in text
    assert re.search(r"POSTED\s+│\s+3\b", text)
    assert "TransactionPosted" not in text


def test_what_was_released_hides_nothing_that_is_on_its_way_in_the_same_state(world: World) -> None:
    world.outcomes.decide(stories.held("H1")[1])
    world.ask("hold", "release", "visa-H1", "--waive", "high-amount", "--reason", "seen")
    world.timeline.record(stories.paid("O1")[:3])
    assert world.ask("status")["open"]["APPROVED"] >= 1
    assert "APPROVED" in world.run("status").stdout.partition("on their way")[2].partition("queues")[0]


def test_a_ledger_that_does_not_add_up_is_the_first_thing_said(world: World) -> None:
    fund(world).post([instruction("P1")])
    assert world.run("ledger", "verify").exit_code == 0
    world.client("dynamodb").update_item(
        TableName="balances", Key={"balance_key": {"S": f"{ALICE.account_id}#EUR#000"}},
        UpdateExpression="ADD balance_minor :one", ExpressionAttributeValues={":one": {"N": "1"}},
    )  # fmt: skip
    assert "ledger" in world.ask("status")["attention"][0]
    answer = world.run("ledger", "verify", "--json")
    assert answer.exit_code == 1
    assert answer.json["wrong"]
    assert not world.ask("status", "--verify")["ledger"]["balanced"]


def test_balances_and_entries_are_told_in_minor_units_to_programs_and_in_major_ones_to_people(
    world: World,
) -> None:
    fund(world).post([instruction("P1", amount=1234)])
    (alice,) = world.ask("ledger", "balances", "--account", ALICE.account_id)["balances"]
    assert alice["balance_minor"] == str(100_000 - 1234)
    shown = world.run("ledger", "balances").stdout
    assert "987.66 EUR" in shown
    assert "Below zero: a card payment" in shown
    assert "Below zero" not in world.run("ledger", "balances", "--account", ALICE.account_id).stdout
    entries = world.ask("ledger", "entries", "visa-P1")["entries"]
    assert sorted((entry["direction"], entry["amount"]) for entry in entries) == [
        ("credit", "1234"),
        ("debit", "1234"),
    ]
    world.timeline.record(stories.paid("P8")[:2])
    nothing = world.run("ledger", "entries", "visa-P8")
    assert nothing.exit_code == 1
    assert "booked nothing" in nothing.stderr
    unknown = world.run("ledger", "entries", "visa-P9")
    assert unknown.exit_code == 2
    assert "nothing is known of 'visa-P9'" in unknown.stderr
    assert world.run("ledger", "balances", "--account", "nobody").exit_code == 2


def test_an_overdraft_is_agreed_in_major_units_and_anew_in_place_of_the_first(world: World) -> None:
    ledger, name = fund(world), ALICE.account_id
    for limit in ("500.00", "20.5"):
        told = world.ask("ledger", "overdraft", name, limit, "eur")
    assert told == {"account": name, "currency": "EUR", "overdraft_minor": "2050"}
    (alice,) = world.ask("ledger", "balances", "--account", name)["balances"]
    assert alice["available_minor"] == str(100_000 + 2050)
    (answer,) = ledger.post([instruction("P1", Kind.TRANSFER, 102_050, to=BOB)])
    assert isinstance(answer, Settled)
    assert answer.outcomes[0].state is OutcomeState.POSTED
    assert world.ask("ledger", "verify")["wrong"] == {}
    unknown = world.run("ledger", "overdraft", "nobody", "5", "EUR")
    assert (unknown.exit_code, unknown.stderr.count("--new")) == (2, 1)
    assert world.run("ledger", "balances", "--account", "nobody").exit_code == 2
    assert world.run("ledger", "overdraft", "nobody", "5", "EUR", "--new").exit_code == 0
    assert "not be overdrawn any more" in world.run("ledger", "overdraft", "nobody", "0", "EUR").stdout


@pytest.mark.parametrize(
    ("limit", "currency", "named"),
    [("5.001", "EUR", "LIMIT"), ("-5", "EUR", "LIMIT"), ("5", "XYZ", "CURRENCY"), ("5", "USD", "CURRENCY")],
)
def test_an_overdraft_nobody_can_agree_to_is_refused(
    world: World, limit: str, currency: str, named: str
) -> None:
    fund(world)
    answer = world.run("ledger", "overdraft", ALICE.account_id, limit, currency)
    assert (answer.exit_code, answer.stderr.count(named)) == (2, 1)
    assert world.ask("ledger", "balances", "--account", ALICE.account_id)["balances"][0][
        "available_minor"
    ] == str(100_000)


def test_a_large_balance_is_told_whole_though_it_may_look_like_a_card_number(world: World) -> None:
    minor = int(sample.pan(3))
    ledger = DynamoDbLedger(world.client("dynamodb"), "ledger", "balances")
    ledger.fund(ALICE, Money(minor, "EUR"), "funding-alice", NOON)
    (alice,) = world.ask("ledger", "balances", "--account", ALICE.account_id)["balances"]
    assert alice["balance_minor"] == str(minor)


def test_the_sweeper_can_be_run_at_once(world: World) -> None:
    world.functions.known["postbus-sweep"] = lambda _: {"sent": 3}
    assert world.ask("sweep") == {"sent": 3}


# -- which deployment ------------------------------------------------------------------------------------


def test_the_deployment_is_read_from_the_parameter_store(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {**world.deployment.names, "name_prefix": "blue-"}
    world.client("ssm").put_parameter(Name="/blue-postbus/deployment", Value=json.dumps(names), Type="String")
    assert load("blue-", "eu-central-1").names == names
    result = CliRunner().invoke(
        app, ["--prefix", "blue-", "--region", "eu-central-1", "deployment", "--json"]
    )
    assert json.loads(result.stdout) == names


def test_the_deployment_is_read_from_a_file(world: World) -> None:
    result = CliRunner().invoke(app, ["--deployment", str(world.file), "deployment"])
    assert result.exit_code == 0
    assert "tables.visa" in result.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{", "not JSON"),
        ("[]", "expected a JSON object"),
        ('{"name_prefix": "", "region": 1}', "region: expected text"),
        ('{"name_prefix": "", "region": "x", "bus": "b"}', "tables: expected an object"),
    ],
)
def test_a_deployment_file_that_is_none_is_told_apart(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "deployment.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CannotRun, match=said):
        load(file=file)


def test_a_ledger_this_command_does_not_know_is_not_taken_for_the_external_one(world: World) -> None:
    world.deployment = Deployment({**world.deployment.names, "ledger": "paper"})
    answer = world.run("status")
    assert answer.exit_code == 2
    assert "the deployment's ledger is 'paper'" in answer.stderr


def test_what_the_environment_says_for_other_programs_does_not_choose_a_deployment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameter = {"Name": "/postbus/deployment", "Value": json.dumps(world.deployment.names)}
    world.client("ssm").put_parameter(**parameter, Type="String")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("POSTBUS_PORT", "4600")
    result = CliRunner().invoke(app, ["sample", "load"])
    assert result.exit_code == 2
    assert "no stack is up on port 4600 of this machine: `make demo`" in result.stderr
    assert "by --region" in result.stderr
    prefixed = CliRunner().invoke(app, ["--prefix", "blue-", "status"])
    assert "which region is blue-postbus in?" in prefixed.stderr
    assert CliRunner().invoke(app, ["--region", "eu-central-1", "deployment"]).exit_code == 0


def test_a_command_that_changes_something_says_first_to_which_deployment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.functions.known["postbus-sweep"] = lambda _: {"sent": 3}
    assert world.run("sweep").stderr == "to postbus in eu-central-1:\n"
    assert world.run("sweep", "--json").stderr == ""
    assert world.run("status").stderr == ""
    assert world.run("reconcile").stderr.startswith("to postbus in eu-central-1:\n")
    assert world.run("reconcile", "--dry-run").stderr == ""
    for words in (
        ("hold", "release", "visa-A1", "--reason", "x"),
        ("hold", "refuse", "visa-A1", "--reason", "x"),
        ("cancel", "visa-A1", "--reason", "x"),
        ("rules", "rollback", "--to", "r1", "--reason", "x"),
        ("rules", "publish", "--reason", ""),
        ("dlq", "redrive", "posting"),
        ("iso20022", "accept", "x", "--reason", "x"),
        ("iso20022", "refuse", "x", "--reason", "x"),
        ("iso20022", "redrive", "x"),
        ("iso20022", "send", "x.xml"),
    ):
        assert world.run(*words).stderr.startswith("to postbus in eu-central-1:\n"), words
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert str(world.deployment) == "postbus at http://127.0.0.1:4566"


def test_every_command_that_does_more_than_look_is_one_that_says_so() -> None:
    def commands(command: Any, *words: str) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield " ".join(words), command
            return
        for name, below in command.commands.items():
            yield from commands(below, *words, name)

    looking = {name for name, command in commands(get_command(app)) if not isinstance(command, Changing)}
    assert looking == {
        "deployment",
        "dlq list",
        "dlq show",
        "hold list",
        "hold show",
        "iso20022 list",
        "iso20022 show",
        "ledger balances",
        "ledger entries",
        "ledger verify",
        "rules check",
        "rules list",
        "rules show",
        "status",
        "trace",
    }


def test_a_deployment_that_is_not_there_is_named_with_what_to_do(world: World) -> None:
    result = CliRunner().invoke(app, ["--prefix", "green-", "--region", "eu-central-1", "status"])
    assert result.exit_code == 2
    assert "no deployment at /green-postbus/deployment" in result.stderr


def test_a_service_that_does_not_answer_is_told_without_a_traceback(world: World) -> None:
    import boto3
    from botocore.config import Config

    world.deployment._clients["dynamodb"] = boto3.client(
        "dynamodb", endpoint_url="http://127.0.0.1:9", config=Config(retries={"max_attempts": 1})
    )
    answer = world.run("trace", "visa-A1")
    assert answer.exit_code == 3
    assert (
        answer.stderr.strip()
        == "postbus: timeline did not answer: EndpointConnectionError. Nothing is lost: try again."
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.25, "250 ms"),
        (4.2, "4.2 s"),
        (59, "59 s"),
        (61, "1 min"),
        (7260, "2 h 1 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_spans_of_time_are_told_in_two_units_at_most(seconds: float, said: str) -> None:
    assert ago(seconds) == said
