"""The books as a reader sees them: balances, entries, and whether they add up."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes, earmark_of
from postbus.domain.ledger_check import Balance, Posting, Report, check
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.posting import Entry
from postbus.domain.settlement import LEDGER, Earmark

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """An account in one currency, over all its shards."""

    account_id: str
    balance: Money
    available: Money


class LedgerBooks:
    """Reads the tables that ``DynamoDbLedger`` writes; safe while it does."""

    def __init__(
        self, client: "DynamoDBClient", ledger_table: str, balances_table: str, segments: int = 4
    ) -> None:
        """
        Args:
            segments: how many parts of a table are read at once.
        """
        self._client = client
        self._ledger_table = ledger_table
        self._balances_table = balances_table
        self._segments = segments

    def balances(self) -> list[AccountBalance]:
        """Every account's balance in each of its currencies, by account and currency.

        Shards are read one after another: while postings go on, an internal account's sum is of no single
        moment.
        """
        sums: dict[tuple[str, str], list[int]] = {}
        for item in self._balances().values():
            account = sums.setdefault((item.account_id, item.currency), [0, 0])
            account[0] += item.balance_minor
            account[1] += item.available_minor
        return [
            AccountBalance(account_id, Money(balance, currency), Money(available, currency))
            for (account_id, currency), (balance, available) in sorted(sums.items())
        ]

    def entries(self, transaction_id: str) -> tuple[Entry, ...]:
        """The entries of a transaction; none when it is not posted."""
        outcome = DynamoDbOutcomes(self._client, self._ledger_table).find(transaction_id)
        if outcome is None or outcome.state is not OutcomeState.POSTED:
            return ()
        return tuple(Entry.from_data(entry) for entry in outcome.data["entries"])

    def verify(self) -> Report:
        """Whether every balance is the sum of its entries and debits equal credits; see ``check``.

        Raises:
            Unavailable: a table did not answer; nothing is known.
        """
        return check(self._balances, self._postings)

    def _balances(self) -> dict[str, Balance]:
        return {
            item["balance_key"]["S"]: Balance(
                account_id=item["account_id"]["S"],
                currency=item["currency"]["S"],
                shard=_number(item, "shard"),
                balance_minor=_number(item, "balance_minor"),
                available_minor=_number(item, "available_minor"),
                overdraft_minor=_number(item, "overdraft_minor"),
                earmarks_minor=_number(item, "earmarked_minor"),
                version=_number(item, "version"),
            )
            for item in self._scan(self._balances_table)
        }

    def _postings(self) -> Iterator[Posting | Earmark]:
        items = self._scan(
            self._ledger_table,
            # Not what only a held transaction keeps, which may be large.
            ProjectionExpression="transaction_id, #state, #data, reversed_minor, reversed_billing_minor, "
            "earmark_account, earmark_currency, earmark_minor",
            ExpressionAttributeNames={"#state": "state", "#data": "data"},
        )
        for item in items:
            if (earmark := earmark_of(item)) is not None:
                yield earmark
            if item.get("state", {}).get("S") != OutcomeState.POSTED.value:
                continue
            data = json.loads(item["data"]["S"])
            if data["ledger"] != LEDGER:
                continue
            yield Posting(
                transaction_id=item["transaction_id"]["S"],
                entries=tuple(Entry.from_data(entry) for entry in data["entries"]),
                amount=Money.from_data(data["amount"]),
                billing=Money.from_data(data["billing"]),
                reverses=data.get("original_transaction_id"),
                reversed_minor=_number(item, "reversed_minor"),
                reversed_billing_minor=_number(item, "reversed_billing_minor"),
            )

    def _scan(self, table: str, **details: Any) -> Iterator[Item]:
        """Every item, strongly consistent, in no order; a page of each segment at a time is in memory."""
        scan = self._client.get_paginator("scan")
        segments: list[Iterator[Any]] = [
            iter(
                scan.paginate(
                    TableName=table,
                    ConsistentRead=True,
                    Segment=number,
                    TotalSegments=self._segments,
                    **details,
                )
            )
            for number in range(self._segments)
        ]
        with ThreadPoolExecutor(self._segments) as readers:
            while segments:
                pages = list(readers.map(_next_page, segments))
                yield from (item for page in pages if page for item in page["Items"])
                segments = [segment for segment, page in zip(segments, pages, strict=True) if page]


def _next_page(segment: Iterator[Any]) -> Any:
    with answering("ledger"):
        return next(segment, None)


def _number(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0
