"""Tell how a transaction ended: the outgoing message, the final status, and a notice to whoever listens.

ACTC | PDNG | ACSP  ->  ACSC | PART | RJCT | CANC

The messages are stored first, under keys made of their content; then the status is appended together with
where they are, in one conditional write, so that of two who end it at once one is found; then it is told.  A
repeat finds what is done, and does the rest.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from postbus.domain.errors import Unavailable
from postbus.domain.iso20022 import conclusion
from postbus.domain.iso20022.conclusion import Case
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.notices import Notice
from postbus.domain.iso20022.progress import Progress
from postbus.domain.iso20022.status import FINAL, may_replace
from postbus.domain.iso20022.workflow import (
    CANCELLATION_ANSWER,
    OUTGOING,
    Decision,
    DecisionKind,
    Document,
    Entry,
    Head,
    Next,
    Step,
    StepCall,
    StepName,
    StepResult,
    Took,
    answer_to,
)
from postbus.ports import Clock
from postbus.ports_iso20022 import AccountFinder, Notices, Steps
from postbus.runtime.cases import Cases
from postbus.runtime.decisions import send_answered
from postbus.runtime.entry import step_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config

# Few statuses follow one another: whoever is overtaken so often met something else than a race.
_ROUNDS = 6


def build(cases: Cases, accounts: AccountFinder, notices: Notices, steps: Steps, clock: Clock) -> Step:
    """Bind the step to its ports."""

    def release(call: StepCall) -> StepResult:
        for _ in range(_ROUNDS):
            head = cases.head(call.transaction_id)
            if head.status in FINAL:
                return tell(head)
            case = cases.of(call.transaction_id)
            end = conclusion.judged(case)
            if end is None:
                # A transfer that was kept after the decision was carried out is not taken back yet.
                return Next(StepName.DECIDE, again=True) if conclusion.is_waiting_for_voids(case) else Took()
            conclude(case, end)
        raise Unavailable(f"{call.transaction_id} changes faster than it can be read")

    def conclude(case: Case, end: Progress) -> None:
        head, by = case.head, conclusion.by_whom(case)
        if head.status not in may_replace(end.status):
            # Some of it is booked, so it was on its way, whether or not that was written down.
            head = cases.store.append(head, Entry(status=Status.ACSP, at=clock(), by=by))
        if head.status in may_replace(end.status):
            entry = Entry(status=end.status, at=clock(), by=by, reasons=end.reasons)
            cases.store.append(head, entry, written(case, end))

    def written(case: Case, end: Progress) -> dict[str, Document]:
        ours = accounts.find(conclusion.creditor_keys(case))
        return cases.put(case.head.transaction_id, conclusion.messages(case, end, ours))

    def tell(head: Head) -> StepResult:
        decided = cases.store.decisions(head.transaction_id)
        missing = expected(decided) - head.documents.keys() if head.incoming is not None else set()
        if missing:
            case = cases.of(head.transaction_id)
            for name, document in written(case, Progress(head.status, head.reasons)).items():
                # The last cancellation's may still be there as it was while that was pending.
                if name not in head.documents or (name == CANCELLATION_ANSWER and missing != {OUTGOING}):
                    cases.store.put_document(head.transaction_id, name, document)
        notices.tell(Notice.of(head))
        send_answered(head.transaction_id, decided, cases.store, steps, clock)
        return Took()

    def expected(decided: Iterable[Decision]) -> set[str]:
        """What every message is answered with; a cancellation may have come while its end was written."""
        cancelled = {answer_to(one.key) for one in decided if one.kind is DecisionKind.CANCELLATION}
        return {OUTGOING, CANCELLATION_ANSWER, *cancelled} if cancelled else {OUTGOING}

    return release


def bind(config: "Config") -> Step:
    from postbus.adapters.dynamodb_accounts import DynamoDbAccounts
    from postbus.adapters.sns_notices import SnsNotices
    from postbus.adapters.sqs_steps import SqsSteps, queue_urls
    from postbus.runtime.clients import client, now

    return build(
        Cases.bind(config),
        DynamoDbAccounts(client("dynamodb"), config.text("ACCOUNTS_TABLE")),
        SnsNotices(client("sns"), config.text("STATUSES_TOPIC_ARN")),
        SqsSteps(client("sqs"), queue_urls(config.text("STEP_QUEUE_URLS"))),
        now,
    )


lambda_handler = step_function(StepName.RELEASE, bind)
