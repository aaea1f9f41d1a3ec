"""Card authorisations: ISO 8583 messages as items of the ``visa`` table."""

from collections.abc import Mapping
from typing import Any

from postbus.domain.duplicates import with_content_hash
from postbus.domain.errors import Malformed
from postbus.domain.event import parse_time
from postbus.domain.inbound.source import Source, amount_minor, converted, money
from postbus.domain.money import Money
from postbus.domain.transaction import Kind, Transaction

NAME = "visa"

# The first two digits of DE3.
_KINDS = {"00": Kind.PURCHASE, "01": Kind.ATM_WITHDRAWAL, "20": Kind.REFUND}
# The second digit of the message type.
_REVERSAL_CLASS = "4"


def to_transaction(record: Mapping[str, Any]) -> Transaction:
    """Map a record that the schema accepts; raises Malformed naming the field."""
    parse_time(record["transmission_date_time"], "transmission_date_time")
    is_reversal = record["message_type"][1] == _REVERSAL_CLASS
    if is_reversal and record.get("original_auth") in (None, record["auth"]):
        raise Malformed("original_auth", "required for a reversal: auth of the authorisation it reverses")
    if not is_reversal and "original_auth" in record:
        raise Malformed("original_auth", "absent unless message_type is a reversal's (x4xx)")
    amount = money(record, "transaction_amount", "transaction_currency")
    billing, rate = converted(
        record,
        amount,
        "cardholder_billing_amount",
        "cardholder_billing_currency",
        "cardholder_billing_conversion_rate",
    )
    partial = False
    if "replacement_amount" in record:
        amount, billing, partial = _without_replacement(record, amount, billing)
    return with_content_hash(
        transaction_id=f"{NAME}-{record['auth']}",
        source=NAME,
        kind=Kind.REVERSAL if is_reversal else _KINDS[record["processing_code"][:2]],
        amount=amount,
        billing=billing,
        account_token=record["pan_token"],
        transmitted_at=record["transmission_date_time"],
        home_region=record["home_region"],
        conversion_rate=rate,
        original_transaction_id=f"{NAME}-{record['original_auth']}" if is_reversal else None,
        partial=partial,
        pan_last_four=record["pan_last_four"],
        message_type=record["message_type"],
        processing_code=record["processing_code"],
        local_time=record["local_transaction_date_time"],
        stan=record["system_trace_audit_number"],
        rrn=record["retrieval_reference_number"],
        merchant_category_code=record["merchant_category_code"],
        merchant_id=record["card_acceptor_id"],
        merchant_country=record["merchant_country"],
        terminal_id=record["card_acceptor_terminal_id"],
        acquirer_country=record.get("acquiring_institution_country"),
        acquiring_institution_id=record["acquiring_institution_id"],
        pos_entry_mode=record.get("pos_entry_mode"),
    )


def _without_replacement(
    record: Mapping[str, Any], original: Money, original_billing: Money
) -> tuple[Money, Money, bool]:
    """What a partial reversal takes back: the original amounts less what stands after it (DE95)."""
    standing = amount_minor(record, "replacement_amount")
    if standing >= original.minor:
        raise Malformed("replacement_amount", "less than transaction_amount")
    is_converted = original.currency != original_billing.currency
    if is_converted and "replacement_billing_amount" not in record:
        raise Malformed("replacement_billing_amount", "required when the currencies differ")
    standing_billing = amount_minor(record, "replacement_billing_amount") if is_converted else standing
    if not is_converted and int(record.get("replacement_billing_amount", standing)) != standing:
        raise Malformed("replacement_billing_amount", "replacement_amount when the currency is the same")
    if standing_billing >= original_billing.minor:
        raise Malformed("replacement_billing_amount", "less than cardholder_billing_amount")
    if (standing == 0) != (standing_billing == 0):
        raise Malformed("replacement_billing_amount", "zero exactly when replacement_amount is")
    return (
        Money(original.minor - standing, original.currency),
        Money(original_billing.minor - standing_billing, original_billing.currency),
        standing > 0,
    )


SOURCE = Source(
    name=NAME,
    key="auth",
    to_transaction=to_transaction,
    # A resubmission keeps the acquirer's references and the moment at the terminal, and gets a new id;
    # two equal coffees differ in STAN.  A reversal differs from its original in class and reference.
    fingerprint_fields=(
        "message_class",
        "processing_code",
        "account_token",
        "amount",
        "billing",
        "merchant_id",
        "terminal_id",
        "stan",
        "rrn",
        "local_time",
        "original_transaction_id",
    ),
)
