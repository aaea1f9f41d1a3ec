"""Many items into one table: batches of 25, and what the table did not take again."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering
from postbus.adapters.dynamodb_items import typed
from postbus.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The service's limit of items in one call.
_ITEMS_PER_CALL = 25
_TRIES = 8
_FIRST_PAUSE_SECONDS = 0.05


class DynamoDbRecords:
    """Writes plain records, each with a key of its own, to one table; the order within a batch is open."""

    def __init__(
        self, client: "DynamoDBClient", table: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Put every record; writing one again changes nothing.

        Raises:
            Unavailable: the table did not take them all; which ones is not known.
        """
        for start in range(0, len(records), _ITEMS_PER_CALL):
            self._put(
                [{"PutRequest": {"Item": typed(one)}} for one in records[start : start + _ITEMS_PER_CALL]]
            )

    def _put(self, requests: list[Any]) -> None:
        for tries in range(_TRIES):
            if tries:
                self._sleep(_FIRST_PAUSE_SECONDS * 2**tries * (0.5 + random.random() / 2))
            with answering(f"table {self._table}"):
                answer = self._client.batch_write_item(RequestItems={self._table: requests})
            requests = list(answer.get("UnprocessedItems", {}).get(self._table, []))
            if not requests:
                return
        raise Unavailable(f"table {self._table} did not take {len(requests)} records")
