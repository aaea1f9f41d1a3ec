"""Check a converted transaction's billing amount against the rate table, for the business-rules workflow.

TransactionEnriched v1  ->  the check, ``{"status", "pair", "rate"?, "deviation_basis_points"}``
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from postbus.domain import conversion
from postbus.domain.event import Event
from postbus.domain.transaction import Transaction
from postbus.ports import Directory
from postbus.runtime.entry import task_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(rates: Directory) -> Callable[[Any], Mapping[str, Any]]:
    """Bind the task to its port: the EventBridge message in, the check out."""

    def check_conversion(message: Any) -> Mapping[str, Any]:
        transaction = Transaction.from_event(Event.from_bus(message))
        pair = conversion.pair_of(transaction)
        rate = rates.find([pair]).get(pair)
        # A record without a rate is as unusable as one with a wrong rate, and neither is a missing record.
        return conversion.check(transaction, None if rate is None else rate.get("rate") or "").to_data()

    return check_conversion


def bind(config: "Config") -> Callable[[Any], Mapping[str, Any]]:
    from postbus.adapters.dynamodb_directory import DynamoDbDirectory
    from postbus.runtime.clients import client

    return build(DynamoDbDirectory(client("dynamodb"), config.text("RATES_TABLE"), "pair"))


lambda_handler = task_function(bind)
