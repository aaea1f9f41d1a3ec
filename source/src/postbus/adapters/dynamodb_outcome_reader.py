"""Outcomes read in bulk, by whoever compares or counts them; nothing is decided from this."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering
from postbus.adapters.dynamodb_outcomes import from_item
from postbus.domain.errors import Unavailable
from postbus.domain.outcome import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEYS_PER_CALL = 100
_TRIES = 6
_FIRST_PAUSE_SECONDS = 0.05


class OutcomeReader:
    """The outcome items of the ledger's table."""

    def __init__(
        self, client: "DynamoDBClient", table: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def find(self, transaction_ids: Sequence[str]) -> dict[str, Outcome]:
        """The outcomes by transaction id, of those that have one (strongly consistent)."""
        found: dict[str, Outcome] = {}
        distinct = sorted(set(transaction_ids))
        for start in range(0, len(distinct), _KEYS_PER_CALL):
            keys = [{"transaction_id": {"S": one}} for one in distinct[start : start + _KEYS_PER_CALL]]
            for item in self._get(keys):
                if (outcome := from_item(item).outcome) is not None:
                    found[outcome.transaction_id] = outcome
        return found

    def _get(self, keys: list[Any]) -> Iterator[dict[str, Any]]:
        asked: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
        for tries in range(_TRIES):
            if tries:
                self._sleep(_FIRST_PAUSE_SECONDS * 2**tries * (0.5 + random.random() / 2))
            with answering("ledger"):
                answer = self._client.batch_get_item(RequestItems=asked)
            yield from answer["Responses"].get(self._table, [])
            asked = answer.get("UnprocessedKeys")
            if not asked:
                return
        raise Unavailable("the ledger did not answer for every transaction")

    def counts(self, most_pages: int | None = None) -> tuple[Counter[str], bool]:
        """How many outcomes there are, by the event that announces them.

        Args:
            most_pages: of about 1 MB each; ``None`` for all.
        Returns:
            The counts, and whether the whole table was read.
        """
        counted: Counter[str] = Counter()
        with answering("ledger"):
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._table, ProjectionExpression="event_type"
            )
            for number, page in enumerate(pages, start=1):
                counted.update(item["event_type"]["S"] for item in page["Items"] if "event_type" in item)
                if number == most_pages and "LastEvaluatedKey" in page:
                    return counted, False
        return counted, True
