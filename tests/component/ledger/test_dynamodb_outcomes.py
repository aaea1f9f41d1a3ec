"""The outcome items: what may follow what, whoever writes first, and what somebody must still look at."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import REFUSED_BY_LEDGER, Outcome
from tests.component.ledger.worlds import TableWorld, World, cancel, hold, post, refuse, release
from tests.fakes.approvals import NOON, instruction

HELD, RELEASED, SENDING, POSTED, VOIDED = OutcomeState


def wanted(state: OutcomeState, **changes: Any) -> Outcome:
    approved = instruction("A1")
    types = {HELD: "TransactionHeld", POSTED: "TransactionPosted", VOIDED: "TransactionVoided"}
    event_type, data = types.get(state, "TransactionPostingApproved"), {"reason": {"code": "CANCELLED"}}
    outcome = Outcome.of(approved.cause, state, event_type, approved.transaction.content_hash, NOON, data)
    return replace(outcome, **changes)


def reach(world: World, state: OutcomeState | None) -> None:
    """Bring visa-A1 to a state."""
    path = {
        HELD: (HELD,),
        RELEASED: (HELD, RELEASED),
        SENDING: (SENDING,),
        POSTED: (POSTED,),
        VOIDED: (VOIDED,),
    }
    for step in path[state] if state else ():
        assert world.outcomes.decide(wanted(step)).state is step


@pytest.mark.parametrize("stored", [None, *OutcomeState])
@pytest.mark.parametrize("state", list(OutcomeState))
def test_a_decision_follows_what_the_lifecycle_lets_it_follow_and_nothing_else(
    world: World, stored: OutcomeState | None, state: OutcomeState
) -> None:
    reach(world, stored)
    before = world.outcomes.find("visa-A1")
    decision = wanted(state, causation_id="another cause")
    if stored in decision.may_replace:
        assert world.outcomes.decide(decision) == decision
        assert world.outcomes.find("visa-A1") == decision
    elif stored is None:
        with pytest.raises(InvariantBroken, match="visa-A1"):
            world.outcomes.decide(decision)
    else:
        assert world.outcomes.decide(decision) == before
        assert world.outcomes.find("visa-A1") == before


def test_only_the_ledgers_own_refusal_ends_what_was_sent_to_it(world: World) -> None:
    reach(world, SENDING)
    refusal = wanted(
        VOIDED, event_type="TransactionPostingFailed", data={"reason": {"code": REFUSED_BY_LEDGER}}
    )
    other = wanted(
        VOIDED, event_type="TransactionPostingFailed", data={"reason": {"code": "INSUFFICIENT_FUNDS"}}
    )
    assert world.outcomes.decide(other).state is SENDING
    assert world.outcomes.decide(refusal) == refusal


@pytest.mark.parametrize("state", list(OutcomeState))
def test_a_decision_about_other_content_meets_what_stands_in_a_replay_only(
    world: World, state: OutcomeState
) -> None:
    reach(world, state)
    standing = world.outcomes.find("visa-A1")
    other = wanted(HELD, content_hash="other")
    with pytest.raises(InvariantBroken, match="visa-A1"):
        world.outcomes.decide(other)
    assert world.outcomes.decide(replace(other, replay="july")) == standing


@pytest.mark.parametrize("replay", [None, "july"])
def test_an_outcome_remembers_the_replay_it_was_decided_in(world: World, replay: str | None) -> None:
    decided = world.outcomes.decide(wanted(HELD, replay=replay))
    assert world.outcomes.find("visa-A1") == decided
    assert decided.replay == replay


def test_nothing_is_found_of_a_transaction_nobody_decided(world: World) -> None:
    assert world.outcomes.find("visa-A1") is None


def test_what_waits_is_listed_oldest_first_until_it_is_decided(world: World) -> None:
    for auth, minutes in (("A3", 3), ("A1", 1), ("A2", 2)):
        later = NOON + timedelta(minutes=minutes)
        approved = instruction(auth)
        world.outcomes.decide(
            Outcome.of(approved.cause, HELD, "TransactionHeld", approved.transaction.content_hash, later, {})
        )
    assert [o.transaction_id for o in world.outcomes.in_state(HELD)] == ["visa-A1", "visa-A2", "visa-A3"]
    refuse(world, "A2")
    release(world, "A3")
    assert [o.transaction_id for o in world.outcomes.in_state(HELD)] == ["visa-A1"]
    assert [o.transaction_id for o in world.outcomes.in_state(RELEASED)] == ["visa-A3"]


def test_a_hold_keeps_its_context_for_the_release(world: World) -> None:
    hold(world, "A1")
    found = world.outcomes.find("visa-A1")
    assert found is not None
    assert found.context is not None
    assert found.context["transaction"]["transaction_id"] == "visa-A1"


def test_a_command_is_listed_until_its_announcement_is_confirmed(world: World) -> None:
    refused = cancel(world, "A1")
    post(world, "A2")
    world.outcomes.decide(wanted(VOIDED, transaction_id="visa-A3"))
    assert list(world.outcomes.unannounced()) == [refused]
    world.outcomes.announced(refused)
    world.outcomes.announced(refused)
    assert list(world.outcomes.unannounced()) == []
    assert world.outcomes.find("visa-A1") == refused


def test_a_hold_released_and_refused_at_once_is_one_of_the_two(tables: TableWorld, monkeypatch: Any) -> None:
    hold(tables, "A1")
    real, left = tables.client.put_item, ["A1"]

    def put(**request: Any) -> Any:
        if left:
            refuse(tables, left.pop())
        return real(**request)

    monkeypatch.setattr(tables.client, "put_item", put)
    assert release(tables, "A1").state is VOIDED
    found = tables.outcomes.find("visa-A1")
    assert found is not None
    assert found.state is VOIDED


def test_of_all_that_is_held_only_what_conflicts_with_the_transaction_is_read(
    tables: TableWorld, monkeypatch: Any
) -> None:
    for number in range(20):
        tables.outcomes.decide(wanted(HELD, transaction_id=f"visa-A1{number}"))
    for own, against in (("visa-A1.conflict-1", "visa-A1"), ("visa-A1.conflict-2", "visa-A1.conflict-1")):
        tables.outcomes.decide(wanted(HELD, transaction_id=own, data={"conflict_with": against}))
    calls: list[str] = []
    real = tables.client._make_api_call  # type: ignore[attr-defined]

    def counted(operation: str, request: Any) -> Any:
        calls.append(operation)
        return real(operation, request)

    monkeypatch.setattr(tables.client, "_make_api_call", counted)
    found = list(tables.outcomes.conflicts("visa-A1"))
    assert [outcome.transaction_id for outcome in found] == ["visa-A1.conflict-1"]
    assert calls == ["Query", "GetItem", "GetItem"]


@pytest.mark.parametrize("call", ["find", "decide", "in_state", "announced"])
def test_a_table_that_does_not_answer_has_said_nothing(
    tables: TableWorld, monkeypatch: Any, call: str
) -> None:
    def silent(*_: Any, **__: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(tables.client, "_make_api_call", silent)
    calls = {
        "find": lambda: tables.outcomes.find("visa-A1"),
        "decide": lambda: tables.outcomes.decide(wanted(HELD)),
        "in_state": lambda: list(tables.outcomes.in_state(HELD)),
        "announced": lambda: tables.outcomes.announced(wanted(VOIDED)),
    }
    with pytest.raises(Unavailable):
        calls[call]()


@pytest.mark.parametrize("call", ["decide", "announced"])
def test_an_item_that_a_transaction_holds_has_said_nothing(
    tables: TableWorld, monkeypatch: Any, call: str
) -> None:
    def held(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": "TransactionConflictException", "Message": "busy"}}, "PutItem")

    monkeypatch.setattr(tables.client, "_make_api_call", held)
    with pytest.raises(Unavailable, match="TransactionConflictException"):
        getattr(tables.outcomes, call)(wanted(VOIDED))


@pytest.mark.parametrize("call", ["decide", "announced"])
def test_any_other_error_is_nobodys_decision(tables: TableWorld, monkeypatch: Any, call: str) -> None:
    def denied(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutItem")

    monkeypatch.setattr(tables.client, "_make_api_call", denied)
    with pytest.raises(ClientError):
        getattr(tables.outcomes, call)(wanted(VOIDED))
