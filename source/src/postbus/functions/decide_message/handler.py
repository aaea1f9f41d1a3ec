"""Carry out what a client, an operator or the clock decided about a transaction.

Cancellation, rejection, time-out: its transfers are voided in the pipeline  ->  the step ``release``
Acceptance, clearance of what is held                                        ->  the step ``process``

Whether a transfer is booked or voided is told by its outcome alone, in one conditional write: what was booked
before settles, what was voided never will be booked, and what is being sent to another ledger stays open
until that has answered.  The verdict is kept before the first void, so that whoever ends the transaction
knows why.
Each part may be repeated: a crash anywhere is made up for by the message coming again.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from postbus.adapters.several import each
from postbus.domain.errors import Unavailable
from postbus.domain.iso20022 import conclusion, decisions, taking_back
from postbus.domain.iso20022.decisions import Verdict
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.progress import Progress
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import (
    Child,
    ChildState,
    Decision,
    DecisionKind,
    Finished,
    Head,
    Next,
    Step,
    StepCall,
    StepName,
    StepResult,
    Took,
)
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.ports import Clock, EventBus, Outcomes
from postbus.ports_iso20022 import Steps
from postbus.runtime.cases import Cases
from postbus.runtime.decisions import send_answered
from postbus.runtime.entry import step_function
from postbus.runtime.logging import logger

if TYPE_CHECKING:
    from postbus.runtime.config import Config

# As many as are counted off in one write.
_AT_ONCE = 99

# A transaction ends once: whoever writes about it so often met something else than its end.
_ROUNDS = 3


def build(cases: Cases, outcomes: Outcomes, bus: EventBus, steps: Steps, clock: Clock) -> Step:
    """Bind the step to its ports."""
    store = cases.store

    def decide(call: StepCall) -> StepResult:
        transaction_id = call.transaction_id
        standing = ruled(transaction_id)
        head = cases.head(transaction_id)
        ending = decisions.ending(standing, head)
        if head.status not in FINAL and head.children is not None and ending:
            take_back(head, ending)
            head = cases.head(transaction_id)
        is_over = ending and not head.children_open and not decisions.awaits_an_operator(standing, head)
        if head.status not in FINAL and is_over:
            return Next(StepName.RELEASE, again=True)
        if any(one.kind is DecisionKind.CANCELLATION for one in standing):
            answer_cancellations(transaction_id)
            send_answered(transaction_id, standing, store, steps, clock)
        return Next(StepName.PROCESS) if goes_on(head, standing) else Took()

    def ruled(transaction_id: str) -> list[Decision]:
        """All decisions about it, each with its verdict; of two that want the same the earlier stands.

        What awaits an operator has none until that has decided, and is then ruled on in the same run.
        """
        while (kept := store.decisions(transaction_id)) and (found := next_verdict(transaction_id, kept)):
            store.carried_out(transaction_id, *found)
        return list(kept)

    def next_verdict(transaction_id: str, kept: Sequence[Decision]) -> tuple[str, Verdict] | None:
        if waiting := [one for one in kept if one.verdict is None]:
            # Read after the decisions were: a camt.056 looks for one after it has moved on.
            head = cases.head(transaction_id)
            for decision in waiting:
                if (verdict := decisions.verdict_on(decision, head, kept)) is not None:
                    return decision.key, verdict
        return None

    def goes_on(head: Head, standing: Sequence[Decision]) -> bool:
        """Whether what is held was let go on, and has not gone yet."""
        return head.status is Status.PDNG and decisions.is_let_go_on(standing)

    def take_back(head: Head, ending: Sequence[Decision]) -> None:
        covered = (
            (child, decision)
            for child in store.children(head.transaction_id)
            if child.state is ChildState.OPEN
            and (decision := decisions.covering(child.number, ending)) is not None
        )
        being_sent = 0
        for chunk in _chunks(covered):
            finished = each(void, chunk)
            store.finish_children(head.transaction_id, [one for one in finished if one is not None])
            being_sent += finished.count(None)
        if being_sent:
            # Terraform makes this figure a metric: only the other ledger's answer ends it.
            extra = {"transaction_id": head.transaction_id, "transfers_being_sent": being_sent}
            logger().warning("being sent, not taken back", extra=extra)

    def void(covered: tuple[Child, Decision]) -> Finished | None:
        """Void a transfer unless it was decided before; its final state, ``None`` while it is being sent."""
        child, decision = covered
        if child.record is None or child.pipeline_id is None:
            # Nothing of it can ever come to the pipeline.
            return Finished(number=child.number, state=ChildState.VOIDED)
        found = outcomes.find(child.pipeline_id)
        outcome = outcomes.decide(taking_back.voiding(child, found, decision, clock()))
        if outcome.state is OutcomeState.VOIDED:
            announce(outcome)
        return taking_back.finished_by(child, outcome)

    def announce(outcome: Outcome) -> None:
        """Before it is counted off, so that a repeat tells it; what is not told the sweeper tells in time."""
        if refused := bus.publish([outcome.announcement()]):
            raise Unavailable(f"the bus refused an event: {next(iter(refused.values()))}")
        outcomes.announced(outcome)

    def answer_cancellations(transaction_id: str) -> None:
        """Every camt.029 as everything stands; once more if the transaction has ended in the meantime."""
        for _ in range(_ROUNDS):
            case = cases.of(transaction_id)
            now = conclusion.judged(case) or Progress(case.head.status, case.head.reasons)
            answers = conclusion.cancellation_answers(case, now)
            for name, document in cases.put(transaction_id, answers).items():
                if case.head.documents.get(name) != document:
                    store.put_document(transaction_id, name, document)
            if cases.head(transaction_id).status is case.head.status:
                return
        raise Unavailable(f"{transaction_id} changes faster than it can be read")

    return decide


def _chunks(covered: Iterator[tuple[Child, Decision]]) -> Iterator[list[tuple[Child, Decision]]]:
    while chunk := list(islice(covered, _AT_ONCE)):
        yield chunk


def bind(config: "Config") -> Step:
    from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
    from postbus.adapters.eventbridge_bus import EventBridgeBus
    from postbus.adapters.sqs_steps import SqsSteps, queue_urls
    from postbus.runtime.clients import client, now

    return build(
        Cases.bind(config),
        DynamoDbOutcomes(client("dynamodb"), config.text("LEDGER_TABLE")),
        EventBridgeBus(client("events"), config.text("BUS")),
        SqsSteps(client("sqs"), queue_urls(config.text("STEP_QUEUE_URLS"))),
        now,
    )


lambda_handler = step_function(StepName.DECIDE, bind)
