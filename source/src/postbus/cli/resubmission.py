"""Records brought in again by the way they came: through the deduplicate function and onto the bus.

Nothing is decided here, so doing it for a record that had come through changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from postbus.adapters.dynamodb_inbound import DynamoDbInbound
from postbus.adapters.dynamodb_items import plain
from postbus.adapters.lambda_functions import LambdaFunction
from postbus.adapters.record_schemas import record_schema
from postbus.cli.desk import Desk
from postbus.cli.errors import CannotRun
from postbus.domain.errors import Malformed, Unavailable
from postbus.domain.event import Event
from postbus.domain.inbound import SOURCES, RecordSchema
from postbus.domain.transaction import Transaction

RECORDS_AT_ONCE = 10


class Resubmission:
    """One source's way in."""

    def __init__(self, desk: Desk, source: str) -> None:
        deployment = desk.deployment
        if source not in SOURCES or source not in deployment.all("tables"):
            raise CannotRun(f"--source: one of {', '.join(sorted(deployment.sources))}, not {source!r}.")
        self._source = SOURCES[source]
        self._schema = RecordSchema(record_schema(source))
        self._bus = desk.bus
        self.table = DynamoDbInbound(
            deployment.client("dynamodb"), deployment.table(source), self._source.key
        )
        self._deduplicate = LambdaFunction(
            deployment.client("lambda"), deployment.one("functions", f"deduplicate-{source}")
        )

    @property
    def key(self) -> str:
        return self._source.key

    def read(self, image: Mapping[str, Any]) -> Transaction | Malformed:
        """The record's transaction, or what is wrong with it."""
        return self._source.read(image, plain, self._schema)

    def submit(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Bring records of the stream, at most ``RECORDS_AT_ONCE``, in; the ids of their transactions.

        Raises:
            Unavailable: the function or the bus did not take them all; doing it again is safe.
        """
        details = self._deduplicate(list(records))
        events = [Event.from_detail("TransactionAuthorized", detail) for detail in details]
        if refused := self._bus.publish(events):
            raise Unavailable(f"the bus refused {len(refused)} events: {next(iter(refused.values()))}")
        return [event.transaction_id for event in events]
