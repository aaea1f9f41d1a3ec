"""From an accepted transfer or return to the record that the pipeline posts it from.

Writing it again writes the same record: its key is derived, its time is the message's arrival.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from postbus.domain.card_numbers import scan
from postbus.domain.errors import Malformed
from postbus.domain.inbound.source import APPROVED
from postbus.domain.iso20022.messages import Return, Transfer
from postbus.domain.iso20022.workflow import transfer_key
from postbus.domain.money import Money

# What a record's end_to_end_id may be.  Source: events/records/credit_transfers/v1/schema.json.
_FITS = re.compile(r"[A-Za-z0-9/?:().,'+ -]{1,35}")
_LONG_NUMBER = re.compile(r"[0-9](?:[^A-Za-z0-9]*[0-9]){12}")
_NOT_PROVIDED = "NOTPROVIDED"

_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


@dataclass(frozen=True, slots=True)
class Accounts:
    """The tokens of a transfer's accounts: of the customer's where it is ours, else of its agent's.

    Raises:
        Malformed: both are the same account.
    """

    debtor_token: str
    creditor_token: str

    def __post_init__(self) -> None:
        if self.debtor_token == self.creditor_token:
            raise Malformed("creditor_account_token", "another account than the debtor's")


@dataclass(frozen=True, slots=True)
class Origin:
    """The message a record comes from.

    Attributes:
        transaction_id: the client's transaction, a UUID.
        received_at: when the message arrived; with a zone, the same whenever it is worked on.
        home_region: the region that posts it.
    """

    transaction_id: str
    received_at: datetime
    home_region: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The transfer that a return gives back, as it was posted.

    Attributes:
        transfer: the key of its record.
        amount: of the whole transfer.
    """

    transfer: str
    amount: Money
    accounts: Accounts


def transfer_record(transfer: Transfer, origin: Origin, accounts: Accounts) -> Mapping[str, Any]:
    """The ``credit_transfers`` record of an accepted transfer."""
    record = _record(transfer.number, transfer.amount, origin, accounts)
    record["end_to_end_id"] = reference(
        transfer.end_to_end_id, transfer.uetr, transfer.transaction_id, transfer.instruction_id
    )
    if transfer.uetr is not None:
        record["uetr"] = transfer.uetr
    return record


def return_record(returned: Return, origin: Origin, original: Returned) -> Mapping[str, Any]:
    """The ``credit_transfers`` record that gives back a transfer, or a part of it.

    Raises:
        Malformed: it gives back more than there was, or in another currency.
    """
    if returned.amount.currency != original.amount.currency:
        raise Malformed("RtrdIntrBkSttlmAmt", "the currency of the original")
    if returned.amount.minor > original.amount.minor:
        raise Malformed("RtrdIntrBkSttlmAmt", "at most the amount of the original")
    record = _record(returned.number, returned.amount, origin, original.accounts)
    # Its own reference: two returns of equal parts are two, and one that is sent again is one.
    record["end_to_end_id"] = reference(
        returned.return_id, returned.original_end_to_end_id, returned.original_uetr
    )
    record["original_transfer"] = original.transfer
    if returned.amount.minor < original.amount.minor:
        record["original_instructed_amount"] = str(original.amount.minor)
    return record


def reference(end_to_end_id: str | None, *otherwise: str | None) -> str:
    """The reference that tells payments apart, in the form that a record takes.

    The EndToEndId itself where it fits: some have letters that a record has not, or digits enough to be taken
    for a card number.  Else ``E-`` and 32 letters that stand for it.

    Args:
        otherwise: what to tell payments apart by when the EndToEndId is missing or ``NOTPROVIDED``; the first
            there is.
    """
    if end_to_end_id in (None, "", _NOT_PROVIDED):
        standing_in = next((other for other in otherwise if other), None)
        return _NOT_PROVIDED if standing_in is None else _derived(standing_in)
    assert end_to_end_id is not None
    fits = _FITS.fullmatch(end_to_end_id) and not _LONG_NUMBER.search(end_to_end_id)
    return end_to_end_id if fits and not scan(end_to_end_id) else _derived(end_to_end_id)


def _record(number: int, amount: Money, origin: Origin, accounts: Accounts) -> dict[str, Any]:
    return {
        "transfer": transfer_key(origin.transaction_id, number),
        "status": APPROVED,
        "debtor_account_token": accounts.debtor_token,
        "creditor_account_token": accounts.creditor_token,
        "instructed_amount": str(amount.minor),
        "instructed_currency": amount.currency,
        "requested_execution_date_time": f"{origin.received_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "home_region": origin.home_region,
    }


def _derived(text: str) -> str:
    return "E-" + hashlib.sha256(text.encode()).hexdigest()[:32].translate(_LETTERS)
