"""A camt.056 from its arrival to the camt.029 that it ends with: its transaction beside its original's."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from lxml import etree

from postbus.domain.event import Event
from postbus.domain.inbound import credit_transfers
from postbus.domain.iso20022.checks import NeedsDecision
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.workflow import (
    CANCELLATION_ANSWER,
    OUTGOING,
    ChildState,
    Decision,
    DecisionKind,
    Entry,
    Next,
    Step,
    StepCall,
    StepName,
    Took,
    pipeline_transaction_id,
)
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.steps import Defer
from postbus.functions.decide_message import handler as decide_message
from postbus.functions.release_message import handler as release_message
from postbus.functions.time_out_messages import handler as time_out_messages
from postbus.runtime.cases import Cases
from postbus.runtime.steps import send_step
from tests.fakes.endings import Bus
from tests.fakes.iso20022 import InMemoryNotices
from tests.fakes.ledger import Books, InMemoryOutcomes
from tests.fakes.messages import CLIENT, NOON, finish
from tests.fakes.processing import Crash, Watched, World, camt_056, pacs_008, transfer

SANCTIONS_HIT = NeedsDecision(Reason("RR04"))
OPERATOR = "operator-ann"


class Office:
    """All steps of two transactions, each sent as it is in a deployment; a crash brings its message back."""

    def __init__(self) -> None:
        self.world = World()
        self.outcomes = InMemoryOutcomes(Books())
        self.notices = InMemoryNotices()
        self.done = 0
        world = self.world
        # Every call of a port is a moment at which the function may be killed.
        messages, documents, steps, outcomes = (
            Watched(port, world._moment)
            for port in (world.messages, world.documents, world.steps, self.outcomes)
        )
        cases = Cases(messages, documents, documents, world.schemas)
        self.functions: dict[StepName, Step] = {
            StepName.DECIDE: decide_message.build(cases, outcomes, Bus(), steps, self.clock),
            StepName.RELEASE: release_message.build(cases, world.accounts, self.notices, steps, self.clock),
        }

    def clock(self) -> object:
        return NOON

    def settle(self) -> None:
        """Let everything that was sent come through."""
        sent = self.world.steps.sent
        while self.done < len(sent):
            transaction_id, step, attempt = sent[self.done]
            self.world.messages.step_taken(transaction_id, step, attempt, NOON)
            try:
                result = self.run(StepCall(transaction_id, step, attempt))
                if isinstance(result, Next):
                    self.send(transaction_id, result)
            except Crash:
                continue
            self.done += 1
            assert self.done < 100, "it never comes to rest"

    def run(self, call: StepCall) -> object:
        function = self.functions.get(call.step)
        return function(call) if function else self.world.run(call.step, call.transaction_id, call.attempt)

    def send(self, transaction_id: str, following: Next) -> None:
        send_step(transaction_id, following, self.world.messages, self.world.steps, lambda: NOON)

    def arrives(self, body: bytes, number: int) -> str:
        transaction_id = self.world.hand_in(body, number)
        self.send(transaction_id, Next(StepName.RECEIVE))
        self.settle()
        return transaction_id

    def wants(self, transaction_id: str, kind: DecisionKind) -> None:
        self.world.messages.decide(
            transaction_id, Decision(key=f"op.{kind}", kind=kind, by=OPERATOR, at=NOON)
        )
        self.send(transaction_id, Next(StepName.DECIDE, again=True))

    def being_sent(self, transaction_id: str, number: int) -> None:
        """Let the pipeline have a transfer on its way to another ledger."""
        child = self.world.messages.child(transaction_id, number)
        assert child is not None
        assert child.record is not None
        transaction = credit_transfers.to_transaction(child.record)
        cause = Event.first("TransactionPostingApproved", transaction.transaction_id, "test", NOON, {})
        self.outcomes.decide(
            Outcome.of(
                cause, OutcomeState.SENDING, "TransactionPostingApproved", transaction.content_hash, NOON, {}
            )
        )

    def finished(self, transaction_id: str, number: int, state: ChildState) -> None:
        """As whoever collects the outcomes does."""
        settled_at = NOON if state is ChildState.POSTED else None
        messages = self.world.messages
        if not finish(messages, transaction_id, number, state, settled_at=settled_at):
            self.send(transaction_id, Next(StepName.RELEASE))

    def status(self, transaction_id: str) -> Status:
        return self.world.head(transaction_id).status

    def conclusion(self, transaction_id: str, name: str = OUTGOING) -> str | None:
        """What a camt.029 says in a word; ``None`` where there is none."""
        document = self.world.head(transaction_id).documents.get(name)
        if document is None:
            return None
        return etree.fromstring(self.world.documents.bodies[document.key]).findtext(".//{*}Conf")


@pytest.fixture
def office() -> Office:
    return Office()


def held(office: Office) -> tuple[str, str]:
    """A payment that an operator has to decide about, and the camt.056 about it."""
    office.world.screening.answers[1] = SANCTIONS_HIT
    original = office.arrives(pacs_008(transfer(1)), 1)
    return original, office.arrives(camt_056("M-1"), 2)


@pytest.mark.parametrize(
    ("kind", "end", "answer"),
    [
        (DecisionKind.CLEARANCE, Status.CANC, "CNCL"),
        (DecisionKind.REJECTION, Status.RJCT, "RJCR"),
    ],
)
def test_a_cancellation_of_what_is_held_ends_with_the_operators_decision(
    office: Office, kind: DecisionKind, end: Status, answer: str
) -> None:
    original, request = held(office)
    assert (office.status(original), office.status(request)) == (Status.PDNG, Status.ACSP)
    # Its own answer is awaited; of the payment the client is told what it may be told.
    assert office.conclusion(request) is None
    assert office.conclusion(original, CANCELLATION_ANSWER) == "PDCR"
    office.wants(original, kind)
    office.settle()
    assert (office.status(original), office.status(request)) == (end, Status.ACSC)
    assert office.conclusion(request) == office.conclusion(original, CANCELLATION_ANSWER) == answer
    assert office.world.transfers.records == {}
    assert {notice.transaction_id for notice in office.notices.told} == {original, request}


@pytest.mark.parametrize(
    ("state", "end", "answer"),
    [(ChildState.POSTED, Status.ACSC, "RJCR"), (ChildState.REJECTED, Status.RJCT, "RJCR")],
)
def test_a_cancellation_of_what_is_being_sent_ends_with_the_other_ledgers_answer(
    office: Office, state: ChildState, end: Status, answer: str
) -> None:
    original = office.arrives(pacs_008(transfer(1)), 1)
    office.being_sent(original, 1)
    request = office.arrives(camt_056("M-1"), 2)
    assert (office.status(request), office.conclusion(request)) == (Status.ACSP, None)
    assert office.conclusion(original, CANCELLATION_ANSWER) == "PDCR"
    office.finished(original, 1, state)
    office.settle()
    assert (office.status(original), office.status(request)) == (end, Status.ACSC)
    assert office.conclusion(request) == answer


def test_a_cancellation_of_one_transfer_does_not_wait_for_the_others(office: Office) -> None:
    original = office.arrives(pacs_008(transfer(1), transfer(2)), 1)
    request = office.arrives(camt_056("M-1", "E-2"), 2)
    assert (office.status(original), office.status(request)) == (Status.ACSP, Status.ACSC)
    assert office.conclusion(request) == "CNCL"


def test_while_a_cancellation_is_pending_another_one_of_the_same_message_ends(office: Office) -> None:
    original = office.arrives(pacs_008(transfer(1), transfer(2)), 1)
    office.being_sent(original, 1)
    first = office.arrives(camt_056("M-1", "E-1", "C-1"), 2)
    second = office.arrives(camt_056("M-1", "E-2", "C-2"), 3)
    assert (office.status(first), office.status(second)) == (Status.ACSP, Status.ACSC)
    office.finished(original, 1, ChildState.POSTED)
    office.settle()
    assert (office.conclusion(first), office.conclusion(second)) == ("RJCR", "CNCL")


def test_the_same_camt_056_under_a_second_transaction_ends_with_the_same_answer(office: Office) -> None:
    original, first = held(office)
    second = office.arrives(camt_056("M-1"), 3)
    assert (office.status(first), office.status(second)) == (Status.ACSP, Status.ACSP)
    waiting = StepCall(second, StepName.PROCESS, 1)
    sent = len(office.world.steps.sent)
    assert isinstance(office.run(waiting), Defer)
    # It has nothing decided anew each time that it looks.
    assert len(office.world.steps.sent) == sent
    office.wants(original, DecisionKind.CLEARANCE)
    office.settle()
    assert office.status(second) is Status.ACSP
    assert office.run(waiting) == Next(StepName.RELEASE)
    assert (office.status(first), office.status(second)) == (Status.ACSC, Status.ACSC)
    assert office.conclusion(first) == office.conclusion(second) == "CNCL"


def test_a_camt_056_that_was_handed_in_as_a_decision_before_ends_with_its_answer(office: Office) -> None:
    office.world.screening.answers[1] = SANCTIONS_HIT
    original = office.arrives(pacs_008(transfer(1)), 1)
    request = office.world.hand_in(camt_056("M-1"), 2)
    incoming = office.world.head(request).incoming
    assert incoming is not None
    same = Decision(
        key=f"cancellation.{incoming.sha256[:32]}", kind=DecisionKind.CANCELLATION, by=CLIENT, at=NOON
    )
    office.world.messages.decide(original, same)
    office.send(request, Next(StepName.RECEIVE))
    office.settle()
    waiting = StepCall(request, StepName.PROCESS, 1)
    assert isinstance(office.run(waiting), Defer)
    office.wants(original, DecisionKind.CLEARANCE)
    office.settle()
    assert office.run(waiting) == Next(StepName.RELEASE)
    assert (office.status(request), office.conclusion(request)) == (Status.ACSC, "CNCL")


def test_when_the_first_of_two_equal_requests_has_ended_the_second_has_its_cancellation_decided(
    office: Office,
) -> None:
    original, first = held(office)
    second = office.arrives(camt_056("M-1"), 3)
    messages = office.world.messages
    messages.append(messages.heads[first], Entry(status=Status.RJCT, at=NOON, by=CLIENT))
    assert isinstance(office.run(StepCall(second, StepName.PROCESS, 1)), Defer)
    assert office.world.steps.sent[-1][:2] == (original, StepName.DECIDE)


def test_a_second_equal_request_waits_in_the_queue_until_it_is_looked_for_and_no_longer(
    office: Office,
) -> None:
    original, _ = held(office)
    second = office.arrives(camt_056("M-1"), 3)

    def looked_for(hours: int) -> None:
        later = NOON + timedelta(hours=hours)
        messages, steps = office.world.messages, office.world.steps
        time_out_messages.build(messages, steps, lambda: later, timedelta(minutes=10))({"tick": 0})

    looked_for(hours=1)
    for attempt in (1, 2):
        assert isinstance(office.run(StepCall(second, StepName.PROCESS, attempt)), Took)
    office.wants(original, DecisionKind.CLEARANCE)
    office.settle()
    looked_for(hours=2)
    office.settle()
    assert (office.status(second), office.conclusion(second)) == (Status.ACSC, "CNCL")


def test_an_answer_that_nobody_told_it_of_is_found_by_whoever_looks_for_what_stands_still(
    office: Office,
) -> None:
    original, request = held(office)
    # Its sender wants to withdraw it, which comes too late; it has a step of that name since.
    withdrawn = Decision(key="r", kind=DecisionKind.REJECTION, by=CLIENT, at=NOON)
    office.world.messages.decide(request, withdrawn)
    office.send(request, Next(StepName.DECIDE))
    office.functions[StepName.PROCESS] = lambda _: Took()
    office.wants(original, DecisionKind.CLEARANCE)
    office.settle()
    del office.functions[StepName.PROCESS]
    assert (office.status(original), office.status(request)) == (Status.CANC, Status.ACSP)
    later = NOON + timedelta(hours=1)
    look = time_out_messages.build(
        office.world.messages, office.world.steps, lambda: later, timedelta(minutes=10)
    )
    assert look({"tick": 0}) == {"timed_out": 0, "sent_again": 1}
    office.settle()
    assert (office.status(request), office.conclusion(request)) == (Status.ACSC, "CNCL")


def test_a_cancellation_of_a_camt_056_itself_is_answered_for_good_when_that_has_ended(office: Office) -> None:
    original, request = held(office)
    own = Decision(key="c", kind=DecisionKind.CANCELLATION, by=CLIENT, at=NOON)
    office.world.messages.decide(request, own)
    office.send(request, Next(StepName.DECIDE))
    office.settle()
    assert office.conclusion(request, CANCELLATION_ANSWER) == "PDCR"
    office.wants(original, DecisionKind.CLEARANCE)
    office.settle()
    assert office.conclusion(request) == "CNCL"
    assert office.conclusion(request, CANCELLATION_ANSWER) == "RJCR"


def killed_once_at(office: Office, moment: int) -> Callable[[int], None]:
    def at_call(now: int) -> None:
        if now == moment:
            raise Crash

    office.world.moments = 0
    return at_call


def test_wherever_it_is_killed_a_cancellation_ends_with_its_final_answer() -> None:
    def ended(moment: int) -> int:
        office = Office()
        original, request = held(office)
        office.world.at_call = killed_once_at(office, moment)
        office.wants(original, DecisionKind.CLEARANCE)
        office.settle()
        ends = office.status(original), office.status(request), office.conclusion(request)
        assert ends == (Status.CANC, Status.ACSC, "CNCL"), moment
        outcome = office.outcomes.find(pipeline_transaction_id(original, 1))
        assert outcome is not None
        assert outcome.state is OutcomeState.VOIDED
        return office.world.moments

    moments = ended(0)
    assert moments > 30
    for moment in range(1, moments + 1):
        ended(moment)


@pytest.mark.parametrize("status", [Status.PDNG, Status.ACSP])
def test_a_cancellation_that_arrives_is_kept_wherever_it_is_killed(status: Status) -> None:
    def asked(moment: int) -> int:
        office = Office()
        if status is Status.PDNG:
            office.world.screening.answers[1] = SANCTIONS_HIT
        original = office.arrives(pacs_008(transfer(1)), 1)
        if status is Status.ACSP:
            office.being_sent(original, 1)
        office.world.at_call = killed_once_at(office, moment)
        request = office.arrives(camt_056("M-1"), 2)
        assert (office.status(original), office.status(request)) == (status, Status.ACSP), moment
        assert office.conclusion(original, CANCELLATION_ANSWER) == "PDCR", moment
        (decision,) = office.world.messages.decisions(original)
        assert (decision.by, decision.request) == (CLIENT, request)
        return office.world.moments

    moments = asked(0)
    assert moments > 30
    for moment in range(1, moments + 1):
        asked(moment)
