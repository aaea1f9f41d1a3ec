"""What an operator may decide, and what of it cannot be decided away."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postbus.domain import release
from postbus.domain.enrichment import Rejection
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.posting import PostingInstruction
from postbus.domain.release import Command, NotReleasable
from postbus.domain.rules import Evaluation, Finding
from tests.contract.conformance import assert_conforms
from tests.fakes import stories
from tests.fakes.approvals import ALICE, NOON
from tests.fakes.stories import BLOCKED, DUPLICATE, HIGH_AMOUNT, WATCHED

LATER = NOON + timedelta(hours=1)
COMMAND = Command("arn:aws:sts::000000000000:assumed-role/on-call/jane", "the customer confirmed", LATER)


def decide(
    held: Outcome, now: tuple[Finding, ...], *waived: str, status: str = "open"
) -> Outcome | NotReleasable:
    enriched = release.examine(held, {**ALICE.to_data(), "status": status}, None)
    evaluation = None if isinstance(enriched, Rejection) else Evaluation(now, "r2")
    return release.release(held, enriched, evaluation, waived, COMMAND)


def test_a_release_that_names_every_finding_approves_the_posting_of_what_was_authorised() -> None:
    _, held = stories.held("A1", HIGH_AMOUNT, DUPLICATE)
    released = decide(held, (HIGH_AMOUNT, DUPLICATE, WATCHED), "high-amount", "suspected-duplicate")
    assert isinstance(released, Outcome)
    assert (released.state, released.event_type) == (OutcomeState.RELEASED, "TransactionPostingApproved")
    assert released.content_hash == held.content_hash
    first, second = release.announcements(released)
    for event in (first, second):
        assert_conforms(event)
    assert first.causation_id == held.announcement().event_id
    assert second == released.announcement()
    assert second.data["decision"]["waived"] == ["high-amount", "suspected-duplicate"]
    assert second.data["decision"]["operator"] == COMMAND.operator
    posting = PostingInstruction.from_event(second, LATER)
    assert posting.transaction == stories.transaction("A1")


def test_announcing_a_release_again_says_the_same_words() -> None:
    _, held = stories.held()
    released = decide(held, (HIGH_AMOUNT,), "high-amount")
    assert isinstance(released, Outcome)
    assert release.announcements(released) == release.announcements(released)
    assert [event.replay for event in release.announcements(released, "r")] == ["r", "r"]


def test_a_finding_that_is_not_named_still_stands_and_is_named_in_the_answer() -> None:
    _, held = stories.held("A1", HIGH_AMOUNT, DUPLICATE)
    answer = decide(held, (HIGH_AMOUNT, DUPLICATE), "high-amount")
    assert isinstance(answer, NotReleasable)
    assert [finding.id for finding in answer.remaining] == ["suspected-duplicate"]
    assert "--waive suspected-duplicate" in answer.reason


def test_what_the_rules_find_now_has_to_be_waived_as_well() -> None:
    _, held = stories.held("A1", HIGH_AMOUNT)
    answer = decide(held, (HIGH_AMOUNT, DUPLICATE), "high-amount")
    assert isinstance(answer, NotReleasable)
    assert "suspected-duplicate" in answer.reason


def test_what_the_rules_no_longer_find_was_found_all_the_same_and_has_to_be_named() -> None:
    _, held = stories.held("A1", HIGH_AMOUNT)
    assert isinstance(decide(held, ()), NotReleasable)
    assert isinstance(decide(held, (), "high-amount"), Outcome)


def test_nobody_waives_what_refuses() -> None:
    _, held = stories.held("A1", HIGH_AMOUNT)
    answer = decide(held, (BLOCKED, HIGH_AMOUNT), "high-amount", "blocked-merchant")
    assert isinstance(answer, NotReleasable)
    assert "nobody can waive" in answer.reason


def test_a_misspelt_finding_is_named_and_nothing_is_released() -> None:
    _, held = stories.held()
    answer = decide(held, (HIGH_AMOUNT,), "high-amount", "hihg-amount")
    assert isinstance(answer, NotReleasable)
    assert "--waive hihg-amount" in answer.reason


@pytest.mark.parametrize("status", ["blocked", "closed"])
def test_an_account_that_was_closed_or_blocked_since_stands_against_the_release(status: str) -> None:
    _, held = stories.held()
    answer = decide(held, (HIGH_AMOUNT,), "high-amount", status=status)
    assert isinstance(answer, NotReleasable)
    assert f"ACCOUNT_{status.upper()}" in answer.reason


def test_a_conflict_is_never_released() -> None:
    _, held = stories.held("A1", HIGH_AMOUNT, conflict_with="visa-A0")
    answer = decide(held, (HIGH_AMOUNT,), "high-amount")
    assert isinstance(answer, NotReleasable)
    assert "visa-A0" in answer.reason


def test_a_conflict_is_never_released_though_only_what_came_in_tells_of_it() -> None:
    _, held = stories.held("A1", HIGH_AMOUNT, conflict_with="visa-A0")
    data = {name: value for name, value in held.data.items() if name != "conflict_with"}
    answer = decide(replace(held, data={**data, "releasable": True}), (HIGH_AMOUNT,), "high-amount")
    assert isinstance(answer, NotReleasable)
    assert "visa-A0" in answer.reason


def test_a_duplicate_is_released_only_by_its_name_though_no_rule_finds_it() -> None:
    _, held = stories.held("A1", HIGH_AMOUNT, duplicate_of="visa-A0")
    answer = decide(held, (), "high-amount")
    assert isinstance(answer, NotReleasable)
    assert [finding.id for finding in answer.remaining] == ["suspected-duplicate"]
    assert isinstance(decide(held, (), "high-amount", "suspected-duplicate"), Outcome)


def test_a_refusal_and_a_cancellation_are_announced_with_who_and_why() -> None:
    events, held = stories.held()
    for outcome, code in (
        (release.refuse(held, COMMAND), "REFUSED_BY_OPERATOR"),
        (release.cancel(events[1], COMMAND), "CANCELLED"),
    ):
        event = outcome.announcement()
        assert_conforms(event)
        assert outcome.state is OutcomeState.VOIDED
        assert event.data["reason"] == {"code": code, "text": "the customer confirmed"}
        assert event.data["operator"] == COMMAND.operator
        assert outcome.content_hash == held.content_hash


def test_a_refusal_answers_a_hold_and_nothing_else() -> None:
    _, held = stories.held()
    assert release.refuse(held, COMMAND).may_replace == {OutcomeState.HELD}
    assert release.cancel(held.announcement(), COMMAND).may_replace == {
        None, OutcomeState.HELD, OutcomeState.RELEASED,
    }  # fmt: skip
