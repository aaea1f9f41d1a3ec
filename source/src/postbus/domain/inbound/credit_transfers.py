"""Account-to-account transfers: items of the ``credit_transfers`` table."""

from collections.abc import Mapping
from typing import Any

from postbus.domain.duplicates import with_content_hash
from postbus.domain.errors import Malformed
from postbus.domain.event import parse_time
from postbus.domain.inbound.source import Source, converted, money
from postbus.domain.transaction import Kind, Transaction

NAME = "credit_transfers"


def to_transaction(record: Mapping[str, Any]) -> Transaction:
    """Map a record that the schema accepts; raises Malformed naming the field."""
    parse_time(record["requested_execution_date_time"], "requested_execution_date_time")
    if record["debtor_account_token"] == record["creditor_account_token"]:
        raise Malformed("creditor_account_token", "another account than the debtor's")
    amount = money(record, "instructed_amount", "instructed_currency")
    billing, rate = converted(record, amount, "settlement_amount", "settlement_currency", "exchange_rate")
    return with_content_hash(
        transaction_id=f"{NAME}-{record['transfer']}",
        source=NAME,
        kind=Kind.TRANSFER,
        amount=amount,
        billing=billing,
        account_token=record["debtor_account_token"],
        counterparty_token=record["creditor_account_token"],
        transmitted_at=record["requested_execution_date_time"],
        home_region=record["home_region"],
        conversion_rate=rate,
        end_to_end_id=record["end_to_end_id"],
    )


SOURCE = Source(
    name=NAME,
    key="transfer",
    to_transaction=to_transaction,
    # The debtor's own reference tells two equal payments apart; a resubmission keeps it, under a new id.
    fingerprint_fields=("account_token", "counterparty_token", "amount", "billing", "end_to_end_id"),
)
