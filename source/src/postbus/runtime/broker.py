"""A broker's queue through a step, for as long as one call may last."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postbus.domain.errors import PostbusError, Unavailable
from postbus.domain.iso20022.brokered import Accepted, Delivery, Refused
from postbus.ports_iso20022 import BrokerReader
from postbus.runtime.logging import log_unexpected, logger

if TYPE_CHECKING:
    from postbus.adapters.rabbitmq_broker import Endpoint
    from postbus.runtime.config import Config

# After the first failure in a row; doubled by each further one.
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 16.0

BrokerStep = Callable[[Delivery], Accepted | Refused]


@dataclass(slots=True)
class Reading:
    """What became of the messages of one run."""

    accepted: int = 0
    refused: int = 0
    kept_back: int = 0
    reasons: list[str] = field(default_factory=list)


def read(
    connect: Callable[[], BrokerReader],
    step: BrokerStep,
    seconds: float,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Reading:
    """Take messages for so many seconds; the last one taken may need longer.

    The broker forgets a message only when the step has accepted it, or when it lies, with the reason, where
    refused ones wait.  One that failed stays in hand, so that those behind it have their turn, and is given
    back at the end: its next try is another run's.  Failures in a row slow the run down.

    Raises:
        Unavailable: the broker cannot be reached, or broke off.  What was in hand is delivered again.
    """
    until = monotonic() + seconds
    reading = Reading()
    in_a_row = 0
    with closing(connect()) as reader:
        while (left := until - monotonic()) > 0:
            delivery = reader.take(left)
            if delivery is None:
                continue
            reason = _hand_in(reader, step, delivery, reading)
            if reason is None:
                in_a_row = 0
                continue
            logger().warning("kept back", extra={"key": delivery.key, "reason": reason})
            reading.kept_back += 1
            reading.reasons.append(reason)
            pause = min(_FIRST_PAUSE_SECONDS * 2**in_a_row, _LONGEST_PAUSE_SECONDS, until - monotonic())
            in_a_row += 1
            sleep(max(pause, 0.0))
    return reading


def _hand_in(reader: BrokerReader, step: BrokerStep, delivery: Delivery, reading: Reading) -> str | None:
    """Bring one message through; why it stays in hand, ``None`` if it does not."""
    try:
        outcome = step(delivery)
    except PostbusError as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - nothing goes on as if it had worked: the message stays
        log_unexpected(error)
        return type(error).__name__
    identifiers = {"key": delivery.key, "transaction_id": outcome.transaction_id}
    match outcome:
        case Accepted():
            reader.done(delivery)
            reading.accepted += 1
            logger().info("accepted", extra=identifiers)
        case Refused(_, reason):
            try:
                reader.refuse(delivery, reason)
            except PostbusError as error:
                return f"{type(error).__name__}: {error}"
            reading.refused += 1
            logger().error("refused", extra=identifiers)
    return None


def raise_if_stuck(reading: Reading) -> None:
    """Raise ``Unavailable`` if messages came and none of them got through."""
    if reading.kept_back and not reading.accepted and not reading.refused:
        raise Unavailable(f"{reading.kept_back} messages kept back, the last one: {reading.reasons[-1]}")


def endpoint(config: "Config") -> "Endpoint":
    """Where the broker of this deployment listens."""
    from postbus.adapters.rabbitmq_broker import Endpoint

    return Endpoint(
        config.text("BROKER_HOST"), config.integer("BROKER_PORT"), config.text("BROKER_VIRTUAL_HOST")
    )
