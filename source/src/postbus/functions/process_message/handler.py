"""Judge a message, and hand what passes to the posting pipeline.

ACTC -> PDNG | ACSP | nothing, where the release refuses it

The work is in three parts, each of which can be repeated after a crash anywhere in it:

1. The message is examined and its transfers are kept, each with its record, its refusal or its hold
   (``examination``).  Until all are kept nothing has any effect but claims, which are the transaction's own.
   What is kept stands: nothing is examined a second time after that, and no check asked again.
2. If nobody has to decide about it, or somebody has, the funds are set aside, each transfer's or none, under
   the pipeline's id; then the status becomes ACSP (``submission``).
3. Only then are the records written, each once.  The status is read again before; a transaction that was
   ended in the meantime has its funds given back and writes nothing.

A return of what is not booked yet waits for that, and goes on without the others of its message; it keeps
nobody else waiting, and ends by its own time at the latest.

A check that does not answer passes nothing: the message goes back to the queue, until it is answered or the
transaction's time is over.
"""

from typing import TYPE_CHECKING

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import Next, Step, StepCall, StepName, StepResult
from postbus.domain.steps import Defer
from postbus.ports_iso20022 import MessageStore
from postbus.runtime.entry import step_function

if TYPE_CHECKING:
    from postbus.functions.process_message.examination import Examination
    from postbus.functions.process_message.requests import Requests
    from postbus.functions.process_message.submission import Submission
    from postbus.runtime.config import Config


def build(
    messages: MessageStore, examination: "Examination", requests: "Requests", submission: "Submission"
) -> Step:
    """Bind the step to its parts."""

    def process(call: StepCall) -> StepResult:
        head = messages.head(call.transaction_id)
        if head is None or head.status is Status.ACCP:
            raise InvariantBroken(f"transaction {call.transaction_id} was not received")
        if head.status in FINAL and head.children is None:
            # A request that was answered; the release tells it.
            return Next(StepName.RELEASE)
        if head.children is not None:
            return submission.submit(head)
        if head.status is Status.ACTC and head.reasons:
            return Next(StepName.RELEASE)
        examined = examination.examine(head)
        if examined.is_early:
            return Defer("what it returns is not read yet")
        if examined.request is not None:
            return requests.answer(head, examined.request)
        if examined.refused:
            messages.refuse(head.transaction_id, examined.refused)
            return Next(StepName.RELEASE)
        return submission.submit(messages.add_children(head.transaction_id, examined.children))

    return process


def bind(config: "Config") -> Step:
    from postbus.adapters.dynamodb_accounts import DynamoDbAccounts
    from postbus.adapters.dynamodb_claims import DynamoDbClaims
    from postbus.adapters.dynamodb_credit_transfers import DynamoDbCreditTransfers
    from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
    from postbus.adapters.iso20022_schemas import installed
    from postbus.adapters.lambda_checks import LambdaCheck, LambdaLiquidity
    from postbus.adapters.no_liquidity import NoLiquidity
    from postbus.adapters.s3_documents import S3Documents
    from postbus.adapters.several import each
    from postbus.adapters.sqs_steps import SqsSteps, queue_urls
    from postbus.domain.iso20022.agreements import terms
    from postbus.domain.iso20022.mandates import mandates
    from postbus.functions.process_message.examination import Examination
    from postbus.functions.process_message.requests import Requests
    from postbus.functions.process_message.submission import Submission
    from postbus.runtime.clients import caller, client, now
    from postbus.runtime.steps import send_step

    dynamodb = client("dynamodb")
    checker = caller(config.integer("CHECK_TIMEOUT_SECONDS"))
    messages = DynamoDbMessages(dynamodb, config.text("ISO20022_TABLE"))
    claims = DynamoDbClaims(dynamodb, config.text("CLAIMS_TABLE"), now)
    steps = SqsSteps(client("sqs"), queue_urls(config.text("STEP_QUEUE_URLS")))
    examination = Examination(
        messages=messages,
        documents=S3Documents(client("s3"), config.text("INCOMING_BUCKET")),
        schemas=installed(),
        terms=terms(config.text("AGREEMENT", "{}")),
        accounts=DynamoDbAccounts(dynamodb, config.text("ACCOUNTS_TABLE")),
        claims=claims,
        checks=[LambdaCheck(checker, function) for function in config.text("CHECK_FUNCTIONS").split(",")],
        clock=now,
        limit_bytes=config.integer("LARGEST_MESSAGE_BYTES"),
        mandates=mandates(config.text("CLIENTS", "{}")),
        each=each,
    )
    requests = Requests(
        messages=messages,
        claims=claims,
        outgoing=S3Documents(client("s3"), config.text("OUTGOING_BUCKET")),
        follow=lambda transaction_id, following: send_step(transaction_id, following, messages, steps, now),
        clock=now,
    )
    reserving = config.text("LIQUIDITY_FUNCTION")
    submission = Submission(
        messages=messages,
        liquidity=NoLiquidity() if reserving == "none" else LambdaLiquidity(checker, reserving),
        transfers=DynamoDbCreditTransfers(dynamodb, config.text("CREDIT_TRANSFERS_TABLE")),
        clock=now,
        each=each,
    )
    return build(messages, examination, requests, submission)


lambda_handler = step_function(StepName.PROCESS, bind)
