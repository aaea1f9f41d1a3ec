"""Account-to-account transfers and their returns: items of the ``credit_transfers`` table."""

from collections.abc import Mapping
from typing import Any

from postbus.domain.duplicates import with_content_hash
from postbus.domain.errors import Malformed
from postbus.domain.event import parse_time
from postbus.domain.inbound.source import Source, amount_minor, converted, money
from postbus.domain.money import Money
from postbus.domain.transaction import Kind, Transaction

NAME = "credit_transfers"


def to_transaction(record: Mapping[str, Any]) -> Transaction:
    """Map a record that the schema accepts; raises Malformed naming the field."""
    parse_time(record["requested_execution_date_time"], "requested_execution_date_time")
    if record["debtor_account_token"] == record["creditor_account_token"]:
        raise Malformed("creditor_account_token", "another account than the debtor's")
    amount = money(record, "instructed_amount", "instructed_currency")
    billing, rate = converted(record, amount, "settlement_amount", "settlement_currency", "exchange_rate")
    is_return = "original_transfer" in record
    if is_return and record["original_transfer"] == record["transfer"]:
        raise Malformed("original_transfer", "another transfer than the return itself")
    return with_content_hash(
        transaction_id=f"{NAME}-{record['transfer']}",
        source=NAME,
        kind=Kind.REVERSAL if is_return else Kind.TRANSFER,
        amount=amount,
        billing=billing,
        account_token=record["debtor_account_token"],
        # With a return, whose money it is that goes back.
        counterparty_token=record["creditor_account_token"],
        transmitted_at=record["requested_execution_date_time"],
        home_region=record["home_region"],
        conversion_rate=rate,
        original_transaction_id=f"{NAME}-{record['original_transfer']}" if is_return else None,
        partial=_is_part(record, amount),
        end_to_end_id=record["end_to_end_id"],
    )


def _is_part(record: Mapping[str, Any], returned: Money) -> bool:
    """Whether some of the original stands after a return."""
    if "original_instructed_amount" not in record:
        return False
    if amount_minor(record, "original_instructed_amount") <= returned.minor:
        raise Malformed("original_instructed_amount", "more than instructed_amount: for a part only")
    return True


SOURCE = Source(
    name=NAME,
    key="transfer",
    to_transaction=to_transaction,
    # The debtor's own reference tells two equal payments apart; a resubmission keeps it, under a new id.
    # A return differs from its original, and from the return of another, in what it reverses.
    fingerprint_fields=(
        "account_token",
        "counterparty_token",
        "amount",
        "billing",
        "end_to_end_id",
        "original_transaction_id",
    ),
)
