"""How a message ends, by its transfers' outcomes and by what is decided: the last functions together."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from postbus.domain.event import Event
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import (
    CANCELLATION_ANSWER,
    CREDIT_NOTIFICATION,
    OUTGOING,
    ChildState,
    DecisionKind,
    Document,
    Head,
    StepName,
    answer_to,
)
from postbus.domain.lifecycle import OutcomeState
from tests.fakes.endings import CLIENT, ID, Crash, Ending
from tests.fakes.messages import NOON, entry
from tests.unit.domain.iso20022.schemas import assert_valid

OPERATOR = "operator-ann"
POSTED, VOIDED, HELD, SENDING = (
    OutcomeState.POSTED, OutcomeState.VOIDED, OutcomeState.HELD, OutcomeState.SENDING
)  # fmt: skip


def told(body: bytes, name: str) -> list[str | None]:
    """The texts of all elements of a name."""
    return [element.text for element in etree.fromstring(body).iter("{*}" + name)]


def state(ending: Ending, number: int) -> ChildState:
    child = ending.store.child(ID, number)
    assert child
    return child.state


# -- settled ---------------------------------------------------------------------------------------------


def test_when_all_transfers_are_booked_it_is_settled_and_its_answer_says_so() -> None:
    ending = Ending(2)
    for number in (1, 2):
        ending.pipeline(number, POSTED)
    ending.settle()
    assert ending.ends == [Status.ACSC]
    report = assert_valid(ending.message(OUTGOING), "pacs.002.001.10")
    assert report is not None
    body = ending.message(OUTGOING)
    assert told(body, "GrpSts") == ["ACSC"]
    assert told(body, "TxSts") == ["ACSC", "ACSC"]
    assert told(body, "OrgnlMsgId") == ["HARBOUR-1"]
    assert told(body, "OrgnlEndToEndId") == ["E2E-1", "E2E-2"]


def test_the_creditors_side_is_notified_where_the_account_is_ours() -> None:
    ending = Ending(1)
    ending.pipeline(1, POSTED)
    ending.settle()
    body = ending.message(CREDIT_NOTIFICATION)
    assert_valid(body, "camt.054.001.08")
    assert told(body, "IBAN") == ["NL91ABNA0417164300"]
    assert told(body, "Amt") == ["10.01"]


def test_some_booked_and_some_refused_is_in_part_with_a_reason_for_each() -> None:
    ending = Ending(2)
    ending.pipeline(1, POSTED)
    ending.pipeline(2, VOIDED)
    ending.settle()
    body = ending.message(OUTGOING)
    assert_valid(body, "pacs.002.001.10")
    assert ending.ends == [Status.PART]
    assert told(body, "TxSts") == ["ACSC", "RJCT"]
    assert "AM04" in told(body, "Cd")


def test_nothing_is_released_while_a_transfer_is_held() -> None:
    ending = Ending(2)
    ending.pipeline(1, POSTED)
    ending.pipeline(2, HELD)
    ending.settle()
    assert ending.head.status is Status.ACSP
    child = ending.store.child(ID, 2)
    assert child
    assert child.held_at is not None


def test_a_return_that_names_a_transfer_by_mistake_is_not_its_end() -> None:
    ending = Ending(1)
    ending.reversed_unseen(1, minor=77)
    ending.settle()
    assert (ending.ends, state(ending, 1)) == ([], ChildState.OPEN)
    ending.pipeline(1, POSTED)
    ending.settle()
    assert ending.ends == [Status.ACSC]
    assert told(ending.message(OUTGOING), "TxSts") == ["ACSC"]


def test_a_return_that_came_before_the_transfer_it_is_of_is_its_end() -> None:
    ending = Ending(1)
    ending.reversed_unseen(1)
    ending.settle()
    assert ending.ends == [Status.RJCT]
    assert ending.pipeline(1, POSTED).state is VOIDED
    assert "MS03" in told(ending.message(OUTGOING), "Cd")


def test_a_return_told_late_takes_nothing_from_what_is_booked() -> None:
    ending = Ending(2)
    ending.reversed_unseen(1, minor=77)
    early = list(ending.bus.events)
    ending.pipeline(1, POSTED)
    ending.collect(*ending.bus.events, *early)
    assert state(ending, 1) is ChildState.POSTED


def test_a_return_that_was_told_before_the_transfer_was_kept_is_told_again_when_that_comes() -> None:
    ending = Ending(1, kept=False)
    ending.reversed_unseen(1)
    ending.settle()
    ending.store.add_children(ID, [ending.child(1)])
    assert ending.pipeline(1, POSTED).state is VOIDED
    ending.settle()
    assert ending.ends == [Status.RJCT]


@pytest.mark.parametrize("fits", [True, False])
def test_whether_or_not_a_return_names_it_by_mistake_what_is_overdue_ends(fits: bool) -> None:
    ending = Ending(1)
    ending.reversed_unseen(1, minor=None if fits else 77)
    ending.bus.events.clear()
    ending.tick(minutes=2)
    ending.settle()
    assert ending.ends == [Status.RJCT]
    assert ending.pipeline(1, POSTED).state is VOIDED


def test_a_message_refused_whole_is_answered_with_its_reasons() -> None:
    ending = Ending(1, Status.ACTC, kept=False)
    ending.store.refuse(ID, (Reason("DU01", ("seen before",)),))
    ending.run(StepName.RELEASE)
    body = ending.message(OUTGOING)
    assert_valid(body, "pacs.002.001.10")
    assert (ending.ends, told(body, "GrpSts")) == ([Status.RJCT], ["RJCT"])
    assert "DU01" in told(body, "Cd")


def test_garbage_is_answered_with_a_message_reject() -> None:
    ending = Ending(1, Status.ACTC, kept=False)
    ending.documents.bodies["incoming/1.xml"] = b"no XML"
    ending.store.heads[ID] = replace(ending.head, message_type=None, message_id=None)
    ending.store.refuse(ID, (Reason("FF01"),))
    ending.run(StepName.RELEASE)
    assert_valid(ending.message(OUTGOING), "admi.002.001.01")
    assert told(ending.message(OUTGOING), "RjctgPtyRsn") == ["FF01"]


def test_a_transfer_of_other_origin_is_let_go_by() -> None:
    ending = Ending(1)
    event = Event.first("TransactionPosted", "visa-123", "test", NOON, {})
    ending.collect(event)
    assert ending.head.children_open == 1


def test_an_event_that_comes_again_or_in_a_replay_changes_nothing() -> None:
    ending = Ending(2)
    told_once = ending.pipeline(1, POSTED).announcement()
    again = ending.outcomes.find(told_once.transaction_id)
    assert again
    ending.collect(told_once, again.announcement(), again.announcement(replay="archive-1"))
    ending.collect(told_once)
    assert ending.head.children_open == 1
    assert ending.steps.sent == []


def test_a_redelivery_after_the_last_one_asks_for_the_release_until_it_is_taken() -> None:
    ending = Ending(1)
    event = ending.pipeline(1, POSTED).announcement()
    ending.collect(event)
    ending.steps.sent.clear()
    ending.collect(event)
    assert ending.steps.sent == [(ID, StepName.RELEASE, 1)]
    ending.run(StepName.RELEASE)
    ending.steps.sent.clear()
    ending.collect(event)
    assert ending.steps.sent == []


def test_the_notice_tells_identifiers_and_the_status_alone_and_is_the_same_again() -> None:
    ending = Ending(1)
    ending.pipeline(1, POSTED)
    ending.settle()
    ending.run(StepName.RELEASE)
    notices = ending.notices.told
    assert len({notice.notice_id for notice in notices}) == 1
    assert (notices[0].transaction_id, notices[0].owner, notices[0].status) == (ID, CLIENT, Status.ACSC)
    assert "NL91" not in notices[0].to_json()


# -- cancelled -------------------------------------------------------------------------------------------


def test_what_is_cancelled_before_anything_is_booked_is_cancelled() -> None:
    ending = Ending(2)
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    assert ending.ends == [Status.CANC]
    assert told(ending.message(OUTGOING), "TxSts") == ["CANC", "CANC"]
    resolution = ending.message(CANCELLATION_ANSWER)
    assert_valid(resolution, "camt.029.001.14")
    assert told(resolution, "Conf") == ["CNCL"]
    assert ending.books.unannounced == set()
    assert {event.type for event in ending.bus.events} == {"TransactionVoided"}


def test_what_was_voided_is_never_booked_though_its_record_comes_later() -> None:
    ending = Ending(1)
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    assert ending.pipeline(1, POSTED).state is VOIDED
    ending.settle()
    assert ending.ends == [Status.CANC]


def test_a_cancellation_after_the_booking_is_rejected_and_the_message_settles() -> None:
    ending = Ending(1)
    ending.pipeline(1, POSTED)
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    assert ending.ends == [Status.ACSC]
    resolution = ending.message(CANCELLATION_ANSWER)
    assert_valid(resolution, "camt.029.001.14")
    assert (told(resolution, "Conf"), told(resolution, "TxCxlSts")) == (["RJCR"], ["RJCR"])
    assert "AGNT" in told(resolution, "Cd")


def test_a_cancellation_of_what_has_ended_is_answered_too() -> None:
    ending = Ending(1)
    ending.pipeline(1, POSTED)
    ending.settle()
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    assert told(ending.message(CANCELLATION_ANSWER), "Conf") == ["RJCR"]
    (decision,) = ending.store.decisions(ID)
    assert decision.verdict == "too_late"


def test_half_of_it_booked_is_in_part_and_the_other_half_cancelled() -> None:
    ending = Ending(2)
    ending.pipeline(1, POSTED)
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    assert ending.ends == [Status.PART]
    assert told(ending.message(OUTGOING), "TxSts") == ["ACSC", "CANC"]
    assert told(ending.message(CANCELLATION_ANSWER), "TxCxlSts") == ["RJCR", "ACCR"]


def test_what_is_being_sent_stays_open_and_its_cancellation_pending() -> None:
    ending = Ending(2)
    ending.pipeline(1, SENDING)
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    assert ending.head.status is Status.ACSP
    assert (state(ending, 1), state(ending, 2)) == (ChildState.OPEN, ChildState.VOIDED)
    pending = ending.message(CANCELLATION_ANSWER)
    assert_valid(pending, "camt.029.001.14")
    assert told(pending, "Conf") == ["PDCR"]
    ending.pipeline(1, POSTED)
    ending.settle()
    assert ending.ends == [Status.PART]
    assert told(ending.message(CANCELLATION_ANSWER), "TxCxlSts") == ["RJCR", "ACCR"]


def test_a_pending_answer_never_stands_in_the_place_of_the_final_one() -> None:
    ending = Ending(2)
    ending.pipeline(1, SENDING)
    ending.wants(DecisionKind.CANCELLATION)

    def ends_meanwhile() -> None:
        ending.pipeline(1, POSTED)
        ending.collect(*ending.bus.events)
        ending.run(StepName.RELEASE)
        assert ending.ends == [Status.PART]

    ending.documents.meanwhile = ends_meanwhile
    ending.run(StepName.DECIDE)
    assert told(ending.message(CANCELLATION_ANSWER), "TxCxlSts") == ["RJCR", "ACCR"]


def test_a_cancellation_that_comes_while_the_end_is_written_is_answered_after_it() -> None:
    ending = Ending(1)
    ending.pipeline(1, POSTED)
    ending.collect(*ending.bus.events)

    def cancelled_meanwhile() -> None:
        ending.wants(DecisionKind.CANCELLATION)
        ending.run(StepName.DECIDE)

    ending.documents.meanwhile = cancelled_meanwhile
    ending.run(StepName.RELEASE)
    assert told(ending.message(CANCELLATION_ANSWER), "Conf") == ["RJCR"]


def test_transfers_that_are_kept_after_the_decision_are_taken_back_too() -> None:
    ending = Ending(1, Status.ACTC, kept=False)
    ending.wants(DecisionKind.REJECTION)
    ending.run(StepName.DECIDE)
    ending.store.add_children(ID, [ending.child(1)])
    ending.run(StepName.RELEASE)
    assert ending.steps.sent[-1] == (ID, StepName.DECIDE, 2)
    ending.settle()
    assert ending.ends == [Status.RJCT]
    assert state(ending, 1) is ChildState.VOIDED


def test_a_cancellation_of_one_transfer_leaves_the_others_alone() -> None:
    ending = Ending(3)
    ending.wants(DecisionKind.CANCELLATION, numbers=(2,))
    ending.settle()
    assert [state(ending, number) for number in (1, 2, 3)] == ["OPEN", "VOIDED", "OPEN"]
    ending.pipeline(1, POSTED)
    ending.pipeline(3, POSTED)
    ending.settle()
    assert ending.ends == [Status.PART]
    assert told(ending.message(CANCELLATION_ANSWER), "TxCxlSts") == ["ACCR"]


def test_a_held_transfer_can_be_cancelled() -> None:
    ending = Ending(1)
    ending.pipeline(1, HELD)
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    assert ending.ends == [Status.CANC]


def test_before_its_message_it_is_cancelled_without_one() -> None:
    ending = Ending(status=Status.ACCP, message=False)
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    assert (ending.ends, ending.head.documents) == ([Status.CANC], {})


def test_of_two_decisions_that_race_the_first_stands_and_the_second_does_nothing() -> None:
    ending = Ending(1)
    ending.wants(DecisionKind.CANCELLATION)
    ending.wants(DecisionKind.REJECTION)
    ending.settle()
    assert ending.ends == [Status.CANC]
    assert [one.verdict for one in ending.store.decisions(ID)] == ["carried_out", "refused"]


# -- held for a decision ---------------------------------------------------------------------------------


def test_the_client_accepts_what_is_the_clients_to_decide() -> None:
    ending = Ending(1, Status.PDNG, reasons=(Reason("AM14"),))
    ending.wants(DecisionKind.ACCEPTANCE)
    ending.run(StepName.DECIDE)
    assert (ID, StepName.PROCESS, 1) in ending.steps.sent


@pytest.mark.parametrize("kind", [DecisionKind.ACCEPTANCE, DecisionKind.REJECTION, DecisionKind.CANCELLATION])
def test_what_is_held_for_a_regulatory_reason_is_closed_to_its_client(kind: DecisionKind) -> None:
    ending = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    ending.wants(kind)
    ending.settle()
    assert ending.head.status is Status.PDNG
    assert (ID, StepName.PROCESS, 1) not in ending.steps.sent
    assert state(ending, 1) is ChildState.OPEN
    if kind is DecisionKind.CANCELLATION:
        assert told(ending.message(CANCELLATION_ANSWER), "Conf") == ["PDCR"]
        assert b"RR04" not in ending.message(CANCELLATION_ANSWER)


def test_an_operator_clears_or_refuses_what_is_held_for_a_regulatory_reason() -> None:
    cleared = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    cleared.wants(DecisionKind.CLEARANCE, by=OPERATOR)
    cleared.run(StepName.DECIDE)
    assert (ID, StepName.PROCESS, 1) in cleared.steps.sent
    refused = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    refused.wants(DecisionKind.REJECTION, by=OPERATOR, reasons=(Reason("RR04"),))
    refused.settle()
    assert refused.ends == [Status.RJCT]
    assert refused.store.history(ID)[-1].by == OPERATOR


def held(*kinds: DecisionKind, transfers: int = 1, code: str = "RR04", **details: Any) -> Ending:
    """Held for an operator, with what its client wants of it in the meantime."""
    ending = Ending(transfers, Status.PDNG, reasons=(Reason(code),))
    for kind in kinds:
        ending.wants(kind, **details)
        ending.settle()
    assert ending.head.status is Status.PDNG
    return ending


ENDED_AS = [(DecisionKind.CANCELLATION, Status.CANC), (DecisionKind.REJECTION, Status.RJCT)]


@pytest.mark.parametrize("code", ["RR04", "FR01"])
@pytest.mark.parametrize(("kind", "end"), ENDED_AS)
def test_what_its_client_ended_during_the_hold_ends_when_an_operator_lets_it_go(
    kind: DecisionKind, end: Status, code: str
) -> None:
    ending = held(kind, code=code)
    ending.wants(DecisionKind.CLEARANCE, by=OPERATOR)
    ending.settle()
    assert ending.ends == [end]
    assert (ID, StepName.PROCESS, 1) not in ending.steps.sent
    assert ending.pipeline(1, POSTED).state is VOIDED
    if kind is DecisionKind.CANCELLATION:
        assert told(ending.message(CANCELLATION_ANSWER), "Conf") == ["CNCL"]


@pytest.mark.parametrize(("kind", "end"), ENDED_AS)
def test_what_its_client_ends_after_the_clearance_and_before_it_goes_on_ends(
    kind: DecisionKind, end: Status
) -> None:
    ending = held()
    ending.wants(DecisionKind.CLEARANCE, by=OPERATOR)
    ending.run(StepName.DECIDE)
    ending.wants(kind)
    ending.settle()
    assert ending.ends == [end]
    assert ending.pipeline(1, POSTED).state is VOIDED


def test_a_cancellation_of_what_an_operator_refuses_is_answered_for_good() -> None:
    ending = held(DecisionKind.CANCELLATION, DecisionKind.REJECTION)
    ending.wants(DecisionKind.REJECTION, by=OPERATOR, key="operator.3", reasons=(Reason("RR04"),))
    ending.settle()
    assert ending.ends == [Status.RJCT]
    assert told(ending.message(CANCELLATION_ANSWER), "Conf") == ["RJCR"]
    assert [one.verdict for one in ending.store.decisions(ID)] == ["refused", "refused", "carried_out"]


def test_of_what_is_let_go_only_what_its_client_took_back_stays_behind() -> None:
    ending = held(DecisionKind.CANCELLATION, transfers=2, numbers=(2,))
    ending.wants(DecisionKind.CLEARANCE, by=OPERATOR)
    ending.settle()
    assert (state(ending, 1), state(ending, 2)) == (ChildState.OPEN, ChildState.VOIDED)
    assert (ID, StepName.PROCESS, 1) in ending.steps.sent


def test_a_cancellation_that_awaits_an_operator_is_no_step_that_stands_still() -> None:
    ending = held(DecisionKind.CANCELLATION)
    assert ending.tick(minutes=11) == {"timed_out": 0, "sent_again": 0}


@pytest.mark.parametrize("after", range(20))
def test_a_crash_after_any_write_of_a_clearance_forgets_no_cancellation(after: int) -> None:
    ending = held(DecisionKind.CANCELLATION)
    ending.wants(DecisionKind.CLEARANCE, by=OPERATOR)
    ending.fuse.left = after
    ending.settle()
    ending.fuse.left = None
    finish(ending, 1)
    assert ending.ends == [Status.CANC]
    assert told(ending.message(CANCELLATION_ANSWER), "Conf") == ["CNCL"]
    assert (ID, StepName.PROCESS, 1) not in ending.steps.sent


def test_a_regulatory_hold_ends_by_an_operator_alone_whatever_became_of_its_transfers() -> None:
    ending = Ending(2, Status.PDNG, reasons=(Reason("RR04"),))
    for number in (1, 2):
        ending.pipeline(number, VOIDED)
    ending.settle()
    ending.run(StepName.RELEASE)
    assert ending.head.status is Status.PDNG
    ending.wants(DecisionKind.REJECTION, by=OPERATOR)
    ending.settle()
    assert ending.ends == [Status.RJCT]


def test_a_hold_that_came_after_a_cancellation_ends_by_an_operator_all_the_same() -> None:
    ending = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    ending.wants(DecisionKind.CANCELLATION, verdict="carried_out")
    ending.settle()
    assert ending.head.status is Status.PDNG
    ending.wants(DecisionKind.REJECTION, by=OPERATOR)
    ending.settle()
    assert ending.head.status in FINAL


def test_each_cancellation_has_an_answer_of_its_own() -> None:
    ending = Ending(2)
    ending.pipeline(1, POSTED)
    ending.wants(DecisionKind.CANCELLATION, key="a", numbers=(1,))
    ending.settle()
    ending.wants(DecisionKind.CANCELLATION, key="b", numbers=(2,))
    ending.settle()
    first, second = ending.message(answer_to("a")), ending.message(answer_to("b"))
    assert (told(first, "Conf"), told(second, "Conf")) == (["RJCR"], ["CNCL"])
    assert told(first, "Id")[0] != told(second, "Id")[0]
    assert ending.message(CANCELLATION_ANSWER) == second


def test_a_pending_answer_has_another_id_than_the_final_one_though_the_message_goes_on() -> None:
    ending = Ending(2)
    ending.pipeline(1, SENDING)
    ending.wants(DecisionKind.CANCELLATION, key="a", numbers=(1,))
    ending.settle()
    pending = ending.message(CANCELLATION_ANSWER)
    ending.pipeline(1, POSTED)
    ending.settle()
    ending.run(StepName.DECIDE)
    assert ending.head.status is Status.ACSP
    final = ending.message(CANCELLATION_ANSWER)
    assert (told(pending, "Conf"), told(final, "Conf")) == (["PDCR"], ["RJCR"])
    assert told(pending, "Id")[0] != told(final, "Id")[0]


def test_a_final_answer_stays_as_it_is_whatever_becomes_of_the_rest_of_the_message() -> None:
    ending = Ending(3)
    ending.wants(DecisionKind.CANCELLATION, key="a", numbers=(1,))
    ending.settle()
    final = ending.message(answer_to("a"))
    assert ending.message(CANCELLATION_ANSWER) == final
    ending.pipeline(2, POSTED)
    ending.settle()
    ending.wants(DecisionKind.CANCELLATION, key="b", numbers=(2,))
    ending.settle()
    assert ending.message(answer_to("a")) == final
    ending.pipeline(3, POSTED)
    ending.settle()
    assert ending.ends == [Status.PART]
    assert ending.message(answer_to("a")) == final
    assert ending.message(CANCELLATION_ANSWER) == ending.message(answer_to("b"))
    # One that comes after the end is answered beside them.
    ending.wants(DecisionKind.CANCELLATION, key="c", numbers=(3,))
    ending.settle()
    assert ending.message(answer_to("a")) == final
    assert ending.message(CANCELLATION_ANSWER) == ending.message(answer_to("c"))


def test_wherever_it_is_killed_a_cancellation_has_one_final_answer() -> None:
    for writes in range(12):
        ending = Ending(2)
        ending.wants(DecisionKind.CANCELLATION, key="a", numbers=(1,))
        ending.fuse.left = writes
        ending.run(StepName.DECIDE)
        ending.fuse.left = None
        early = {name: ending.message(name) for name in ending.head.documents}
        ending.pipeline(2, POSTED)
        ending.settle()
        final = ending.message(answer_to("a"))
        assert ending.message(CANCELLATION_ANSWER) == final, writes
        assert {body for body in early.values() if b"PDCR" not in body} <= {final}, writes


def test_a_client_cannot_clear() -> None:
    ending = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    ending.wants(DecisionKind.CLEARANCE, by=CLIENT)
    ending.run(StepName.DECIDE)
    assert (ID, StepName.PROCESS, 1) not in ending.steps.sent


# -- overdue ---------------------------------------------------------------------------------------------


def test_what_is_overdue_is_voided_first_and_then_rejected() -> None:
    ending = Ending(1)
    assert ending.tick(minutes=2)["timed_out"] == 1
    assert ending.head.status is Status.ACSP
    ending.settle()
    assert ending.ends == [Status.RJCT]
    assert "AB03" in told(ending.message(OUTGOING), "Cd")
    assert ending.pipeline(1, POSTED).state is VOIDED


def test_nothing_is_timed_out_early() -> None:
    ending = Ending(1)
    assert ending.tick(minutes=0.9)["timed_out"] == 0
    assert ending.store.decisions(ID) == []


def test_what_was_booked_is_never_timed_out() -> None:
    ending = Ending(1)
    ending.pipeline(1, POSTED)
    ending.tick(minutes=2)
    ending.settle()
    assert ending.ends == [Status.ACSC]


def test_an_id_that_never_got_a_message_expires_without_one() -> None:
    ending = Ending(status=Status.ACCP, message=False)
    ending.tick(minutes=2)
    ending.settle()
    assert (ending.ends, ending.head.documents) == ([Status.RJCT], {})
    assert ending.head.reasons == (Reason("AB03"),)


def test_a_message_that_came_at_the_last_moment_has_its_own_time() -> None:
    ending = Ending(status=Status.ACCP, message=False)
    ending.tick(minutes=2)
    ending.store.attach(ID, CLIENT, Document("incoming/2.xml", "a" * 64, 1), NOON + timedelta(minutes=9))
    ending.settle()
    assert ending.ends == []
    ending.documents.bodies["incoming/2.xml"] = b"garbage"
    ending.tick(minutes=10)
    ending.settle()
    assert ending.ends == [Status.RJCT]


@pytest.mark.parametrize("decided", [False, True])
def test_whenever_a_message_comes_before_the_end_its_time_begins_anew(decided: bool) -> None:
    ending = Ending(status=Status.ACCP, message=False)
    ending.tick(minutes=2)
    if decided:
        ending.run(StepName.DECIDE)
    document = ending.documents.put("incoming/2.xml", b"garbage")
    ending.store.attach(ID, CLIENT, document, NOON + timedelta(minutes=9))
    ending.run(StepName.DECIDE)
    ending.run(StepName.RELEASE)
    assert ending.ends == []
    (decision,) = ending.store.decisions(ID)
    assert decision.verdict == ("carried_out" if decided else "refused")


def test_a_regulatory_hold_is_not_timed_out() -> None:
    ending = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    assert ending.tick(minutes=600) == {"timed_out": 0, "sent_again": 0}


@pytest.mark.parametrize("minutes", [0.5, 20])
def test_what_was_cleared_and_stands_still_is_processed_again_and_never_refused(minutes: float) -> None:
    ending = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    ending.now += timedelta(minutes=minutes)
    ending.wants(DecisionKind.CLEARANCE, by=OPERATOR)
    ending.run(StepName.DECIDE)
    attempt = ending.head.steps[StepName.PROCESS].attempt
    # Taken, and its process killed before the status was written.
    ending.store.step_taken(ID, StepName.PROCESS, attempt, ending.now)
    ending.steps.sent.clear()
    assert ending.tick(minutes=11) == {"timed_out": 0, "sent_again": 1}
    assert ending.steps.sent == [(ID, StepName.PROCESS, attempt + 1)]


def test_what_was_cleared_and_stands_still_may_still_be_refused() -> None:
    ending = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    ending.wants(DecisionKind.CLEARANCE, by=OPERATOR, key="operator.3")
    ending.run(StepName.DECIDE)
    ending.wants(DecisionKind.REJECTION, by=OPERATOR, key="operator.3.after_all", reasons=(Reason("RR04"),))
    ending.settle()
    assert ending.ends == [Status.RJCT]
    assert ending.pipeline(1, POSTED).state is VOIDED


def test_what_was_held_has_its_time_again_once_it_is_let_go_on() -> None:
    ending = Ending(1, Status.PDNG, reasons=(Reason("RR04"),))
    ending.tick(minutes=120)
    ending.store.append(ending.head, entry(Status.ACSP, at=ending.now))
    assert ending.tick(minutes=0.9)["timed_out"] == 0
    assert ending.tick(minutes=0.2)["timed_out"] == 1


def test_a_second_look_at_the_same_does_nothing_more() -> None:
    ending = Ending(1)
    ending.tick(minutes=2)
    sent = list(ending.steps.sent)
    assert ending.tick()["timed_out"] == 0
    assert ending.steps.sent == sent


def test_a_step_that_nobody_took_is_sent_again() -> None:
    ending = Ending(1)
    ending.pipeline(1, POSTED)
    ending.collect(*ending.bus.events)
    ending.steps.sent.clear()
    assert ending.tick(minutes=0.5)["sent_again"] == 0
    ending.store.heads[ID] = _due_at(ending, minutes=60)
    assert ending.tick(minutes=11)["sent_again"] == 1
    assert ending.steps.sent == [(ID, StepName.RELEASE, 1)]


def test_what_was_let_go_on_after_its_first_deadline_is_processed_again_and_not_ended() -> None:
    ending = Ending(1, status=Status.PDNG, reasons=(Reason("RR04"),))
    ending.tick(minutes=120)
    ending.wants(DecisionKind.CLEARANCE, by=OPERATOR)
    ending.settle()
    ending.store.step_taken(ID, StepName.PROCESS, ending.head.steps[StepName.PROCESS].attempt, ending.now)
    ending.store.append(ending.head, entry(Status.ACSP, at=ending.now))
    ending.store.heads[ID] = replace(ending.head, due=ending.now + timedelta(hours=1))
    ending.steps.sent.clear()
    assert ending.tick(minutes=11) == {"timed_out": 0, "sent_again": 1}
    assert [step for _, step, _ in ending.steps.sent] == [StepName.PROCESS]


def test_what_is_being_sent_elsewhere_is_looked_at_every_ten_minutes_until_it_is_answered() -> None:
    ending = Ending(1)
    ending.pipeline(1, SENDING)
    ending.tick(minutes=2)
    ending.settle()
    for _ in range(3):
        before = ending.head.steps[StepName.DECIDE].attempt
        assert ending.tick(minutes=10.1) == {"timed_out": 0, "sent_again": 1}
        ending.settle()
        assert ending.head.steps[StepName.DECIDE].attempt == before + 1
    # The clock has had its say, so that the next ones have its time.
    assert list(ending.store.overdue(ending.now)) == []
    ending.pipeline(1, POSTED)
    ending.bus.events.clear()
    ending.tick(minutes=10.1)
    ending.settle()
    assert ending.ends == [Status.ACSC]


def test_events_that_were_lost_are_made_up_for_by_the_outcomes() -> None:
    ending = Ending(2)
    for number in (1, 2):
        ending.pipeline(number, POSTED)
    ending.bus.events.clear()
    ending.tick(minutes=2)
    ending.settle()
    assert ending.ends == [Status.ACSC]


def _due_at(ending: Ending, minutes: int) -> Head:
    later = NOON + timedelta(minutes=minutes)
    return replace(ending.head, deadline=later, due=later)


# -- laws ------------------------------------------------------------------------------------------------

TRANSFERS = 3
ACTIONS = st.one_of(
    st.tuples(st.just("pipeline"), st.integers(1, TRANSFERS), st.sampled_from([POSTED, VOIDED, HELD])),
    st.tuples(st.just("pipeline"), st.integers(1, TRANSFERS), st.sampled_from([SENDING, POSTED])),
    st.tuples(st.just("wants"), st.sampled_from(list(DecisionKind)), st.sampled_from([CLIENT, OPERATOR])),
    st.tuples(st.just("some"), st.sets(st.integers(1, TRANSFERS), min_size=1), st.just(0)),
    st.tuples(st.just("collect"), st.integers(0, 9), st.integers(1, 3)),
    st.tuples(st.just("run"), st.sampled_from([StepName.DECIDE, StepName.RELEASE]), st.just(0)),
    st.tuples(st.just("tick"), st.sampled_from([0, 2, 11]), st.just(0)),
)


def act(ending: Ending, action: tuple[Any, Any, Any], count: int) -> None:
    match action:
        case ("pipeline", number, wanted):
            ending.pipeline(number, wanted)
        case ("wants", kind, by):
            ending.wants(kind, by=by, key=f"{kind}-{count}")
        case ("some", numbers, _):
            ending.wants(DecisionKind.CANCELLATION, key=f"some-{count}", numbers=tuple(sorted(numbers)))
        case ("collect", start, many):
            ending.collect(*ending.bus.events[start : start + many])
        case ("run", step, _):
            ending.run(step)
        case ("tick", minutes, _):
            ending.tick(minutes)


def finish(ending: Ending, transfers: int = TRANSFERS) -> None:
    """Let time go by until it has ended: its deadline, and what the pipeline had begun to send."""
    for _ in range(4):
        ending.settle()
        ending.tick(minutes=11)
        for number in range(1, transfers + 1):
            outcome = ending.outcomes.find(ending.child(number).pipeline_id or "")
            if outcome is not None and outcome.state is SENDING:
                ending.pipeline(number, POSTED)
    ending.settle()


def check(ending: Ending) -> None:
    head = ending.head
    assert len(ending.ends) == 1
    assert head.status in FINAL
    assert head.children_open == 0 or head.children is None
    documents = [key for key in ending.documents.bodies if key.startswith("outgoing/")]
    assert head.documents[OUTGOING].key in documents
    statuses = told(ending.message(OUTGOING), "TxSts")
    for number in range(1, TRANSFERS + 1):
        outcome = ending.outcomes.find(ending.child(number).pipeline_id or "")
        assert outcome
        is_booked = outcome.state is POSTED
        assert is_booked == (state(ending, number) is ChildState.POSTED)
        assert is_booked == (statuses[number - 1] == "ACSC")
    expected = {True: Status.ACSC, False: Status.PART}
    booked = [status == "ACSC" for status in statuses]
    if any(booked):
        assert head.status is expected[all(booked)]
    else:
        assert head.status in (Status.RJCT, Status.CANC)
    assert ending.notices.told[-1].status is head.status
    cancelled = any(one.kind is DecisionKind.CANCELLATION for one in ending.store.decisions(ID))
    if cancelled:
        assert b"PDCR" not in ending.message(CANCELLATION_ANSWER)
    # The clock's step may be lost, and what has ended by itself since nobody looks at again.
    asked = [one for one in ending.store.decisions(ID) if one.kind is not DecisionKind.TIME_OUT]
    assert all(decision.verdict is not None for decision in asked)


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=14), st.lists(st.integers(0, 12), max_size=6))
def test_in_whatever_order_and_wherever_it_crashes_it_ends_once_and_tells_the_truth(
    actions: list[Any], crashes: list[int]
) -> None:
    ending = Ending(TRANSFERS)
    for count, action in enumerate(actions):
        if crashes and count % 2:
            ending.fuse.left = crashes[count % len(crashes)]
        with suppress(Crash):
            act(ending, action, count)
        ending.fuse.left = None
    finish(ending)
    check(ending)


@pytest.mark.parametrize("after", range(30))
def test_a_crash_after_any_write_of_a_cancellation_is_made_up_for(after: int) -> None:
    ending = Ending(TRANSFERS)
    ending.pipeline(1, POSTED)
    ending.wants(DecisionKind.CANCELLATION)
    ending.fuse.left = after
    ending.settle()
    ending.fuse.left = None
    finish(ending)
    check(ending)
    assert ending.ends == [Status.PART]
    assert told(ending.message(OUTGOING), "TxSts") == ["ACSC", "CANC", "CANC"]


def test_the_same_end_is_written_in_the_same_bytes_at_any_time() -> None:
    bodies = []
    for delay in (0, 30):
        ending = Ending(1)
        ending.pipeline(1, POSTED)
        ending.now += timedelta(seconds=delay)
        ending.settle()
        bodies.append(ending.message(OUTGOING))
    assert bodies[0] == bodies[1]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([Status.ACCP, Status.ACTC, Status.PDNG]),
    st.booleans(),
    st.lists(
        st.one_of(
            st.tuples(
                st.just("wants"), st.sampled_from(list(DecisionKind)), st.sampled_from([CLIENT, OPERATOR])
            ),
            st.tuples(st.just("run"), st.sampled_from([StepName.DECIDE, StepName.RELEASE]), st.just(0)),
            st.tuples(st.just("tick"), st.sampled_from([0, 2, 11]), st.just(0)),
        ),
        max_size=8,
    ),
    st.integers(0, 12),
)
def test_no_status_is_stuck(status: Status, kept: bool, actions: list[Any], crash: int) -> None:
    ending = Ending(TRANSFERS, status, reasons=(Reason("AM14"),) if status is Status.PDNG else (), kept=kept)
    for count, action in enumerate(actions):
        ending.fuse.left = crash if count % 2 else None
        with suppress(Crash):
            act(ending, action, count)
        ending.fuse.left = None
    finish(ending)
    assert len(ending.ends) == 1
    assert ending.ends[0] in (Status.RJCT, Status.CANC)
    assert not ending.head.children_open
    assert OUTGOING in ending.head.documents
