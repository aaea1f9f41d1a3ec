"""Write made-up card authorisations to the ``visa`` table: a sample, or a load of any shape.

{"count"?, "seed"?, "duplicate_rate"?, ...}  ->  what was written, and what is to become of it
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from postbus.domain import iso8583, sample
from postbus.domain.sample import CardPayment, Mix
from postbus.ports import Clock
from postbus.runtime.entry import request_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config

# Written in one go when a pace is kept: often enough to be smooth, seldom enough to be cheap.
_BEATS_PER_SECOND = 5


class Table(Protocol):
    """Where records are written."""

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write every record, or raise Unavailable."""
        ...


def build(
    table: Table,
    home_region: str,
    clock: Clock,
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> Callable[[Any], dict[str, Any]]:
    """Bind the generator to its table and its clocks."""

    def generate(options: Any) -> dict[str, Any]:
        mix = Mix.from_options({} if options is None else options, clock())
        made = sample.payments(mix, random.Random(mix.seed))
        records = [record_of(payment, home_region) for payment in made]
        if mix.rate_per_second is None:
            table.write(records)
        else:
            _in_pace(table, records, mix.rate_per_second, monotonic, sleep)
        ids = sample.by_kind(made)
        return {
            "seed": mix.seed,
            "start": mix.start.isoformat(),
            "written": len(records),
            "counts": {kind: len(of_kind) for kind, of_kind in sorted(ids.items())},
            "transactions": ids,
            "expected": sample.expectation(made),
        }

    return generate


def record_of(payment: CardPayment, home_region: str) -> dict[str, str]:
    """The payment's record, by way of a real ISO 8583 message, and broken where it is to be."""

    def tokenise(card_number: str) -> str:
        # The sample's named accounts have tokens, and no cards.
        return payment.token if card_number == payment.card_number else sample.token_of(card_number)

    message = iso8583.pack(payment)
    record = iso8583.record_of(message, tokenise, payment.sent_at, home_region, payment.status)
    broken = {**record, **(payment.fault or {})}
    return {name: value for name, value in broken.items() if value is not None}


def _in_pace(
    table: Table,
    records: Sequence[Mapping[str, Any]],
    per_second: float,
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Write each record when it is due, counted from the first, so that delays do not add up."""
    started, written = monotonic(), 0
    while written < len(records):
        due = min(len(records), int((monotonic() - started) * per_second) + 1)
        if due > written:
            table.write(records[written:due])
            written = due
        else:
            sleep(1 / _BEATS_PER_SECOND if per_second > _BEATS_PER_SECOND else 1 / per_second)


def bind(config: "Config") -> Callable[[Any], dict[str, Any]]:
    from postbus.adapters.dynamodb_records import DynamoDbRecords
    from postbus.runtime.clients import client, now

    table = DynamoDbRecords(client("dynamodb"), config.text("INPUT_TABLE"))
    return build(table, config.text("HOME_REGION"), now, time.monotonic, time.sleep)


lambda_handler = request_function(bind)
