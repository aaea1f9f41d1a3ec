"""Reference data on DynamoDB: many keys in one call."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering
from postbus.adapters.dynamodb_items import reference
from postbus.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The service's limit of keys in one call.
_KEYS_PER_CALL = 100
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.05


class DynamoDbDirectory:
    """One table of reference data, read by its key; eventually consistent unless asked otherwise."""

    def __init__(
        self, client: "DynamoDBClient", table: str, key: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._key = key
        self._sleep = sleep

    def find(self, keys: Sequence[str], consistent: bool = False) -> Mapping[str, Mapping[str, Any]]:
        """See ``ports.Directory``.

        Raises:
            Unavailable: the table did not answer, or not for every key.
        """
        distinct = sorted(set(keys))
        found: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(distinct), _KEYS_PER_CALL):
            for item in self._get(distinct[start : start + _KEYS_PER_CALL], consistent):
                found[item[self._key]] = item
        return found

    def _get(self, keys: Sequence[str], consistent: bool) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        wanted = [{self._key: {"S": key}} for key in keys]
        asked: Any = {self._table: {"Keys": wanted, "ConsistentRead": consistent}}
        for tries in range(_TRIES):
            if tries:
                self._sleep(_FIRST_PAUSE_SECONDS * 2**tries * (0.5 + random.random() / 2))
            with answering(f"table {self._table}"):
                answer = self._client.batch_get_item(RequestItems=asked)
            items += [reference(item) for item in answer["Responses"].get(self._table, [])]
            asked = answer.get("UnprocessedKeys")
            if not asked:
                return items
        raise Unavailable(f"table {self._table} did not answer for every key")
