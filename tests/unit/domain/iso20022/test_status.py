"""The one table of statuses: nothing is stuck, nothing final goes on, some holds are an operator's."""

import pytest

from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.status import FINAL, MEANINGS, MOVES, Actor, may_move, may_replace

OPEN = sorted(set(Status) - FINAL)
OTHER = Reason("NARR")
HELD = [(Reason("FR01"),), (Reason("RR04"),), (OTHER, Reason("FR01")), (OTHER, Reason("RR04"))]


def reachable(status: Status) -> set[Status]:
    found = {status}
    while more := {after for before, after in MOVES if before in found} - found:
        found |= more
    return found


def test_every_status_is_explained_and_can_come_about() -> None:
    assert set(MEANINGS) == set(Status)
    assert reachable(Status.ACCP) == set(Status)


@pytest.mark.parametrize("status", OPEN)
def test_no_status_is_stuck(status: Status) -> None:
    assert reachable(status) & FINAL


@pytest.mark.parametrize("status", OPEN)
def test_every_open_status_ends_when_its_time_is_over(status: Status) -> None:
    assert may_move(status, Status.RJCT, Actor.TIME_OUT)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_nothing_follows_a_final_status(status: Status) -> None:
    assert reachable(status) == {status}


def test_nothing_goes_back() -> None:
    for before, after in MOVES:
        assert before not in reachable(after)


@pytest.mark.parametrize("status", Status)
def test_a_conditional_write_and_the_table_agree(status: Status) -> None:
    assert {(before, status) for before in may_replace(status)} == {
        move for move in MOVES if move[1] is status
    }


def test_only_the_ledger_settles() -> None:
    for after in (Status.ACSC, Status.PART):
        assert {actor for actor in Actor if may_move(Status.ACSP, after, actor)} == {Actor.LEDGER}
        assert may_replace(after) == {Status.ACSP}


def test_the_client_moves_on_what_waits_for_its_decision() -> None:
    assert may_move(Status.PDNG, Status.ACSP, Actor.CLIENT, (OTHER,))
    assert may_move(Status.PDNG, Status.RJCT, Actor.CLIENT)


@pytest.mark.parametrize("after", [Status.ACSP, Status.RJCT, Status.CANC])
@pytest.mark.parametrize("actor", [Actor.CLIENT, Actor.TIME_OUT])
@pytest.mark.parametrize("held", HELD)
def test_a_hold_for_fraud_or_regulation_is_closed_to_the_client_and_the_time_out(
    after: Status, actor: Actor, held: tuple[Reason, ...]
) -> None:
    assert not may_move(Status.PDNG, after, actor, held)


@pytest.mark.parametrize("after", [Status.ACSP, Status.RJCT])
@pytest.mark.parametrize("held", HELD)
def test_a_hold_for_fraud_or_regulation_ends_by_an_operator(after: Status, held: tuple[Reason, ...]) -> None:
    assert may_move(Status.PDNG, after, Actor.OPERATOR, held)


def test_an_operator_decides_nothing_that_is_not_held() -> None:
    for before, after in MOVES:
        assert before is Status.PDNG or not may_move(before, after, Actor.OPERATOR)


def test_what_the_table_does_not_name_nobody_may() -> None:
    for before in Status:
        for after in Status:
            if (before, after) not in MOVES:
                assert not any(may_move(before, after, actor) for actor in Actor)
