"""The card scheme's messages: the ISO 8583:1987 fields used, and a message's way to a record and back.

Only the mock reads and writes messages; in production a scheme's gateway does, and writes the same records.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import iso8583
from iso4217 import Currency

from postbus.domain.sample import CardPayment

_ASCII = {"data_enc": "ascii", "len_enc": "ascii"}


def _fixed(length: int, description: str) -> dict[str, Any]:
    return {**_ASCII, "len_type": 0, "max_len": length, "desc": description}


def _variable(digits_of_length: int, most: int, description: str) -> dict[str, Any]:
    return {**_ASCII, "len_type": digits_of_length, "max_len": most, "desc": description}


SPEC: dict[str, dict[str, Any]] = {
    "h": _fixed(0, "no header"),
    "t": _fixed(4, "message type"),
    "p": {**_fixed(8, "primary bitmap"), "data_enc": "b"},
    "1": {**_fixed(8, "secondary bitmap"), "data_enc": "b"},
    "2": _variable(2, 19, "primary account number"),
    "3": _fixed(6, "processing code"),
    "4": _fixed(12, "amount, transaction"),
    "6": _fixed(12, "amount, cardholder billing"),
    "7": _fixed(10, "transmission date and time, MMDDhhmmss"),
    "10": _fixed(8, "conversion rate, cardholder billing: places after the point, then seven digits"),
    "11": _fixed(6, "system trace audit number"),
    "12": _fixed(6, "time, local transaction, hhmmss"),
    "13": _fixed(4, "date, local transaction, MMDD"),
    "18": _fixed(4, "merchant type"),
    "19": _fixed(3, "acquiring institution country code"),
    "22": _fixed(3, "point of service entry mode"),
    "32": _variable(2, 11, "acquiring institution identification code"),
    "37": _fixed(12, "retrieval reference number"),
    "41": _fixed(8, "card acceptor terminal identification"),
    "42": _fixed(15, "card acceptor identification code"),
    "43": _fixed(40, "card acceptor name and location; the last two are the country"),
    "49": _fixed(3, "currency code, transaction"),
    "51": _fixed(3, "currency code, cardholder billing"),
    "62": _variable(3, 64, "private: the scheme's id of this authorisation"),
    "63": _variable(3, 64, "private: the scheme's id of the original"),
    "90": _fixed(42, "original data elements: message type, STAN, transmission time, institutions"),
}

# ISO 3166-1 numeric; those of the sample.
_COUNTRIES = {"CH": "756", "DE": "276", "FR": "250", "GB": "826", "JP": "392", "US": "840"}
_ACQUIRER = "400551"
_POS_ENTRY_CHIP = "051"


def pack(payment: CardPayment) -> bytes:
    """The payment as a scheme's message, an authorisation request (0100) or a reversal (0400)."""
    country = payment.merchant.country
    elements = {
        "t": payment.message_type,
        "2": payment.card_number,
        "3": payment.processing_code,
        "4": f"{payment.amount.minor:012d}",
        "7": f"{payment.sent_at.astimezone(UTC):%m%d%H%M%S}",
        "11": payment.stan,
        "12": f"{payment.local_at:%H%M%S}",
        "13": f"{payment.local_at:%m%d}",
        "18": payment.merchant.merchant_category_code,
        "19": _COUNTRIES[country],
        "22": _POS_ENTRY_CHIP,
        "32": _ACQUIRER,
        "37": payment.rrn,
        "41": payment.terminal_id,
        "42": f"{payment.merchant.merchant_id:<15}",
        "43": f"{payment.merchant.name:<38}{country}",
        "49": _number(payment.amount.currency),
        "62": payment.auth,
    }
    if payment.rate is not None:
        places = len(payment.rate.partition(".")[2])
        elements["6"] = f"{payment.billing.minor:012d}"
        elements["10"] = f"{places}{int(payment.rate.replace('.', '')):07d}"
        elements["51"] = _number(payment.billing.currency)
    if payment.message_type == "0400" and payment.of:
        elements["63"] = payment.of
        elements["90"] = f"0100{payment.stan}{elements['7']}{_ACQUIRER:>011}{'0' * 11}"
    packed, _ = iso8583.encode(elements, SPEC)
    return bytes(packed)


def record_of(
    message: bytes, tokenise: Callable[[str], str], received_at: datetime, home_region: str, status: str
) -> dict[str, str]:
    """The ``visa`` record of a message: the standard's fields by name, the card number replaced at once.

    Args:
        tokenise: gives the token that stands for a card number.
        received_at: tells the year, which a message leaves out.
        status: the issuer's answer.
    """
    elements, _ = iso8583.decode(message, SPEC)
    card_number = elements["2"]
    record = {
        "auth": elements["62"],
        "status": status,
        "message_type": elements["t"],
        "pan_token": tokenise(card_number),
        "pan_last_four": card_number[-4:],
        "processing_code": elements["3"],
        "transaction_amount": str(int(elements["4"])),
        "transaction_currency": _code(elements["49"]),
        "transmission_date_time": _near(elements["7"], received_at).isoformat().replace("+00:00", "Z"),
        "local_transaction_date_time": _near(elements["13"] + elements["12"], received_at)
        .replace(tzinfo=None)
        .isoformat(),
        "system_trace_audit_number": elements["11"],
        "retrieval_reference_number": elements["37"],
        "merchant_category_code": elements["18"],
        "merchant_country": elements["43"][-2:],
        "acquiring_institution_country": _alpha(elements["19"], _COUNTRIES),
        "pos_entry_mode": elements["22"],
        "card_acceptor_terminal_id": elements["41"],
        "card_acceptor_id": elements["42"].rstrip(),
        "acquiring_institution_id": elements["32"],
        "home_region": home_region,
    }
    if "51" in elements:
        record["cardholder_billing_amount"] = str(int(elements["6"]))
        record["cardholder_billing_currency"] = _code(elements["51"])
        record["cardholder_billing_conversion_rate"] = _rate(elements["10"])
    if "63" in elements:
        record["original_auth"] = elements["63"]
    return record


def _near(text: str, moment: datetime) -> datetime:
    """The time ``MMDDhhmmss`` in UTC, in the year that brings it nearest to ``moment``."""
    moment = moment.astimezone(UTC)
    candidates = []
    for year in (moment.year - 1, moment.year, moment.year + 1):
        try:
            candidates.append(datetime.strptime(f"{year}{text}", "%Y%m%d%H%M%S").replace(tzinfo=UTC))
        except ValueError:  # the 29th of February of another year
            continue
    return min(candidates, key=lambda candidate: abs(candidate - moment))


def _rate(text: str) -> str:
    places, digits = int(text[0]), text[1:]
    whole, fraction = digits[: len(digits) - places], digits[len(digits) - places :]
    return f"{int(whole or '0')}.{fraction}" if places else str(int(digits))


def _number(currency: str) -> str:
    return f"{int(Currency(currency).number):03d}"


def _code(number: str) -> str:
    return _alpha(number, {one.code: f"{int(one.number):03d}" for one in Currency if one.number})


def _alpha(number: str, table: Mapping[str, str]) -> str:
    return next(alpha for alpha, numeric in table.items() if numeric == number)
