"""What was here before is no second payment, and what came to nothing may be sent again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postbus.domain.errors import Unavailable
from postbus.domain.iso20022.checks import NeedsDecision, Refused
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.workflow import ChildState, Entry, Head, StepName
from tests.fakes.messages import NOON, begun, finish
from tests.fakes.processing import ANOTHER_CLIENT, OTHER_DEBTOR, Crash, World, pacs_008, transfer

FIRST = pacs_008(transfer(1))
AGAIN = pacs_008(transfer(1), message_id="M-2")
DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    return World()


def codes(world: World, head: Head) -> list[str]:
    """What the one transfer of a message is refused with."""
    (child,) = world.messages.children(head.transaction_id)
    return sorted(reason.code for reason in child.reasons)


def opened(world: World, body: bytes, number: int, after: timedelta) -> Head:
    """A message through both steps whose transaction was opened so long after noon."""
    head = begun(world.messages, number, opened_at=NOON + after)
    document = world.documents.put(f"incoming/{number}.xml", body)
    world.messages.attach(head.transaction_id, head.owner, document, head.deadline)
    for step in (StepName.RECEIVE, StepName.PROCESS):
        world.run(step, head.transaction_id)
    return world.head(head.transaction_id)


def standing_order(number: int, amount: str = "10.00", end_to_end: str = "RENT") -> bytes:
    """One of several payments between the same accounts that have nothing but the EndToEndId in common."""
    own = transfer(number, amount).replace(f"<EndToEndId>E-{number}<", f"<EndToEndId>{end_to_end}<")
    return pacs_008(own, message_id=f"M-{number}")


# -- what comes twice --------------------------------------------------------------------------------------


def test_a_payment_that_two_clients_send_is_made_once(world: World) -> None:
    assert world.through(FIRST, 1, ANOTHER_CLIENT).status is Status.ACSP
    again = world.through(FIRST, 2)
    assert codes(world, again) == ["DU03", "DU04"]
    assert len(world.transfers.records) == 1


def test_whoever_debits_another_account_keeps_nobody_from_using_a_uetr(world: World) -> None:
    uetr = "5f1d0a3c-7a45-4b1e-9d55-0d6c0f000001"
    stranger = pacs_008(transfer(7, debtor=OTHER_DEBTOR, uetr=uetr))
    assert world.through(stranger, 1, ANOTHER_CLIENT).status is Status.ACSP
    assert world.through(pacs_008(transfer(1, uetr=uetr)), 2).status is Status.ACSP
    assert len(world.transfers.records) == 2


@pytest.mark.parametrize(
    ("after", "amount", "found"),
    [
        (timedelta(0), "10.00", ["DU04"]),
        (4 * DAY, "10.00", ["DU04"]),
        (5 * DAY, "10.00", []),
        (30 * DAY, "10.00", []),
        (timedelta(0), "10.01", []),
    ],
)
def test_an_end_to_end_id_is_used_again_for_another_amount_or_after_some_days(
    world: World, after: timedelta, amount: str, found: list[str]
) -> None:
    first = opened(world, standing_order(1), 1, timedelta(0))
    finish(world.messages, first.transaction_id, 1, ChildState.POSTED, settled_at=NOON)
    assert codes(world, opened(world, standing_order(2, amount), 2, after)) == found


@pytest.mark.parametrize("is_held", [True, False])
def test_an_end_to_end_id_is_not_used_again_while_its_payment_may_still_be_made(
    world: World, is_held: bool
) -> None:
    if is_held:
        world.screening.answers[1] = NeedsDecision(Reason("RR04"))
    first = opened(world, standing_order(1), 1, timedelta(0))
    assert first.status is (Status.PDNG if is_held else Status.ACSP)
    world.screening.answers.clear()
    assert codes(world, opened(world, standing_order(2), 2, 6 * DAY)) == ["DU04"]
    finish(world.messages, first.transaction_id, 1, ChildState.POSTED, settled_at=NOON + 6 * DAY)
    assert codes(world, opened(world, standing_order(3), 3, 6 * DAY)) == []


def test_of_two_that_use_an_end_to_end_id_again_the_second_binds_from_its_own_day(world: World) -> None:
    first = opened(world, standing_order(1), 1, timedelta(0))
    finish(world.messages, first.transaction_id, 1, ChildState.POSTED, settled_at=NOON)
    second = opened(world, standing_order(2), 2, 6 * DAY)
    finish(world.messages, second.transaction_id, 1, ChildState.POSTED, settled_at=NOON + 6 * DAY)
    assert codes(world, opened(world, standing_order(3), 3, 10 * DAY)) == ["DU04"]


def test_of_a_booked_payment_only_the_end_to_end_id_is_used_again(world: World) -> None:
    first = opened(world, FIRST, 1, timedelta(0))
    finish(world.messages, first.transaction_id, 1, ChildState.POSTED, settled_at=NOON)
    assert codes(world, opened(world, AGAIN, 2, 30 * DAY)) == ["DU03", "DU05"]


def test_every_payment_of_a_standing_order_is_made(world: World) -> None:
    for week in range(1, 9):
        payment = opened(world, standing_order(week), week, 7 * DAY * week)
        assert payment.status is Status.ACSP
        finish(world.messages, payment.transaction_id, 1, ChildState.POSTED, settled_at=payment.opened_at)
    assert len(world.transfers.records) == 8


# -- what came to nothing ----------------------------------------------------------------------------------


def test_what_there_were_no_funds_for_may_be_sent_again(world: World) -> None:
    funds = world.liquidity.available["acct-debtor", "EUR"]
    world.liquidity.available["acct-debtor", "EUR"] = 0
    assert codes(world, world.through(FIRST)) == ["AM04"]
    world.liquidity.available["acct-debtor", "EUR"] = funds
    assert world.through(AGAIN, 2).status is Status.ACSP
    # And now it is the second that binds.
    third = world.through(pacs_008(transfer(1), message_id="M-3"), 3)
    assert codes(world, third) == ["DU03", "DU04", "DU05"]


def test_what_a_check_refused_may_be_sent_again(world: World) -> None:
    world.identity.answers[1] = Refused(Reason("AG01"))
    assert codes(world, world.through(FIRST)) == ["AG01"]
    world.identity.answers.clear()
    assert world.through(AGAIN, 2).status is Status.ACSP


@pytest.mark.parametrize("end", [Status.RJCT, Status.CANC])
def test_what_ended_before_it_was_on_its_way_may_be_sent_again(world: World, end: Status) -> None:
    ended = world.hand_in(FIRST)
    world.run(StepName.RECEIVE, ended)
    # While it is judged: its references are claimed, and no transfer of it is kept yet.
    world.screening.away = True
    with pytest.raises(Unavailable):
        world.run(StepName.PROCESS, ended)
    world.messages.append(world.head(ended), Entry(status=end, at=NOON, by="clock"))
    world.screening.away = False
    assert world.through(AGAIN, 2).status is Status.ACSP


@pytest.mark.parametrize("state", [ChildState.REJECTED, ChildState.VOIDED])
def test_what_the_pipeline_did_not_book_may_be_sent_again(world: World, state: ChildState) -> None:
    first = world.through(FIRST)
    finish(world.messages, first.transaction_id, 1, state)
    assert world.through(AGAIN, 2).status is Status.ACSP


@pytest.mark.parametrize("booked", [False, True])
def test_what_is_under_way_or_booked_may_not(world: World, booked: bool) -> None:
    first = world.through(FIRST)
    if booked:
        finish(world.messages, first.transaction_id, 1, ChildState.POSTED, settled_at=NOON)
        world.messages.append(world.head(first.transaction_id), Entry(status=Status.ACSC, at=NOON, by="b"))
    assert codes(world, world.through(AGAIN, 2)) == ["DU03", "DU04", "DU05"]
    assert len(world.transfers.records) == 1


def test_of_a_bulk_only_what_was_not_booked_may_be_sent_again(world: World) -> None:
    bulk = pacs_008(transfer(1), transfer(2))
    first = world.through(bulk)
    finish(world.messages, first.transaction_id, 1, ChildState.POSTED, settled_at=NOON)
    finish(world.messages, first.transaction_id, 2, ChildState.REJECTED)
    again = world.through(pacs_008(transfer(1), transfer(2), message_id="M-2"), 2)
    states = [child.state for child in world.messages.children(again.transaction_id)]
    assert states == [ChildState.REJECTED, ChildState.OPEN]


def test_a_message_stays_known_whatever_came_of_it(world: World) -> None:
    first = world.through(FIRST)
    finish(world.messages, first.transaction_id, 1, ChildState.VOIDED)
    world.messages.append(world.head(first.transaction_id), Entry(status=Status.RJCT, at=NOON, by="release"))
    assert codes(world, world.through(FIRST, 2)) == ["DU01"]


def test_of_two_that_send_it_again_at_once_one_is_paid() -> None:
    def together(moment: int) -> int:
        world = World()
        first = world.through(FIRST)
        finish(world.messages, first.transaction_id, 1, ChildState.VOIDED)
        one, other = (
            world.hand_in(pacs_008(transfer(1), message_id=f"M-{number}"), number) for number in (2, 3)
        )
        for transaction_id in (one, other):
            world.run(StepName.RECEIVE, transaction_id)
        world.moments = 0

        def at_call(now: int) -> None:
            if now == moment:
                world.at_call = lambda _: None
                world.run(StepName.PROCESS, other)

        world.at_call = at_call
        world.run(StepName.PROCESS, one)
        moments = world.moments
        going = [world.head(each).status for each in (one, other)].count(Status.ACSP)
        assert (going, len(world.transfers.records)) == (1, 2), moment
        return moments

    moments = together(0)
    assert moments > 20
    for moment in range(1, moments + 1):
        together(moment)


def test_a_crash_at_any_moment_of_sending_again_changes_nothing_of_the_end() -> None:
    def told(moment: int) -> tuple[int, object]:
        world = World()
        first = world.through(FIRST)
        finish(world.messages, first.transaction_id, 1, ChildState.VOIDED)
        again = world.hand_in(AGAIN, 2)
        world.run(StepName.RECEIVE, again)
        world.moments = 0

        def at_call(now: int) -> None:
            if now == moment:
                raise Crash

        world.at_call = at_call
        for _ in range(3):
            try:
                world.run(StepName.PROCESS, again)
                break
            except Crash:
                continue
        holders = {key: replace(claim, instead_of=None) for key, claim in world.claims.claims.items()}
        return world.moments, (world.statuses(again), world.transfers.records, holders)

    moments, undisturbed = told(0)
    for moment in range(1, moments + 1):
        assert told(moment)[1] == undisturbed, moment
