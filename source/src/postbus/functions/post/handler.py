"""Book an approved transaction in the ledger, once.

TransactionPostingApproved v1  ->  TransactionPosted v1 | TransactionPostingFailed v1
    | TransactionHeld v1 | TransactionVoided v1 (reversals of what is not posted)
    | whatever was decided about it before, announced again
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from postbus.domain.event import Event
from postbus.domain.posting import PostingInstruction
from postbus.domain.steps import Defer, Emit, Park, Result, Step
from postbus.ports import Answer, Clock, Impossible, Ledger, NotNow, Settled
from postbus.runtime.entry import queue_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(ledger: Ledger, clock: Clock, retry_hours: int) -> Step:
    """Bind the step to its ports.

    Args:
        retry_hours: how long after its approval a transaction is tried while the ledger is away.
    """

    def post(events: Sequence[Event]) -> Sequence[Result]:
        now = clock()

        def result(event: Event, answer: Answer) -> Result:
            match answer:
                case Settled(outcomes):
                    return Emit(tuple(outcome.announcement(replay=event.replay) for outcome in outcomes))
                case Impossible(reason):
                    return Park(reason)
                case NotNow(reason):
                    # What is replayed was approved long ago, and is not given up for that.
                    late = now - event.occurred_at > timedelta(hours=retry_hours) and event.replay is None
                    return Park(f"not posted within {retry_hours} hours: {reason}") if late else Defer(reason)

        answers = ledger.post([PostingInstruction.from_event(event, now) for event in events])
        return [result(event, answer) for event, answer in zip(events, answers, strict=True)]

    return post


def bind(config: "Config") -> Step:
    from postbus.runtime.clients import now

    return build(_ledger(config), now, config.integer("RETRY_HOURS", 72))


def _ledger(config: "Config") -> Ledger:
    """The ledger this deployment has chosen."""
    from postbus.runtime.clients import client, now
    from postbus.runtime.config import ConfigurationMissing

    match config.text("LEDGER", "dynamodb"):
        case "dynamodb":
            from postbus.adapters.dynamodb_ledger import DynamoDbLedger

            tables = config.text("LEDGER_TABLE"), config.text("BALANCES_TABLE")
            return DynamoDbLedger(client("dynamodb"), *tables, config.integer("SHARDS", 64))
        case "http":
            from postbus.adapters.bearer_credentials import BearerCredentials
            from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
            from postbus.adapters.http_ledger import HttpLedger
            from postbus.adapters.posting_system import PostingSystem
            from postbus.adapters.secrets import Secret

            secret = Secret(client("secretsmanager"), config.text("HTTP_LEDGER_SECRET_ID"))
            system = PostingSystem.at(config.text("HTTP_LEDGER_URL"), BearerCredentials(secret), now)
            return HttpLedger(DynamoDbOutcomes(client("dynamodb"), config.text("LEDGER_TABLE")), system)
        case unknown:
            raise ConfigurationMissing(
                f"environment variable POSTBUS_LEDGER is {unknown!r}: dynamodb or http"
            )


lambda_handler = queue_function(bind)
