"""The one table of states: nothing is stuck, nothing goes back, and the order of arrival does not matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.lifecycle import (
    COMMANDS,
    FACTS,
    FINAL_OUTCOMES,
    FINAL_STATES,
    REFUSED_BY_LEDGER_FROM,
    TRANSITIONS,
    OutcomeState,
    State,
    state_of,
)

told = st.lists(st.sampled_from([*FACTS]), max_size=12)


@given(told.flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))))
def test_events_in_any_order_add_up_to_the_same_state(orders: tuple[list[str], list[str]]) -> None:
    events, shuffled = orders
    assert state_of(events) is state_of(shuffled)


@given(told)
def test_hearing_an_event_again_changes_nothing(events: list[str]) -> None:
    assert state_of(events) is state_of(events * 2)


@given(told, st.sampled_from([*FACTS]))
def test_another_event_never_reopens_what_is_final(events: list[str], another: str) -> None:
    assert state_of([*events, another]) in FINAL_STATES or state_of(events) not in FINAL_STATES


def test_a_remark_moves_nothing() -> None:
    assert state_of(["ForeignTransactionFound"]) is None
    assert state_of(["TransactionEnriched", "ForeignTransactionFound"]) is State.ENRICHED


def test_a_name_that_is_no_fact_moves_nothing() -> None:
    assert state_of(["SomethingElse"]) is None


def test_an_approval_under_changed_rules_does_not_lift_a_hold() -> None:
    assert state_of(["TransactionHeld", "TransactionPostingApproved"]) is State.HELD
    assert (
        state_of(["TransactionHeld", "TransactionReleased", "TransactionPostingApproved"]) is State.RELEASED
    )


@pytest.mark.parametrize("state", State)
def test_every_state_is_told_by_an_event_and_leaves_the_operator_something_to_do(state: State) -> None:
    assert any(fact.state is state for fact in FACTS.values())
    assert COMMANDS[state]


@pytest.mark.parametrize("outcome", OutcomeState)
def test_no_outcome_is_stuck_and_none_follows_a_final_one(outcome: OutcomeState) -> None:
    following = {wanted for wanted in OutcomeState if outcome in TRANSITIONS[wanted]}
    assert bool(following) is (outcome not in FINAL_OUTCOMES)


@pytest.mark.parametrize("outcome", sorted(set(OutcomeState) - FINAL_OUTCOMES))
def test_every_outcome_that_is_not_final_can_become_final(outcome: OutcomeState) -> None:
    reached = {outcome}
    for _ in OutcomeState:
        reached |= {wanted for wanted in OutcomeState if reached & TRANSITIONS[wanted]}
    assert reached & FINAL_OUTCOMES


def test_what_may_have_been_sent_is_voided_by_nobody_but_the_ledger() -> None:
    assert OutcomeState.SENDING not in TRANSITIONS[OutcomeState.VOIDED]
    assert OutcomeState.SENDING in REFUSED_BY_LEDGER_FROM


def test_final_states_are_those_after_which_no_outcome_can_change() -> None:
    assert {State.REJECTED, State.VOIDED, State.FAILED, State.POSTED} == FINAL_STATES
