"""What the message store promises, in memory and in the table alike."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022 import decisions
from postbus.domain.iso20022.messages import Agent, MessageType, Reason, Status
from postbus.domain.iso20022.status import FINAL, may_replace
from postbus.domain.iso20022.workflow import (
    OUTGOING,
    ChildState,
    Decision,
    DecisionKind,
    Document,
    Finished,
    Head,
    StepName,
)
from postbus.ports_iso20022 import Attached, MessageStore
from tests.fakes.iso20022 import InMemoryMessages
from tests.fakes.messages import (
    ANSWER,
    CLIENT,
    INCOMING,
    NOON,
    begun,
    entry,
    finish,
    processing,
    transaction_id,
    transfer,
    transfers,
)

ID = transaction_id()
REGULATORY = (Reason("RR04"),)
LATER = NOON + timedelta(minutes=2)
NO_FUNDS = Reason("AM04", ("funds of the debtor",))


def standing(store: MessageStore, number: int = 1) -> Head:
    head = store.head(transaction_id(number))
    assert head is not None
    return head


def held(store: MessageStore, number: int = 1, reasons: tuple[Reason, ...] = REGULATORY) -> Head:
    head = store.append(begun(store, number), entry(Status.ACTC))
    return store.append(head, entry(Status.PDNG, reasons=reasons))


# -- transactions ----------------------------------------------------------------------------------------


def test_a_transaction_begins_with_its_first_status(store: MessageStore) -> None:
    head = begun(store)
    assert standing(store) == head
    assert [(one.status, one.by) for one in store.history(ID)] == [(Status.ACCP, "client")]


def test_an_id_that_is_taken_is_given_to_nobody_else(store: MessageStore) -> None:
    head = begun(store)
    assert not store.open(replace(head, owner="client-other"), "client")
    assert standing(store).owner == CLIENT


def test_an_unknown_transaction_has_no_head_and_no_history(store: MessageStore) -> None:
    assert store.head(ID) is None
    assert list(store.history(ID)) == []
    assert store.child(ID, 1) is None


def test_a_message_is_attached_once_and_again_is_the_same(store: MessageStore) -> None:
    begun(store)
    assert store.attach(ID, CLIENT, INCOMING, LATER) is Attached.STORED
    assert store.attach(ID, CLIENT, INCOMING, LATER + timedelta(hours=1)) is Attached.SAME
    assert (standing(store).incoming, standing(store).deadline) == (INCOMING, LATER)


def test_another_body_for_the_same_transaction_is_a_conflict(store: MessageStore) -> None:
    begun(store)
    store.attach(ID, CLIENT, INCOMING, LATER)
    other = Document("incoming/b.xml", "c" * 64, 1)
    assert store.attach(ID, CLIENT, other, LATER) is Attached.CONFLICT
    assert standing(store).incoming == INCOMING


def test_another_clients_transaction_is_not_found(store: MessageStore) -> None:
    begun(store)
    assert store.attach(ID, "client-other", INCOMING, LATER) is Attached.NOT_FOUND
    assert store.attach(transaction_id(9), CLIENT, INCOMING, LATER) is Attached.NOT_FOUND
    assert standing(store).incoming is None


def test_a_transaction_that_has_ended_takes_no_message(store: MessageStore) -> None:
    store.append(begun(store), entry(Status.RJCT))
    assert store.attach(ID, CLIENT, INCOMING, LATER) is Attached.CONFLICT


def test_a_message_sent_again_is_the_same_at_every_later_status(store: MessageStore) -> None:
    processing(store)
    assert store.attach(ID, CLIENT, INCOMING, LATER) is Attached.SAME


def test_what_a_message_says_it_is_is_kept_once(store: MessageStore) -> None:
    begun(store)
    with pytest.raises(InvariantBroken):
        store.describe(ID, MessageType.of("pacs.008.001.08"), "M-1")
    store.attach(ID, CLIENT, INCOMING, LATER)
    store.describe(ID, MessageType.of("pacs.008.001.08"), "M-1")
    store.describe(ID, MessageType.of("pain.001.001.09"), "M-2")
    assert (str(standing(store).message_type), standing(store).message_id) == ("pacs.008.001.08", "M-1")


# -- statuses --------------------------------------------------------------------------------------------


def test_a_status_moves_the_head_and_is_added_to_the_history(store: MessageStore) -> None:
    moved = store.append(begun(store), entry(Status.ACTC, reasons=(NO_FUNDS,)))
    assert (moved.status, moved.version, moved.reasons) == (Status.ACTC, 2, (NO_FUNDS,))
    assert standing(store) == moved
    assert [one.status for one in store.history(ID)] == [Status.ACCP, Status.ACTC]
    assert store.history(ID)[1] == entry(Status.ACTC, reasons=(NO_FUNDS,))


def test_the_same_status_again_changes_nothing(store: MessageStore) -> None:
    head = begun(store)
    store.append(head, entry(Status.ACTC))
    again = store.append(head, entry(Status.ACTC, by="another run"))
    assert (again.status, again.version) == (Status.ACTC, 2)
    assert len(store.history(ID)) == 2


def test_of_two_racing_final_statuses_one_wins_and_its_document_is_found(store: MessageStore) -> None:
    head = processing(store)
    won = store.append(head, entry(Status.ACSC, by="release"), {OUTGOING: ANSWER})
    lost = store.append(
        head, entry(Status.RJCT, by="clock"), {OUTGOING: Document("outgoing/late.xml", "d" * 64, 1)}
    )
    assert won.status is Status.ACSC
    assert (lost.status, lost.version) == (Status.ACSC, won.version)
    assert standing(store).documents == {OUTGOING: ANSWER}
    assert [one.status for one in store.history(ID)].count(Status.RJCT) == 0


def test_a_status_that_the_table_does_not_allow_is_our_bug(store: MessageStore) -> None:
    head = begun(store)
    with pytest.raises(InvariantBroken):
        store.append(head, entry(Status.ACSC))
    assert standing(store) == head


def test_a_final_status_is_followed_by_nothing(store: MessageStore) -> None:
    final = store.append(processing(store), entry(Status.PART))
    for status in Status:
        with pytest.raises(InvariantBroken):
            store.append(final, entry(status))


def test_a_status_can_set_a_new_deadline(store: MessageStore) -> None:
    store.append(begun(store), entry(Status.ACTC), deadline=LATER)
    assert standing(store).deadline == LATER


def test_a_document_beside_the_answer_is_kept_under_its_name(store: MessageStore) -> None:
    begun(store)
    store.put_document(ID, "credit_notification", INCOMING)
    store.put_document(ID, "credit_notification", ANSWER)
    assert standing(store).documents == {"credit_notification": ANSWER}


# -- transfers -------------------------------------------------------------------------------------------


def test_a_transfer_is_kept_with_all_an_answer_quotes(store: MessageStore) -> None:
    processing(store)
    child = transfer(
        ID,
        1,
        instruction_id="I-1",
        transaction_id="T-1",
        payment_information_id="P-1",
        uetr=ID,
        instructing_agent=Agent(bic="DEUTDEFF"),
        instructed_agent=Agent(bic="COBADEFF", name="Bank"),
        creditor_agent=Agent(bic="MILLNL2A"),
        settlement_agent="MILLNL2A",
        requested_date="2026-11-21",
        reasons=(NO_FUNDS,),
        settled_at=NOON,
    )
    store.add_children(ID, [child])
    assert list(store.children(ID)) == [child]
    assert store.child(ID, 1) == child


def test_a_transfer_without_amount_or_reference_is_kept_too(store: MessageStore) -> None:
    processing(store)
    child = transfer(ID, 1, ChildState.REJECTED, amount=None, end_to_end_id=None, record=None)
    store.add_children(ID, [child])
    assert store.child(ID, 1) == child


def test_rejected_transfers_are_not_counted_as_open(store: MessageStore) -> None:
    processing(store)
    head = store.add_children(ID, [*transfers(ID, 2), transfer(ID, 3, ChildState.REJECTED)])
    assert (head.children, head.children_open) == (3, 2)


@pytest.mark.parametrize("count", [1, 99, 100, 250])
def test_any_number_of_transfers_is_kept_in_order_and_again_is_no_change(
    store: MessageStore, count: int
) -> None:
    processing(store)
    store.add_children(ID, transfers(ID, count))
    assert finish(store, ID, 1, ChildState.POSTED) == count - 1
    head = store.add_children(ID, transfers(ID, count))
    assert (head.children, head.children_open) == (count, count - 1)
    assert [child.number for child in store.children(ID)] == list(range(1, count + 1))
    assert next(iter(store.children(ID))).state is ChildState.POSTED


def test_a_repeat_with_another_verdict_does_not_change_what_is_kept(store: MessageStore) -> None:
    processing(store)
    store.add_children(ID, transfers(ID, 2))
    head = store.add_children(ID, transfers(ID, 2, ChildState.REJECTED))
    assert head.children_open == 2


def test_each_transfer_is_counted_off_once_and_every_repeat_is_told_the_count(store: MessageStore) -> None:
    processing(store, children=2)
    assert finish(store, ID, 1, ChildState.POSTED, settled_at=NOON) == 1
    assert finish(store, ID, 1, ChildState.POSTED, settled_at=LATER) == 1
    assert finish(store, ID, 2, ChildState.VOIDED, [NO_FUNDS]) == 0
    assert finish(store, ID, 1, ChildState.POSTED) == 0
    first, second = store.children(ID)
    assert (first.state, first.settled_at) == (ChildState.POSTED, NOON)
    assert (second.state, second.reasons, second.settled_at) == (ChildState.VOIDED, (NO_FUNDS,), None)


def test_the_first_of_two_words_for_not_booked_stands(store: MessageStore) -> None:
    processing(store, children=1)
    finish(store, ID, 1, ChildState.VOIDED)
    assert finish(store, ID, 1, ChildState.REJECTED) == 0
    child = store.child(ID, 1)
    assert child
    assert child.state is ChildState.VOIDED


@pytest.mark.parametrize(
    ("first", "then"), [(ChildState.VOIDED, ChildState.POSTED), (ChildState.POSTED, ChildState.REJECTED)]
)
def test_booked_and_not_booked_cannot_both_be_true(
    store: MessageStore, first: ChildState, then: ChildState
) -> None:
    processing(store, children=1)
    finish(store, ID, 1, first)
    with pytest.raises(InvariantBroken):
        finish(store, ID, 1, then)


def booked(*numbers: int) -> list[Finished]:
    return [Finished(number=number, state=ChildState.POSTED, settled_at=NOON) for number in numbers]


@pytest.mark.parametrize("count", [1, 99, 100, 250])
def test_several_transfers_are_counted_off_together_and_each_once(store: MessageStore, count: int) -> None:
    processing(store, children=count + 1)
    assert finish(store, ID, 1, ChildState.POSTED, settled_at=NOON) == count
    every = booked(*range(1, count + 1))
    assert store.finish_children(ID, every) == 1
    assert store.finish_children(ID, every) == 1
    assert store.finish_children(ID, booked(count + 1)) == 0
    assert {child.state for child in store.children(ID)} == {ChildState.POSTED}


def test_one_transfer_twice_in_a_batch_is_counted_off_once(store: MessageStore) -> None:
    processing(store, children=2)
    assert store.finish_children(ID, booked(1, 1)) == 1


def test_of_a_batch_a_contradiction_and_an_unknown_transfer_are_our_bug(store: MessageStore) -> None:
    processing(store, children=2)
    finish(store, ID, 1, ChildState.VOIDED)
    with pytest.raises(InvariantBroken):
        store.finish_children(ID, booked(1))
    with pytest.raises(InvariantBroken):
        store.finish_children(ID, booked(3))
    assert standing(store).children_open == 1


def test_a_transfer_is_held_since_the_first_time_it_was_told(store: MessageStore) -> None:
    processing(store, children=2)
    store.hold_child(ID, 1, NOON)
    store.hold_child(ID, 1, LATER)
    finish(store, ID, 2, ChildState.POSTED)
    store.hold_child(ID, 2, NOON)
    store.hold_child(ID, 3, NOON)
    assert [child.held_at for child in store.children(ID)] == [NOON, None]
    assert standing(store).children_open == 1


def test_a_transfer_that_is_not_kept_cannot_be_finished(store: MessageStore) -> None:
    processing(store, children=1)
    with pytest.raises(InvariantBroken):
        finish(store, ID, 2, ChildState.POSTED)
    assert standing(store).children_open == 1


# -- decisions -------------------------------------------------------------------------------------------


def decision(key: str, minutes: int = 0) -> Decision:
    return Decision(
        key=key,
        kind=DecisionKind.CANCELLATION,
        by=CLIENT,
        at=NOON + timedelta(minutes=minutes),
        reasons=(Reason("CUST"),),
        message=INCOMING,
        request="00000000-0000-4000-8000-000000000002",
        numbers=(1, 3),
    )


def test_a_decision_is_kept_once_under_its_key(store: MessageStore) -> None:
    begun(store)
    assert store.decide(ID, decision("c", 1)) == decision("c", 1)
    assert store.decide(ID, decision("c", 2)) == decision("c", 1)
    store.decide(ID, decision("b", 3))
    assert [one.key for one in store.decisions(ID)] == ["c", "b"]


def test_the_first_verdict_on_a_decision_stands(store: MessageStore) -> None:
    begun(store)
    store.decide(ID, decision("c"))
    store.carried_out(ID, "c", "accepted")
    store.carried_out(ID, "c", "rejected")
    assert [one.verdict for one in store.decisions(ID)] == ["accepted"]
    with pytest.raises(InvariantBroken):
        store.carried_out(ID, "none", "accepted")


# -- steps -----------------------------------------------------------------------------------------------


def test_a_step_is_sent_as_the_same_attempt_until_it_is_taken_and_then_no_more(store: MessageStore) -> None:
    head = begun(store)
    assert store.step_sent(head, StepName.PROCESS, NOON) == 1
    assert store.step_sent(head, StepName.PROCESS, LATER) == 1
    store.step_taken(ID, StepName.PROCESS, 1, LATER)
    store.step_taken(ID, StepName.PROCESS, 1, LATER + timedelta(hours=1))
    assert store.step_sent(head, StepName.PROCESS, LATER) is None
    assert standing(store).steps[StepName.PROCESS].taken_at == LATER


def test_another_version_of_the_head_is_another_attempt(store: MessageStore) -> None:
    head = begun(store)
    store.step_sent(head, StepName.PROCESS, NOON)
    store.step_taken(ID, StepName.PROCESS, 1, NOON)
    store.append(head, entry(Status.ACTC))
    assert store.step_sent(standing(store), StepName.PROCESS, LATER) == 2


def test_a_redrive_is_another_attempt_and_clears_why_it_was_parked(store: MessageStore) -> None:
    head = begun(store)
    store.step_sent(head, StepName.PROCESS, NOON)
    store.step_taken(ID, StepName.PROCESS, 1, NOON)
    store.step_parked(ID, StepName.PROCESS, 1, "Malformed: no")
    assert standing(store).steps[StepName.PROCESS].parked == "Malformed: no"
    assert store.step_sent(head, StepName.PROCESS, LATER, again=True) == 2
    assert standing(store).steps[StepName.PROCESS].parked is None


def test_an_earlier_attempt_says_nothing_about_the_last(store: MessageStore) -> None:
    head = begun(store)
    store.step_sent(head, StepName.PROCESS, NOON)
    store.step_sent(standing(store), StepName.PROCESS, LATER, again=True)
    store.step_taken(ID, StepName.PROCESS, 1, LATER)
    store.step_parked(ID, StepName.PROCESS, 1, "late")
    record = standing(store).steps[StepName.PROCESS]
    assert (record.attempt, record.taken_at, record.parked) == (2, None, None)


def test_steps_of_one_transaction_do_not_disturb_each_other(store: MessageStore) -> None:
    head = begun(store)
    store.step_sent(head, StepName.PROCESS, NOON)
    store.step_taken(ID, StepName.RELEASE, 1, NOON)
    store.step_sent(head, StepName.RELEASE, NOON)
    store.step_taken(ID, StepName.RELEASE, 1, NOON)
    assert standing(store).steps[StepName.PROCESS].taken_at is None
    assert standing(store).steps[StepName.RELEASE].taken_at == NOON


# -- the index -------------------------------------------------------------------------------------------


def test_all_that_is_overdue_is_found_and_nothing_early(store: MessageStore) -> None:
    for number in range(1, 41):
        begun(store, number, deadline=NOON + timedelta(seconds=number, milliseconds=1))
    due = list(store.overdue(NOON + timedelta(seconds=31)))
    assert due == [transaction_id(number) for number in range(1, 31)]


def test_a_deadline_within_a_second_is_never_early(store: MessageStore) -> None:
    begun(store, deadline=NOON + timedelta(milliseconds=300))
    assert list(store.overdue(NOON + timedelta(milliseconds=299))) == []
    assert list(store.overdue(NOON + timedelta(seconds=1))) == [ID]


def test_a_final_transaction_is_on_no_list(store: MessageStore) -> None:
    processing(store, 1)
    store.append(processing(store, 2), entry(Status.ACSC))
    assert list(store.overdue(LATER)) == [transaction_id(1)]
    assert [head.transaction_id for head in store.unfinished()] == [transaction_id(1)]


def test_what_waits_for_an_operator_takes_no_place_among_the_overdue(store: MessageStore) -> None:
    for number in range(1, 6):
        held(store, number)
    begun(store, 6)
    assert list(store.overdue(LATER)) == [transaction_id(6)]
    assert len(list(store.unfinished())) == 6


def test_what_its_client_may_let_go_is_overdue_like_any_other(store: MessageStore) -> None:
    held(store, reasons=(Reason("AM14"),))
    assert list(store.overdue(LATER)) == [ID]


def test_what_was_let_go_on_is_overdue_once_it_has_had_all_its_time_again(store: MessageStore) -> None:
    store.append(held(store), entry(Status.ACSP, at=LATER))
    again = LATER + timedelta(minutes=1)
    assert standing(store).due == again
    assert list(store.overdue(again - timedelta(seconds=1))) == []
    assert list(store.overdue(again)) == [ID]


def test_what_was_timed_out_is_overdue_no_more(store: MessageStore) -> None:
    head = processing(store)
    assert head.due is not None
    store.timed_out(ID, head.due)
    assert (standing(store), list(store.overdue(LATER))) == (replace(head, due=None), [])
    assert [one.transaction_id for one in store.unfinished()] == [ID]


def test_what_was_given_more_time_meanwhile_stays_to_be_timed_out(store: MessageStore) -> None:
    head = begun(store)
    store.attach(ID, CLIENT, INCOMING, LATER)
    assert head.due is not None
    store.timed_out(ID, head.due)
    store.timed_out(transaction_id(2), head.due)
    assert list(store.overdue(LATER)) == [ID]
    assert store.head(transaction_id(2)) is None


def test_the_operators_list_tells_pending_and_parked_ones(store: MessageStore) -> None:
    head = store.append(begun(store, 1), entry(Status.ACTC))
    store.append(head, entry(Status.PDNG, reasons=(Reason("RR04"),)))
    store.step_sent(begun(store, 2), StepName.RECEIVE, NOON)
    store.step_parked(transaction_id(2), StepName.RECEIVE, 1, "no such schema")
    listed = {head.transaction_id: head for head in store.unfinished()}
    assert listed[transaction_id(1)].status is Status.PDNG
    assert listed[transaction_id(2)].steps[StepName.RECEIVE].parked == "no such schema"


# -- laws ------------------------------------------------------------------------------------------------

# What the bus may bring of three transfers: anything, in any order, any number of times.
DELIVERIES = st.lists(st.sampled_from([1, 2, 3]), max_size=12).map(lambda some: [*some, 1, 2, 3])


@given(DELIVERIES.flatmap(st.permutations))
def test_in_any_order_and_however_often_the_count_reaches_zero_with_the_last_transfer(
    deliveries: list[int],
) -> None:
    store = InMemoryMessages()
    processing(store, children=3)
    seen: set[int] = set()
    for number in deliveries:
        seen.add(number)
        assert finish(store, ID, number, ChildState.POSTED) == 3 - len(seen)
    assert standing(store).children_open == 0


# What may happen to a transaction, as seconds after noon where there is a time.
SECONDS = st.integers(1, 400).map(lambda seconds: NOON + timedelta(seconds=seconds))
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("attach"), SECONDS),
        st.tuples(st.just("describe"), st.sampled_from(["camt.056.001.08", "pacs.008.001.08"])),
        st.tuples(
            st.just("append"),
            st.integers(0, 99),
            st.sampled_from([(), REGULATORY, (Reason("FR01"),), (Reason("AM14"),)]),
            SECONDS,
            st.none() | SECONDS,
            st.booleans(),
        ),
        st.tuples(st.just("look"), SECONDS),
    ),
    max_size=12,
)
MOSTLY_OPEN = [*4 * [Status.ACTC, Status.PDNG, Status.ACSP], *sorted(FINAL)]
NUMBERS = count(1)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HAPPENINGS)
def test_whatever_the_clock_may_end_is_among_the_overdue_and_nothing_else(
    store: MessageStore, happenings: list[tuple[Any, ...]]
) -> None:
    assert_overdue_when_its_time_is_over(store, happenings)


@settings(max_examples=300, deadline=None)
@given(HAPPENINGS)
def test_nothing_is_lost_that_the_clock_may_end(happenings: list[tuple[Any, ...]]) -> None:
    assert_overdue_when_its_time_is_over(InMemoryMessages(), happenings)


def assert_overdue_when_its_time_is_over(store: MessageStore, happenings: list[tuple[Any, ...]]) -> None:
    number = next(NUMBERS)
    one = begun(store, number).transaction_id
    seen: list[Head] = [standing(store, number)]
    looked_at: set[datetime] = set()
    for happening in happenings:
        match happening:
            case ("attach", deadline):
                store.attach(one, CLIENT, INCOMING, deadline)
            case ("describe", name) if seen[-1].incoming is not None and seen[-1].status is Status.ACCP:
                # It is read before it moves on, so that whoever moves it knows what it is.
                store.describe(one, MessageType.of(name), "ID-1")
            case ("append", which, reasons, at, deadline, late):
                # From what stands, or from what stood when somebody slower looked.
                head = seen[-2 if late and len(seen) > 1 else -1]
                if possible := [status for status in MOSTLY_OPEN if head.status in may_replace(status)]:
                    status = possible[which % len(possible)]
                    store.append(head, entry(status, reasons=reasons, at=at), deadline=deadline)
            case ("look", at) if (due := seen[-1].due) is not None and due <= at:
                store.timed_out(one, due)
                looked_at.add(due)
        seen.append(standing(store, number))
    wanted = time_is_over_from(store, one)
    if wanted in looked_at and standing(store, number).due is None:
        wanted = None
    last = NOON + timedelta(days=1)
    assert (one in store.overdue(wanted or last)) == (wanted is not None)
    assert one not in store.overdue((wanted or last) - timedelta(seconds=1))


def time_is_over_from(store: MessageStore, one: str) -> datetime | None:
    """When a decision of the clock would be allowed, told by everything that is kept of a transaction."""
    head, history = store.head(one), store.history(one)
    assert head is not None
    clock = Decision(key="t", kind=DecisionKind.TIME_OUT, by="clock", at=NOON + timedelta(days=9))
    if not decisions.is_allowed(clock, head):
        return None
    if head.status is Status.ACSP and Status.PDNG in [past.status for past in history]:
        return max(head.deadline, history[-1].at + (head.deadline - head.opened_at))
    return head.deadline


def test_a_message_refused_whole_keeps_why_until_it_is_released(store: MessageStore) -> None:
    head = begun(store)
    store.refuse(ID, (NO_FUNDS,))
    assert store.head(ID) == head  # nothing was received that could be refused
    store.attach(ID, CLIENT, INCOMING, LATER)
    standing = store.head(ID)
    assert standing is not None
    store.append(standing, entry(Status.ACTC))
    for _ in range(2):
        store.refuse(ID, (NO_FUNDS,))
    received = store.head(ID)
    assert received is not None
    assert (received.status, received.reasons, received.version) == (Status.ACTC, (NO_FUNDS,), 2)


def test_a_message_whose_transfers_are_kept_is_not_refused_whole(store: MessageStore) -> None:
    begun(store)
    store.attach(ID, CLIENT, INCOMING, LATER)
    standing = store.head(ID)
    assert standing is not None
    store.append(standing, entry(Status.ACTC))
    store.add_children(ID, transfers(ID, 1))
    store.refuse(ID, (NO_FUNDS,))
    kept = store.head(ID)
    assert kept is not None
    assert kept.reasons == ()
