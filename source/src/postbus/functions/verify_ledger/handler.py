"""Check on a schedule that the ledger adds up, and publish how much does not.

schedule  ->  metrics LedgerImbalance (places found wrong), LedgerUnconfirmed (places that kept moving)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from postbus.domain.ledger_check import Report
from postbus.runtime.entry import request_function
from postbus.runtime.logging import logger

if TYPE_CHECKING:
    from postbus.runtime.config import Config

# Of the wrong places, how many are named: enough to begin with, and `postbus ledger verify` names them all.
_NAMED = 20


def build(
    verify: Callable[[], Report], publish: Callable[[str, float], None]
) -> Callable[[Any], dict[str, Any]]:
    """Bind the check to its ports.

    Args:
        verify: goes through the books.
        publish: records a metric by name.
    """

    def verify_ledger(_schedule: Any) -> dict[str, Any]:
        report = verify()
        publish("LedgerImbalance", len(report.wrong))
        publish("LedgerUnconfirmed", len(report.unconfirmed))
        answer = {
            "postings": report.postings,
            "wrong": dict(sorted(report.wrong.items())[:_NAMED]),
            "wrong_count": len(report.wrong),
            "unconfirmed_count": len(report.unconfirmed),
        }
        if report.wrong:
            logger().error("ledger imbalance", extra=answer)
        return answer

    return verify_ledger


def bind(config: "Config") -> Callable[[Any], dict[str, Any]]:
    from postbus.adapters.cloudwatch_metrics import CloudWatchMetrics
    from postbus.adapters.dynamodb_books import LedgerBooks
    from postbus.runtime.clients import client

    books = LedgerBooks(client("dynamodb"), config.text("LEDGER_TABLE"), config.text("BALANCES_TABLE"))
    metrics = CloudWatchMetrics(
        client("cloudwatch"), config.text("METRICS_NAMESPACE", "Postbus"), "verify_ledger"
    )
    return build(books.verify, metrics.publish)


lambda_handler = request_function(bind)
