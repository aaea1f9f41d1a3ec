"""The outcome items: one per transaction, in the ledger's table.

An item is replaced under the condition that it still is what the decision was made from.  Only the
original of a reversal is ever added to after it is final.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.adapters.dynamodb_transactions import TransactionWriter
from postbus.domain.duplicates import conflict_prefix
from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.event import format_time, parse_time
from postbus.domain.lifecycle import FINAL_OUTCOMES, OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import balance_key
from postbus.domain.settlement import NOTHING, Earmark, Stored

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef, UpdateTypeDef

Item = dict[str, Any]

# Sparse index of what somebody must still look at: the waiting states, and commands not yet announced.
ATTENTION_INDEX = "attention"
_ANNOUNCE = "ANNOUNCE"

# States only move forward, and few are on any path: whoever lost so many races met something else.
_ROUNDS = 6


def attention(outcome: Outcome) -> str | None:
    """The index key an outcome is found under; ``None`` for one that needs no look, as nearly all do."""
    if outcome.state not in FINAL_OUTCOMES:
        return outcome.state.value
    return _ANNOUNCE if outcome.state is OutcomeState.VOIDED and "operator" in outcome.data else None


def to_item(outcome: Outcome, earmark: Earmark | None, earmark_table: str = "") -> Item:
    """The whole item.  A final outcome has used its earmark up or let it go, so it keeps none."""
    texts: dict[str, str | None] = {
        "transaction_id": outcome.transaction_id,
        "state": outcome.state.value,
        "event_type": outcome.event_type,
        "content_hash": outcome.content_hash,
        "correlation_id": outcome.correlation_id,
        "causation_id": outcome.causation_id,
        "decided_at": format_time(outcome.decided_at),
        "data": _json(outcome.data),
        "context": None if outcome.context is None else _json(outcome.context),
        "attention": attention(outcome),
        "replay": outcome.replay,
        "home_region": outcome.data.get("transaction", {}).get("home_region"),
    }
    item: Item = {name: {"S": text} for name, text in texts.items() if text is not None}
    if earmark is not None and outcome.state not in FINAL_OUTCOMES:
        item |= earmark_attributes(earmark, earmark_table)
    return item


def earmark_attributes(earmark: Earmark, table: str) -> Item:
    """Where the money set aside for a transaction is, so that whoever ends it can free it."""
    return {
        "earmark_account": {"S": earmark.account_id},
        "earmark_currency": {"S": earmark.amount.currency},
        "earmark_minor": {"N": str(earmark.amount.minor)},
        "earmark_table": {"S": table},
    }


def earmark_of(item: Item) -> Earmark | None:
    """What is set aside for a transaction, by its item."""
    if "earmark_minor" not in item:
        return None
    money = Money(int(item["earmark_minor"]["N"]), item["earmark_currency"]["S"])
    return Earmark(item["earmark_account"]["S"], money)


def from_item(item: Item) -> Stored:
    """What an item says; it may hold no more than an earmark yet."""
    outcome = None
    if "state" in item:
        outcome = Outcome(
            transaction_id=item["transaction_id"]["S"],
            state=OutcomeState(item["state"]["S"]),
            event_type=item["event_type"]["S"],
            content_hash=item["content_hash"]["S"],
            correlation_id=item["correlation_id"]["S"],
            causation_id=item["causation_id"]["S"],
            decided_at=parse_time(item["decided_at"]["S"]),
            data=json.loads(item["data"]["S"]),
            context=json.loads(item["context"]["S"]) if "context" in item else None,
            replay=item["replay"]["S"] if "replay" in item else None,
        )
    return Stored(
        outcome, earmark_of(item), _number(item, "reversed_minor"), _number(item, "reversed_billing_minor")
    )


def _number(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def _json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def put_outcome(table: str, item: Item, stored: Stored) -> "PutTypeDef":
    """Write an outcome's item if there is still stored what it was decided from."""
    put: PutTypeDef = {"TableName": table, "Item": item, "ExpressionAttributeNames": {"#state": "state"}}
    if stored == NOTHING:
        # An item may be there all the same: without an earmark any more, and not decided.
        put["ConditionExpression"] = "attribute_not_exists(#state) AND attribute_not_exists(earmark_minor)"
        return put
    if stored.outcome is None:
        assert stored.earmark is not None
        put["ConditionExpression"], put["ExpressionAttributeValues"] = still_set_aside(stored.earmark)
        return put
    state = stored.outcome.state
    put["ConditionExpression"] = "#state = :state"
    put["ExpressionAttributeValues"] = {":state": {"S": state.value}}
    if state is OutcomeState.VOIDED:
        # Nothing follows a voiding but the payment that one did not concern: so exactly that one.
        put["ConditionExpression"] += " AND content_hash = :unseen AND causation_id = :cause"
        put["ExpressionAttributeValues"] = {
            ":state": {"S": state.value},
            ":unseen": {"S": ""},
            ":cause": {"S": stored.outcome.causation_id},
        }
    return put


