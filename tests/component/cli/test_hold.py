"""Releasing, refusing and cancelling: once, whoever else does what, and never without a name and a reason."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.cli.desk import Desk
from postbus.cli.hold import decisions
from postbus.cli.resubmission import Resubmission
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.release import Command
from postbus.domain.transaction import Transaction
from tests.component.cli.conftest import World
from tests.contract.conformance import assert_conforms
from tests.fakes import stories
from tests.fakes.approvals import ALICE
from tests.fakes.stories import DUPLICATE, HIGH_AMOUNT

REASON = ("--reason", "the customer confirmed it")
WAIVE = ("--waive", "high-amount")


def hold(world: World, auth: str = "A1", *findings: Any, **more: Any) -> Outcome:
    """A held payment.  It costs 12 500.00 so that the packaged rules find its amount high as well."""
    events, outcome = stories.held(auth, *findings, **more)
    world.timeline.record(events)
    return world.outcomes.decide(outcome)


@pytest.fixture(autouse=True)
def high_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    real = stories.transaction
    monkeypatch.setattr(stories, "transaction", lambda auth="A1", minor=125_000_00: real(auth, minor))


def types(world: World) -> list[str]:
    events = world.on_the_bus()
    for event in events:
        assert_conforms(event)
    return sorted(event.type for event in events)


def test_what_is_held_is_listed_with_its_findings_and_shown_without_a_card_number(world: World) -> None:
    hold(world, "A1", HIGH_AMOUNT)
    hold(world, "A2", HIGH_AMOUNT, DUPLICATE)
    listed = world.ask("hold", "list")["held"]
    assert [one["transaction_id"] for one in listed] == ["visa-A1", "visa-A2"]
    assert [finding["id"] for finding in listed[1]["findings"]] == ["high-amount", "suspected-duplicate"]
    text = world.run("hold", "list").stdout
    assert "visa-A2" in text
    assert "…4242" in text


def test_a_suspected_duplicate_is_shown_beside_its_original(world: World) -> None:
    world.timeline.record(stories.paid("A0"))
    hold(world, "A1", DUPLICATE, duplicate_of="visa-A0")
    shown = world.ask("hold", "show", "visa-A1")
    assert shown["duplicate_of"] == "visa-A0"
    assert shown["other"]["state"] == "POSTED"
    assert shown["other"]["transaction"]["transaction_id"] == "visa-A0"
    assert any("hold release visa-A1" in line for line in shown["allowed"])
    text = world.run("hold", "show", "visa-A1").stdout
    assert "visa-A0 (POSTED)" in text


def test_a_held_payment_whose_record_has_changed_since_is_marked(world: World) -> None:
    transaction_id = world.put_record(auth="A1")
    events, outcome = stories.held("A1")
    assert transaction_id == outcome.transaction_id
    world.timeline.record(events)
    world.outcomes.decide(replace(outcome, content_hash=as_read(world, "A1")))
    assert world.ask("hold", "show", "visa-A1")["record_changed"] is False
    assert "has changed since" not in world.run("hold", "show", "visa-A1").stdout
    world.put_record(auth="A1", merchant_category_code="5999")
    assert world.ask("hold", "show", "visa-A1")["record_changed"] is True
    assert "Its record has changed since" in world.run("hold", "show", "visa-A1").stdout
    world.put_record(auth="A1", transaction_amount="much")
    assert world.ask("hold", "show", "visa-A1")["record_changed"] is True


def as_read(world: World, auth: str) -> str:
    """The content hash of a record as it is in the table."""
    way_in = Resubmission(Desk(lambda: world.deployment), "visa")
    image = way_in.table.find(auth)
    assert image is not None
    read = way_in.read(image)
    assert isinstance(read, Transaction)
    return read.content_hash


def test_a_posted_payment_is_shown_without_empty_tables_but_with_what_contradicts_it(world: World) -> None:
    _, outcome = stories.held("A1")
    told = stories.paid("A1")[-1]
    world.outcomes.decide(
        replace(outcome, state=OutcomeState.POSTED, event_type=told.type, data=told.data, context=None)
    )
    text = world.run("hold", "show", "visa-A1").stdout
    assert "nothing: it is POSTED" in text
    assert "severity" not in text
    assert "field" not in text
    hold(world, "A1.conflict-00000000", conflict_with="visa-A1")
    assert "postbus hold show visa-A1.conflict-00000000" in world.run("hold", "show", "visa-A1").stdout
    assert world.ask("hold", "show", "visa-A1")["held_conflicts"] == ["visa-A1.conflict-00000000"]


def test_a_release_names_who_and_why_and_approves_the_posting(world: World) -> None:
    hold(world)
    answer = world.ask("hold", "release", "visa-A1", *WAIVE, *REASON, "--operator", "jane.doe")
    assert (answer["state"], answer["done"], answer["announced"]) == ("RELEASED", True, True)
    outcome = world.outcomes.find("visa-A1")
    assert outcome is not None
    decision = outcome.data["decision"]
    assert decision["reason"] == "the customer confirmed it"
    assert decision["operator"].startswith("arn:aws:sts::")
    assert decision["operator"].endswith(", as jane.doe")
    assert types(world) == ["TransactionPostingApproved", "TransactionReleased"]


def test_without_a_claimed_name_the_identity_aws_knows_is_recorded(world: World) -> None:
    hold(world)
    assert world.ask("hold", "release", "visa-A1", *WAIVE, *REASON)["operator"].startswith("arn:aws:sts::")


def test_a_release_that_waives_too_little_changes_nothing_and_says_what_remains(world: World) -> None:
    before = hold(world, "A1", HIGH_AMOUNT, DUPLICATE, duplicate_of="visa-A0")
    answer = world.run("hold", "release", "visa-A1", *WAIVE, *REASON)
    assert answer.exit_code == 1
    assert "--waive suspected-duplicate" in answer.stderr
    assert world.outcomes.find("visa-A1") == before
    assert world.on_the_bus() == []


def test_an_account_blocked_since_stands_against_a_release(world: World) -> None:
    hold(world)
    world.client("dynamodb").update_item(
        TableName="accounts", Key={"token": {"S": "tok_alice"}},
        UpdateExpression="SET #s = :s", ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": "blocked"}},
    )  # fmt: skip
    answer = world.run("hold", "release", "visa-A1", *WAIVE, *REASON)
    assert answer.exit_code == 1
    assert "ACCOUNT_BLOCKED" in answer.stderr


def test_a_conflict_may_be_refused_and_never_released(world: World) -> None:
    hold(world, "A1", HIGH_AMOUNT, conflict_with="visa-A0")
    assert world.run("hold", "release", "visa-A1", *WAIVE, *REASON).exit_code == 1
    shown = world.ask("hold", "show", "visa-A1")
    assert not any("hold release" in line for line in shown["allowed"])
    assert world.ask("hold", "refuse", "visa-A1", *REASON)["state"] == "VOIDED"


def test_a_refused_payment_stays_refused_whatever_is_said_later(world: World) -> None:
    hold(world)
    assert world.ask("hold", "refuse", "visa-A1", *REASON)["done"]
    standing = world.outcomes.find("visa-A1")
    assert types(world) == ["TransactionVoided"]
    late = world.run("hold", "release", "visa-A1", *WAIVE, "--reason", "changed my mind", "--json")
    assert late.exit_code == 1
    assert (late.json["state"], late.json["done"]) == ("VOIDED", False)
    again = world.ask("hold", "refuse", "visa-A1", "--reason", "again")
    assert (again["done"], again["decided_at"]) == (False, late.json["decided_at"])
    assert world.outcomes.find("visa-A1") == standing
    assert types(world) == ["TransactionVoided", "TransactionVoided"]


def test_a_repeated_release_announces_what_stands_again_and_says_so(world: World) -> None:
    hold(world)
    world.ask("hold", "release", "visa-A1", *WAIVE, *REASON)
    first = world.on_the_bus()
    again = world.run("hold", "release", "visa-A1", *WAIVE, "--reason", "twice")
    assert again.exit_code == 0
    assert "Nothing was changed" in again.stdout
    assert {event.to_json() for event in world.on_the_bus()} == {event.to_json() for event in first}


@pytest.mark.parametrize("attempt", range(5))
def test_of_a_release_and_a_refusal_at_once_exactly_one_is_done(world: World, attempt: int) -> None:
    auth = f"R{attempt}"
    hold(world, auth)
    commands = [
        ("hold", "release", f"visa-{auth}", *WAIVE, *REASON, "--json"),
        ("hold", "refuse", f"visa-{auth}", *REASON, "--json"),
    ]
    with ThreadPoolExecutor(2) as both:
        decided = [
            done for done in both.map(lambda words: decide(world, *words), commands) if done is not None
        ]
    assert sorted(one.done for one in decided) == [False, True]
    assert {one.outcome.state for one in decided} in ({OutcomeState.RELEASED}, {OutcomeState.VOIDED})


@pytest.mark.parametrize("first", ["release", "refuse"])
def test_a_command_overtaken_between_its_look_and_its_write_changes_nothing(world: World, first: str) -> None:
    hold(world)
    second = "refuse" if first == "release" else "release"

    class Overtaken(DynamoDbOutcomes):
        """Somebody else decides just before this one writes."""

        def decide(self, wanted: Outcome) -> Outcome:
            assert decide(world, "hold", first, "visa-A1").done
            return super().decide(wanted)

    desk = Desk(lambda: world.deployment)
    desk.outcomes = Overtaken(world.client("dynamodb"), "ledger")
    late = decide(world, "hold", second, "visa-A1", desk=desk)
    assert not late.done
    assert late.outcome == world.outcomes.find("visa-A1")
    assert late.outcome.state is (OutcomeState.RELEASED if first == "release" else OutcomeState.VOIDED)


def decide(world: World, *words: str, desk: Desk | None = None) -> Any:
    """The command without its terminal, of which a process has only one."""
    desk = desk or Desk(lambda: world.deployment)
    command = Command("jane", "because", desk.now())
    if words[1] == "release":
        return decisions(desk).release(words[2], ["high-amount"], command)
    return decisions(desk).refuse(words[2], command)


def test_a_payment_on_its_way_can_be_cancelled_and_a_posted_one_cannot(world: World) -> None:
    world.timeline.record(stories.paid("A1")[:2])
    assert world.ask("cancel", "visa-A1", *REASON)["state"] == "VOIDED"
    (event,) = world.on_the_bus()
    assert event.data["reason"]["code"] == "CANCELLED"
    events = stories.paid("A2")
    world.timeline.record(events)
    world.outcomes.decide(
        Outcome.of(events[2], OutcomeState.POSTED, "TransactionPosted", events[3].data["content_hash"],
                   events[3].occurred_at, events[3].data)
    )  # fmt: skip
    late = world.run("cancel", "visa-A2", *REASON, "--json")
    assert (late.exit_code, late.json["state"], late.json["done"]) == (1, "POSTED", False)


def test_what_only_a_reversal_voided_that_is_not_of_it_is_cancelled_itself(world: World) -> None:
    _, voided = stories.came_first("A1")
    world.outcomes.decide(voided)
    world.timeline.record([voided.announcement()])
    early = world.run("cancel", "visa-A1", *REASON)
    assert (early.exit_code, "visa-R-A1 voids it" in early.stderr) == (1, True)
    events = stories.paid("A1")[:3]
    world.timeline.record(events)
    answer = world.ask("cancel", "visa-A1", *REASON)
    assert (answer["state"], answer["done"]) == ("VOIDED", True)
    (event,) = world.on_the_bus()
    assert (event.data["reason"]["code"], event.causation_id) == ("CANCELLED", events[2].event_id)
    again = world.run("cancel", "visa-A1", *REASON, "--json")
    assert (again.json["state"], again.json["done"]) == ("VOIDED", False)


def test_what_a_reversal_of_it_voided_is_not_cancelled_besides(world: World) -> None:
    _, voided = stories.came_first("A1", fits=True)
    world.outcomes.decide(voided)
    world.timeline.record([voided.announcement(), *stories.paid("A1")[:2]])
    assert world.run("cancel", "visa-A1", *REASON, "--json").json["done"] is False


def test_a_released_payment_can_still_be_cancelled_before_it_is_posted(world: World) -> None:
    hold(world)
    world.ask("hold", "release", "visa-A1", *WAIVE, *REASON)
    assert world.ask("cancel", "visa-A1", *REASON)["done"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hold", "show", "visa-nobody"), "transaction: 'visa-nobody' is unknown"),
        (("cancel", "visa-nobody", *REASON), "transaction: 'visa-nobody' is unknown"),
        (("hold", "refuse", "visa-A1", "--reason", "  "), "--reason"),
        (("hold", "refuse", "visa-A1", "--reason", "card 4111 1111 1111 1111"), "--reason"),
        (("hold", "refuse", "visa-A1", "--reason", "x" * 501), "--reason"),
        (("hold", "refuse", "visa-A1", *REASON, "--operator", "jané\n"), "--operator"),
        (("hold", "refuse", "visa-A1"), "--reason"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(world: World, words: tuple[str, ...], said: str) -> None:
    before = hold(world)
    answer = world.run(*words)
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert world.outcomes.find("visa-A1") == before
    assert world.on_the_bus() == []


def test_a_payment_that_is_not_held_is_neither_released_nor_refused(world: World) -> None:
    world.timeline.record(stories.paid("A1")[:2])
    answer = world.run("hold", "release", "visa-A1", *WAIVE, *REASON)
    assert answer.exit_code == 1
    assert "on its way" in answer.stderr


def test_a_decision_whose_announcement_fails_stands_and_is_left_to_the_sweeper(world: World) -> None:
    hold(world)
    world.deployment._clients["events"] = Deaf()
    answer = world.ask("hold", "refuse", "visa-A1", *REASON)
    assert (answer["done"], answer["announced"]) == (True, False)
    assert [outcome.transaction_id for outcome in world.outcomes.unannounced()] == ["visa-A1"]


class Deaf:
    """An events client whose bus takes nothing."""

    def put_events(self, Entries: Any) -> Any:  # noqa: N803 - the client's own name
        return {"Entries": [{"ErrorCode": "ThrottlingException"} for _ in Entries]}


def test_no_personal_data_beyond_the_last_four_digits_is_shown(world: World) -> None:
    world.client("dynamodb").update_item(
        TableName="accounts", Key={"token": {"S": "tok_alice"}},
        UpdateExpression="SET iban = :i, holder = :h",
        ExpressionAttributeValues={":i": {"S": "DE89370400440532013000"}, ":h": {"S": "Alice Example"}},
    )  # fmt: skip
    hold(world)
    for words in (("hold", "show", "visa-A1"), ("trace", "visa-A1"), ("hold", "list"), ("status",)):
        told = world.run(*words).stdout + world.run(*words, "--json").stdout
        assert "Alice" not in told
        assert "DE89" not in told
    assert ALICE.account_id


@pytest.mark.parametrize("claimed", ["jane, as root", "j" * 65, "1234_5678_9012_3456", "jane\x1b[2J", ""])
def test_a_name_that_could_pass_for_another_is_refused(world: World, claimed: str) -> None:
    hold(world)
    answer = world.run("hold", "release", "visa-A1", *WAIVE, *REASON, "--operator", claimed)
    assert (answer.exit_code, "--operator" in answer.stderr) == (2, True)


@pytest.mark.parametrize("reason", ["card 1234_5678_9012_3456", "card 1234/5678/9012/3"])
def test_a_reason_with_a_long_number_is_refused_however_it_is_separated(world: World, reason: str) -> None:
    hold(world)
    answer = world.run("hold", "release", "visa-A1", *WAIVE, "--reason", reason)
    assert "--reason" in answer.stderr
    assert answer.exit_code != 0
