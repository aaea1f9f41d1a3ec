"""From the transfers of a message to its status: in any order the same, and only as the table allows."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.progress import (
    DECISION_REASONS,
    PIPELINE_REASONS,
    Ended,
    Progress,
    ended,
    judge,
    standing_of,
    together,
    told,
)
from postbus.domain.iso20022.status import FINAL, MOVES, Actor, may_move
from postbus.domain.iso20022.workflow import Child, ChildState, DecisionKind
from postbus.domain.lifecycle import FACTS, FINAL_STATES, State
from postbus.domain.money import Money

EVENTS = Path(__file__).resolve().parents[4] / "events"
ENDINGS = [
    name for name, fact in FACTS.items() if fact.state in FINAL_STATES and fact.state is not State.POSTED
]
CANCELLATION, REJECTION = DecisionKind.CANCELLATION, DecisionKind.REJECTION
TIME_OUT = DecisionKind.TIME_OUT
ACTORS = {CANCELLATION: Actor.CLIENT, REJECTION: Actor.CLIENT, TIME_OUT: Actor.TIME_OUT}


def child(state: ChildState, *codes: str, number: int = 1) -> Child:
    return Child(
        number=number,
        state=state,
        amount=Money(1230, "EUR"),
        end_to_end_id=f"E2E-{number}",
        reasons=tuple(Reason(code) for code in codes),
    )


def children(*states: ChildState) -> list[Child]:
    return [child(state, number=number) for number, state in enumerate(states, 1)]


OPEN, POSTED, VOIDED, REJECTED = ChildState
wanted = st.sampled_from([None, *DecisionKind])
codes = st.lists(st.sampled_from(["AC04", "AM04", "DS02", "MS03", "RR04"]), max_size=2)
messages = st.lists(st.tuples(st.sampled_from(ChildState), codes), min_size=1, max_size=6).map(
    lambda drawn: [child(state, *found, number=number) for number, (state, found) in enumerate(drawn, 1)]
)


@given(messages.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))), wanted)
def test_transfers_in_any_order_give_the_same_status(
    orders: tuple[list[Child], list[Child]], decision: DecisionKind | None
) -> None:
    assert judge(orders[0], decision) == judge(orders[1], decision)


@given(messages, wanted)
def test_a_message_is_final_when_all_of_its_transfers_are(
    found: list[Child], decision: DecisionKind | None
) -> None:
    finished = all(transfer.state is not OPEN for transfer in found)
    assert (judge(found, decision).status in FINAL) is finished


@given(messages, wanted)
def test_what_is_booked_shows_whatever_was_wanted(found: list[Child], decision: DecisionKind | None) -> None:
    status = judge(found, decision).status
    states = {transfer.state for transfer in found}
    if OPEN not in states:
        assert (status is Status.ACSC) is (states == {POSTED})
        assert (status is Status.PART) is (POSTED in states and states != {POSTED})


@given(messages, wanted)
def test_the_table_lets_whoever_decided_write_the_status(
    found: list[Child], decision: DecisionKind | None
) -> None:
    status = judge(found, decision).status
    if status is not Status.ACSP:
        by_decision = decision in ACTORS and may_move(Status.ACSP, status, ACTORS[decision])
        assert by_decision or may_move(Status.ACSP, status, Actor.LEDGER)


def test_every_end_of_the_table_can_come_about() -> None:
    found = {
        judge(children(*states), decision).status
        for states in ([POSTED], [POSTED, VOIDED], [REJECTED], [VOIDED])
        for decision in (None, CANCELLATION)
    }
    assert found == {after for before, after in MOVES if before is Status.ACSP}


@given(messages, wanted)
def test_a_message_and_its_transfers_tell_the_same(found: list[Child], decision: DecisionKind | None) -> None:
    status = judge(found, decision).status
    standings = [standing_of(transfer, decision) for transfer in found]
    if status is not Status.CANC:
        assert together(standing.status for standing in standings) is status
    else:
        assert {standing.status for standing in standings} <= {Status.CANC, Status.RJCT}


@given(messages, wanted)
def test_what_is_rejected_has_a_reason(found: list[Child], decision: DecisionKind | None) -> None:
    progress = judge(found, decision)
    assert progress.reasons or progress.status is not Status.RJCT
    for transfer in found:
        standing = standing_of(transfer, decision)
        assert standing.reasons or standing.status is not Status.RJCT


@pytest.mark.parametrize(
    ("states", "decision", "expected"),
    [
        ([POSTED, OPEN], CANCELLATION, Progress(Status.ACSP)),
        ([POSTED, VOIDED], CANCELLATION, Progress(Status.PART)),
        ([POSTED, POSTED], TIME_OUT, Progress(Status.ACSC)),
        ([VOIDED, VOIDED], CANCELLATION, Progress(Status.CANC, (Reason("DS02"),))),
        ([VOIDED, REJECTED], CANCELLATION, Progress(Status.CANC, (Reason("DS02"),))),
        ([REJECTED, REJECTED], CANCELLATION, Progress(Status.RJCT, (Reason("MS03"),))),
        ([VOIDED], TIME_OUT, Progress(Status.RJCT, (Reason("AB03"),))),
        ([VOIDED], REJECTION, Progress(Status.RJCT, (Reason("CUST"),))),
        ([], TIME_OUT, Progress(Status.RJCT, (Reason("AB03"),))),
        ([], CANCELLATION, Progress(Status.CANC, (Reason("DS02"),))),
    ],
)
def test_the_status_of_a_message(
    states: list[ChildState], decision: DecisionKind, expected: Progress
) -> None:
    assert judge(children(*states), decision) == expected


def test_a_message_names_each_reason_of_its_transfers_once_and_does_not_explain_it() -> None:
    found = [
        child(REJECTED, "AC04", number=1),
        child(REJECTED, "AC04", "AM04", number=2),
    ]
    assert judge(found).reasons == (Reason("AC04"), Reason("AM04"))


def test_the_reasons_of_a_message_have_one_order_so_that_the_same_answer_is_the_same_bytes() -> None:
    found = ["RC01", "DU01", "AC04", "BE04", "AM04", "AC06", "MS03"]
    assert [reason.code for reason in judge([child(REJECTED, *found)]).reasons] == sorted(found)


def test_a_decisions_own_reason_goes_before_the_usual_one() -> None:
    given_reason = (Reason("FRAD"),)
    assert judge(children(VOIDED), CANCELLATION, given_reason).reasons == given_reason
    assert standing_of(child(VOIDED, "DS02"), CANCELLATION, given_reason).reasons == given_reason


def test_a_transfer_that_was_taken_back_for_another_reason_keeps_it() -> None:
    assert standing_of(child(VOIDED, "AM05"), TIME_OUT).reasons == (Reason("AM05"),)
    assert standing_of(child(VOIDED, "DS02"), TIME_OUT).reasons == (Reason("AB03"),)


def test_a_message_that_nobody_decided_has_transfers() -> None:
    with pytest.raises(InvariantBroken):
        judge([])
    with pytest.raises(InvariantBroken):
        together([])


@pytest.mark.parametrize("event_type", ENDINGS)
def test_every_reason_of_the_pipeline_has_a_word_of_the_standard(event_type: str) -> None:
    schema = json.loads((EVENTS / event_type / "v1" / "schema.json").read_text())
    known = schema["properties"]["data"]["properties"]["reason"]["properties"]["code"]["enum"]
    assert known
    for code in known:
        assert code in PIPELINE_REASONS
        found = ended(event_type, {"reason": {"code": code, "text": "of the account tok_1"}})
        assert found is not None
        assert found.reasons == (PIPELINE_REASONS[code],)


def test_no_reason_of_the_table_is_one_the_pipeline_does_not_give() -> None:
    known: set[str] = set()
    for event_type in ENDINGS:
        schema = json.loads((EVENTS / event_type / "v1" / "schema.json").read_text())
        known |= {*schema["properties"]["data"]["properties"]["reason"]["properties"]["code"]["enum"]}
    assert known == set(PIPELINE_REASONS)


@pytest.mark.parametrize("reason", [*PIPELINE_REASONS.values(), *DECISION_REASONS.values()])
def test_a_word_of_the_standard_fits_its_element(reason: Reason) -> None:
    assert len(reason.code) == 4
    assert all(len(line) <= 105 for line in reason.additional)


# What each final state of the pipeline makes of a transfer. One that is added there belongs here too.
ENDED_AS = {
    State.POSTED: POSTED,
    State.VOIDED: VOIDED,
    State.REJECTED: REJECTED,
    State.FAILED: REJECTED,
}


@pytest.mark.parametrize("event_type", FACTS)
def test_what_is_final_in_the_pipeline_ends_a_transfer_and_nothing_else_does(event_type: str) -> None:
    state = FACTS[event_type].state
    found = ended(event_type, {"reason": {"code": "ACCOUNT_CLOSED", "text": "it is closed"}})
    if state in FINAL_STATES:
        assert found is not None
        assert found.state is ENDED_AS[state]
    else:
        assert found is None


def test_a_refusing_rule_gives_its_findings_reason_and_a_warning_none() -> None:
    findings = [
        {"id": "a", "code": "HIGH_AMOUNT", "severity": "refuse", "text": ""},
        {"id": "b", "code": "NEW_RULE", "severity": "refuse", "text": ""},
        {"id": "c", "code": "DUPLICATE", "severity": "warn", "text": ""},
    ]
    data = {"reason": {"code": "RULES_REFUSED", "text": "Refused by a, b"}, "findings": findings}
    assert ended("TransactionRejected", data) == Ended(REJECTED, (Reason("AM14"), Reason("MS03")))


def test_a_regulatory_reason_is_never_explained_and_not_named_while_it_waits() -> None:
    reasons = (Reason("RR04", ("matches entry 12 of the list",)), Reason("AM04", ("short",)))
    assert told(Status.RJCT, reasons) == (Reason("RR04"), Reason("AM04", ("short",)))
    for status in set(Status) - FINAL:
        # Of what is pending nothing is told, so that no hold stands out by its silence.
        seen = () if status is Status.PDNG else (Reason("AM04", ("short",)),)
        assert told(status, reasons) == seen
        assert told(status, (Reason("FR01"),)) == ()