def still_set_aside(earmark: Earmark) -> tuple[str, Item]:
    """The condition on an item, with its values, that nothing was decided and just this is set aside.

    Not any earmark: given back and set aside anew it may be of another account, and the wrong one be freed.
    """
    condition = (
        "attribute_not_exists(#state) AND earmark_account = :account"
        " AND earmark_currency = :currency AND earmark_minor = :minor"
    )
    values = {
        ":account": {"S": earmark.account_id},
        ":currency": {"S": earmark.amount.currency},
        ":minor": {"N": str(earmark.amount.minor)},
    }
    return condition, values


def release_earmark(table: str, earmark: Earmark) -> "UpdateTypeDef":
    """Make money that was set aside available again.

    That it happens once the earmark's own item says, which is changed in the same transaction.
    """
    return {
        "TableName": table,
        "Key": {"balance_key": {"S": balance_key(earmark.account_id, earmark.amount.currency)}},
        "UpdateExpression": "ADD available_minor :freed, earmarked_minor :less, #version :one",
        "ConditionExpression": "earmarked_minor >= :freed",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {
            ":freed": {"N": str(earmark.amount.minor)},
            ":less": {"N": str(-earmark.amount.minor)},
            ":one": {"N": "1"},
        },
    }


class DynamoDbOutcomes:
    """``ports.Outcomes`` on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str, writer: TransactionWriter | None = None) -> None:
        self._client = client
        self._table = table
        self._writer = writer or TransactionWriter(client)

    def find(self, transaction_id: str) -> Outcome | None:
        return self.read(transaction_id).outcome

    def read(self, transaction_id: str) -> Stored:
        """All that is kept under the id, strongly consistent; ``NOTHING`` when there is no item."""
        return from_item(item) if (item := self._item(transaction_id)) else NOTHING

    def _item(self, transaction_id: str) -> Item | None:
        with answering("ledger"):
            answer = self._client.get_item(
                TableName=self._table, Key={"transaction_id": {"S": transaction_id}}, ConsistentRead=True
            )
        return answer.get("Item")

    def decide(self, wanted: Outcome) -> Outcome:
        """See ``ports.Outcomes``.

        Raises:
            InvariantBroken: nothing is stored, and ``wanted`` needs something to follow; or what is stored
                was decided for other content.
        """
        # Most decisions are the first of their transaction, and need no look before they are written.
        first = None in wanted.may_replace
        item = None if first else self._item(wanted.transaction_id)
        for _ in range(_ROUNDS):
            stored = from_item(item) if item else NOTHING
            if not wanted.may_follow(stored.outcome):
                if stored.outcome is None:
                    raise InvariantBroken(
                        f"{wanted.transaction_id} cannot be {wanted.state}: nothing is stored"
                    )
                return stored.outcome
            if self._write(wanted, stored, item or {}):
                return wanted
            item = self._item(wanted.transaction_id)
        raise Unavailable(f"the outcome of {wanted.transaction_id} changes faster than it can be read")

    def _write(self, wanted: Outcome, stored: Stored, item: Item) -> bool:
        """Whether it was written; not if the item has changed since."""
        earmark_table = item.get("earmark_table", {}).get("S", "")
        put = put_outcome(self._table, to_item(wanted, stored.earmark, earmark_table), stored)
        if stored.earmark is not None and wanted.state in FINAL_OUTCOMES:
            release = release_earmark(earmark_table, stored.earmark)
            return self._writer.write([{"Put": put}, {"Update": release}]) is None
        try:
            with answering("ledger"):
                self._client.put_item(**put)
        except ClientError as error:
            if code_of(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def in_state(self, state: OutcomeState) -> Iterator[Outcome]:
        return (outcome for outcome in self._attended(state.value) if outcome.state is state)

    def conflicts(self, transaction_id: str) -> Iterator[Outcome]:
        """What is held because it came under this id with other content.

        The index is asked for ids alone, some thousands a call; only what carries this one is read.
        """
        named = conflict_prefix(transaction_id)
        held = self._attended(OutcomeState.HELD.value, named)
        return (outcome for outcome in held if outcome.data.get("conflict_with") == transaction_id)

    def unannounced(self) -> Iterator[Outcome]:
        return self._attended(_ANNOUNCE)

    def _attended(self, key: str, prefix: str = "") -> Iterator[Outcome]:
        """What the index names, oldest first, each as it stands now: the index itself may lag.

        Args:
            prefix: only those whose id begins so.
        """
        with answering("ledger"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=ATTENTION_INDEX,
                KeyConditionExpression="attention = :key",
                ExpressionAttributeValues={":key": {"S": key}},
                ProjectionExpression="transaction_id",
            )
            for page in pages:
                for entry in page["Items"]:
                    if not entry["transaction_id"]["S"].startswith(prefix):
                        continue
                    item = self._item(entry["transaction_id"]["S"])
                    if item and item.get("attention", {}).get("S") == key:
                        outcome = from_item(item).outcome
                        assert outcome is not None
                        yield outcome

    def announced(self, outcome: Outcome) -> None:
        try:
            with answering("ledger"):
                self._client.update_item(
                    TableName=self._table,
                    Key={"transaction_id": {"S": outcome.transaction_id}},
                    UpdateExpression="REMOVE attention",
                    ConditionExpression="attention = :announce",
                    ExpressionAttributeValues={":announce": {"S": _ANNOUNCE}},
                )
        except ClientError as error:
            # It was no longer marked: somebody else has confirmed it.
            if code_of(error) != "ConditionalCheckFailedException":
                raise
