"""Client transactions in DynamoDB; see ``dynamodb_iso20022_items`` for the items."""

import heapq
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from postbus.adapters import dynamodb_iso20022_items as items
from postbus.adapters.aws_calls import answering, code_of
from postbus.adapters.dynamodb_transactions import ITEMS_PER_TRANSACTION, TransactionWriter
from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.event import format_time
from postbus.domain.iso20022 import decisions
from postbus.domain.iso20022.messages import MessageType, Reason, Status
from postbus.domain.iso20022.status import FINAL, may_replace
from postbus.domain.iso20022.workflow import (
    Child,
    ChildState,
    Decision,
    Document,
    Entry,
    Finished,
    Head,
    StepName,
)
from postbus.ports_iso20022 import Attached

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_WHAT = "message store"

# A transaction's steps follow one another: whoever is overtaken so often met something else than a race.
_ROUNDS = 6


class DynamoDbMessages:
    """``ports_iso20022.MessageStore``."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            sleep: waits so many seconds, between tries at contended items.
            jitter: uniform in [0, 1); for the tries, and for where ``unfinished`` begins.
        """
        self._client = client
        self._table = table
        self._jitter = jitter
        self._writer = TransactionWriter(client, sleep, jitter, _WHAT)

    # -- the transaction ---------------------------------------------------------------------------------

    def open(self, head: Head, by: str) -> bool:
        entry = Entry(status=head.status, at=head.opened_at, by=by)
        return (
            self._writer.write(
                [
                    self._put_new(items.of_head(head)),
                    self._put_new(items.of_entry(head.transaction_id, head.version, entry)),
                ]
            )
            is None
        )

    def head(self, transaction_id: str) -> Head | None:
        item = self._get(transaction_id, items.HEAD)
        return None if item is None else items.to_head(item)

    def history(self, transaction_id: str) -> Sequence[Entry]:
        return [items.to_entry(item) for item in self._parts(transaction_id, items.STATUS)]

    def attach(self, transaction_id: str, owner: str, incoming: Document, deadline: datetime) -> Attached:
        standing = self._update_head(
            transaction_id,
            # Whatever it is due, it is due anew: an id without a message is timed out like any other.
            "SET incoming = :incoming, deadline = :deadline, due = :deadline",
            "#owner = :owner AND attribute_not_exists(incoming) AND #status = :accepted",
            {"#owner": "owner", "#status": "status"},
            {
                ":incoming": items.of_document(incoming),
                ":deadline": {"N": str(items.seconds_up(deadline))},
                ":owner": {"S": owner},
                ":accepted": {"S": Status.ACCP.value},
            },
        )
        if standing is None:
            return Attached.STORED
        if not standing or standing["owner"]["S"] != owner:
            return Attached.NOT_FOUND
        stored = items.to_head(standing).incoming
        return Attached.SAME if stored and stored.sha256 == incoming.sha256 else Attached.CONFLICT

    def describe(self, transaction_id: str, message_type: MessageType, message_id: str) -> None:
        standing = self._update_head(
            transaction_id,
            "SET message_type = if_not_exists(message_type, :type), "
            "message_id = if_not_exists(message_id, :id)",
            "attribute_exists(incoming)",
            {},
            {":type": {"S": str(message_type)}, ":id": {"S": message_id}},
        )
        if standing is not None:
            raise InvariantBroken(f"{transaction_id} has no message to describe")

    def refuse(self, transaction_id: str, reasons: Sequence[Reason]) -> None:
        self._update_head(
            transaction_id,
            "SET reasons = :reasons",
            "#status = :received AND attribute_not_exists(children)",
            {"#status": "status"},
            {":reasons": items.reason_list(reasons), ":received": {"S": Status.ACTC.value}},
        )

    def append(
        self,
        head: Head,
        entry: Entry,
        documents: Mapping[str, Document] | None = None,
        deadline: datetime | None = None,
    ) -> Head:
        if head.status not in may_replace(entry.status):
            raise InvariantBroken(
                f"{head.transaction_id} is {head.status}, which {entry.status} never follows"
            )
        moved = replace(
            head,
            status=entry.status,
            reasons=entry.reasons,
            version=head.version + 1,
            documents={**head.documents, **(documents or {})},
            deadline=deadline or head.deadline,
        )
        moved = replace(moved, due=decisions.due_after(head, moved, entry.at))
        history = self._put_new(items.of_entry(head.transaction_id, moved.version, entry))
        if self._writer.write([self._move(head, moved, documents or {}), history]) is None:
            return moved
        return self._standing(head.transaction_id)

    def _move(self, head: Head, moved: Head, documents: Mapping[str, Document]) -> "TransactWriteItemTypeDef":
        """The head's part of a new status, if it still is at the version that was decided from."""
        names = {"#status": "status", "#version": "version"}
        values: dict[str, Any] = {
            ":before": {"S": head.status.value},
            ":after": {"S": moved.status.value},
            ":expected": {"N": str(head.version)},
            ":version": {"N": str(moved.version)},
            ":deadline": {"N": str(items.seconds_up(moved.deadline))},
            ":reasons": items.reason_list(moved.reasons),
        }
        sets = ["#status = :after", "#version = :version", "deadline = :deadline", "reasons = :reasons"]
        for number, (name, document) in enumerate(documents.items()):
            names[f"#document{number}"] = name
            values[f":document{number}"] = items.of_document(document)
            sets.append(f"documents.#document{number} = :document{number}")
        remove = ["open_shard"] if moved.status in FINAL else []
        if moved.due is None:
            remove.append("due")
        else:
            values[":due"] = {"N": str(items.seconds_up(moved.due))}
            sets.append("due = :due")
        return {
            "Update": {
                "TableName": self._table,
                "Key": items.key(head.transaction_id, items.HEAD),
                "UpdateExpression": "SET "
                + ", ".join(sets)
                + (f" REMOVE {', '.join(remove)}" if remove else ""),
                "ConditionExpression": "#version = :expected AND #status = :before",
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        }

    def put_document(self, transaction_id: str, name: str, document: Document) -> None:
        standing = self._update_head(
            transaction_id,
            "SET documents.#name = :document",
            "attribute_exists(documents)",
            {"#name": name},
            {":document": items.of_document(document)},
        )
        if standing is not None:
            raise InvariantBroken(f"{transaction_id} is not there to keep a document")

    # -- its transfers -----------------------------------------------------------------------------------

    def add_children(self, transaction_id: str, children: Sequence[Child]) -> Head:
        puts = [self._put_new(items.of_child(transaction_id, child)) for child in children]
        if len(puts) < ITEMS_PER_TRANSACTION:
            # The usual message has one transfer: kept and counted in one write.
            count = self._count_children(transaction_id, [child.state for child in children])
            if self._writer.write([{"Update": count}, *puts]) is None:
                return self._standing(transaction_id)
        head = self._standing(transaction_id)
        if head.children is not None:
            return head
        for start in range(0, len(puts), ITEMS_PER_TRANSACTION):
            self._put_missing(puts[start : start + ITEMS_PER_TRANSACTION])
        # What stands may be another's; nobody finishes a child before they are counted, so it stays.
        kept = [item["state"]["S"] for item in self._parts(transaction_id, items.CHILD, "part, #state")]
        if len(kept) != len(children):
            raise InvariantBroken(f"{transaction_id} has {len(kept)} transfers kept, not {len(children)}")
        count = self._count_children(transaction_id, [ChildState(state) for state in kept])
        self._writer.write([{"Update": count}])
        return self._standing(transaction_id)

    def _put_missing(self, puts: "Sequence[TransactWriteItemTypeDef]") -> None:
        """Write those that are not there yet."""
        while puts:
            cancelled = self._writer.write(puts)
            if cancelled is None:
                return
            puts = [put for put, failed in zip(puts, cancelled.failed, strict=True) if not failed]

    def _count_children(self, transaction_id: str, states: Sequence[ChildState]) -> Any:
        return {
            "TableName": self._table,
            "Key": items.key(transaction_id, items.HEAD),
            "UpdateExpression": "SET children = :all, children_open = :open",
            "ConditionExpression": "attribute_exists(part) AND attribute_not_exists(children)",
            "ExpressionAttributeValues": {
                ":all": {"N": str(len(states))},
                ":open": {"N": str(states.count(ChildState.OPEN))},
            },
        }

    def children(self, transaction_id: str) -> Iterator[Child]:
        return (items.to_child(item) for item in self._parts(transaction_id, items.CHILD))

    def child(self, transaction_id: str, number: int) -> Child | None:
        item = self._get(transaction_id, items.child_part(number))
        return None if item is None else items.to_child(item)

    def finish_children(self, transaction_id: str, finished: Sequence[Finished]) -> int:
        waiting = list(_once(transaction_id, finished))
        while waiting:
            chunk, waiting = waiting[: ITEMS_PER_TRANSACTION - 1], waiting[ITEMS_PER_TRANSACTION - 1 :]
            self._finish_together(transaction_id, chunk)
        open_now = self._standing(transaction_id).children_open
        assert open_now is not None, "a child is finished only after all were counted"
        return open_now

    def _finish_together(self, transaction_id: str, finished: Sequence[Finished]) -> None:
        """Finish and count off those of at most 99 that are still open, all in one write."""
        while finished:
            updates = [self._finish(transaction_id, one) for one in finished]
            cancelled = self._writer.write([*updates, self._count_off(transaction_id, len(finished))])
            if cancelled is None:
                return
            before = [one for one, failed in zip(finished, cancelled.failed, strict=False) if failed]
            # The count's condition alone: not all were kept yet, so none of these may be finished.
            for one in before or finished:
                self._must_be_finished(transaction_id, one.number, one.state)
            finished = [one for one in finished if one not in before] if before else []

    def _finish(self, transaction_id: str, finished: Finished) -> "TransactWriteItemTypeDef":
        values: dict[str, Any] = {
            ":open": {"S": ChildState.OPEN.value},
            ":state": {"S": finished.state.value},
            ":reasons": items.reason_list(finished.reasons),
        }
        if finished.settled_at is not None:
            values[":settled_at"] = {"S": format_time(finished.settled_at)}
        return {
            "Update": {
                "TableName": self._table,
                "Key": items.key(transaction_id, items.child_part(finished.number)),
                "UpdateExpression": "SET #state = :state, reasons = :reasons"
                + (", settled_at = :settled_at" if finished.settled_at else ""),
                "ConditionExpression": "#state = :open",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": values,
            }
        }

    def _count_off(self, transaction_id: str, count: int) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table,
                "Key": items.key(transaction_id, items.HEAD),
                "UpdateExpression": "ADD children_open :less",
                "ConditionExpression": "children_open >= :count",
                "ExpressionAttributeValues": {":less": {"N": str(-count)}, ":count": {"N": str(count)}},
            }
        }

    def _must_be_finished(self, transaction_id: str, number: int, state: ChildState) -> None:
        """Raise unless the child was finished before, in agreement with ``state``."""
        child = self.child(transaction_id, number)
        if child is None or child.state is ChildState.OPEN:
            raise InvariantBroken(f"transfer {number} of {transaction_id} cannot be {state}: not kept yet")
        if child.state.contradicts(state):
            raise InvariantBroken(f"transfer {number} of {transaction_id} is {child.state}, not {state}")

    def hold_child(self, transaction_id: str, number: int, at: datetime) -> None:
        try:
            with answering(_WHAT):
                self._client.update_item(
                    TableName=self._table,
                    Key=items.key(transaction_id, items.child_part(number)),
                    UpdateExpression="SET held_at = if_not_exists(held_at, :at)",
                    ConditionExpression="#state = :open",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues={
                        ":at": {"S": format_time(at)},
                        ":open": {"S": ChildState.OPEN.value},
                    },
                )
        except ClientError as error:
            _conditional(error)

    # -- decisions ---------------------------------------------------------------------------------------

    def decide(self, transaction_id: str, decision: Decision) -> Decision:
        try:
            with answering(_WHAT):
                self._client.put_item(
                    TableName=self._table,
                    Item=items.of_decision(transaction_id, decision),
                    ConditionExpression="attribute_not_exists(part)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            return items.to_decision(_conditional(error))
        return decision

    def decisions(self, transaction_id: str) -> Sequence[Decision]:
        kept = [items.to_decision(item) for item in self._parts(transaction_id, items.DECISION)]
        return sorted(kept, key=lambda decision: (decision.at, decision.key))

    def carried_out(self, transaction_id: str, key: str, verdict: str) -> None:
        try:
            with answering(_WHAT):
                self._client.update_item(
                    TableName=self._table,
                    Key=items.key(transaction_id, f"{items.DECISION}{key}"),
                    UpdateExpression="SET verdict = if_not_exists(verdict, :verdict)",
                    ConditionExpression="attribute_exists(part)",
                    ExpressionAttributeValues={":verdict": {"S": verdict}},
                )
        except ClientError as error:
            _conditional(error)
            raise InvariantBroken(f"{transaction_id} has no decision {key}") from error

    # -- steps -------------------------------------------------------------------------------------------

    def step_sent(self, head: Head, step: StepName, at: datetime, again: bool = False) -> int | None:
        for _ in range(_ROUNDS):
            record = head.sending(step, at, again)
            if record is None:
                return None
            condition, values = "attribute_not_exists(steps.#step)", {":record": items.of_step(record)}
            if (last := head.steps.get(step)) is not None:
                condition = "steps.#step = :last"
                values[":last"] = items.of_step(last)
            names = {"#step": step.value}
            if (
                self._update_head(
                    head.transaction_id,
                    "SET steps.#step = :record",
                    f"attribute_exists(part) AND {condition}",
                    names,
                    values,
                )
                is None
            ):
                return record.attempt
            head = self._standing(head.transaction_id)
        raise Unavailable(f"the steps of {head.transaction_id} change faster than they can be read")

    def step_taken(self, transaction_id: str, step: StepName, attempt: int, at: datetime) -> None:
        self._update_head(
            transaction_id,
            "SET steps.#step.taken_at = :at",
            "steps.#step.attempt = :attempt AND attribute_not_exists(steps.#step.taken_at)",
            {"#step": step.value},
            {":attempt": {"N": str(attempt)}, ":at": {"S": format_time(at)}},
        )

    def step_parked(self, transaction_id: str, step: StepName, attempt: int, reason: str) -> None:
        self._update_head(
            transaction_id,
            "SET steps.#step.parked = :reason",
            "steps.#step.attempt = :attempt",
            {"#step": step.value},
            {":attempt": {"N": str(attempt)}, ":reason": {"S": reason}},
        )

    # -- the index ---------------------------------------------------------------------------------------

    def timed_out(self, transaction_id: str, due: datetime) -> None:
        self._update_head(
            transaction_id, "REMOVE due", "due = :due", {}, {":due": {"N": str(items.seconds_up(due))}}
        )

    def overdue(self, now: datetime) -> Iterator[str]:
        def of_shard(shard: int) -> Iterator[items.Item]:
            until = {":now": {"N": str(int(now.timestamp()))}}
            return self._indexed(items.DUE_INDEX, shard, " AND due <= :now", until)

        longest_first = heapq.merge(*map(of_shard, items.SHARDS), key=lambda item: int(item["due"]["N"]))
        return (item["transaction_id"]["S"] for item in longest_first)

    def unfinished(self) -> Iterator[Head]:
        # Whoever stops before the end has seen others the next time.
        first = int(self._jitter() * len(items.SHARDS))
        for shard in (*items.SHARDS[first:], *items.SHARDS[:first]):
            for item in self._indexed(items.OPEN_INDEX, shard):
                head = self._standing(item["transaction_id"]["S"])
                if head.status not in FINAL:
                    yield head

    # -- calls -------------------------------------------------------------------------------------------

    def _standing(self, transaction_id: str) -> Head:
        head = self.head(transaction_id)
        if head is None:
            raise InvariantBroken(f"transaction {transaction_id} is not there any more")
        return head

    def _put_new(self, item: dict[str, Any]) -> "TransactWriteItemTypeDef":
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(part)",
            }
        }

    def _update_head(
        self,
        transaction_id: str,
        update: str,
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> items.Item | None:
        """Update the head; ``None`` when done, else what did not meet the condition, ``{}`` for nothing."""
        more: Any = {"ExpressionAttributeNames": names} if names else {}
        try:
            with answering(_WHAT):
                self._client.update_item(
                    TableName=self._table,
                    Key=items.key(transaction_id, items.HEAD),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **more,
                )
        except ClientError as error:
            return _conditional(error)
        return None

    def _get(self, transaction_id: str, part: str) -> items.Item | None:
        with answering(_WHAT):
            answer = self._client.get_item(
                TableName=self._table, Key=items.key(transaction_id, part), ConsistentRead=True
            )
        return answer.get("Item")

    def _parts(self, transaction_id: str, prefix: str, only: str = "") -> Iterator[items.Item]:
        """The items of one kind in the order of their keys, page by page."""
        more: Any = {}
        if only:
            more = {"ProjectionExpression": only, "ExpressionAttributeNames": {"#state": "state"}}
        return self._pages(
            KeyConditionExpression="transaction_id = :id AND begins_with(part, :prefix)",
            ExpressionAttributeValues={":id": {"S": transaction_id}, ":prefix": {"S": prefix}},
            ConsistentRead=True,
            **more,
        )

    def _indexed(
        self, index: str, shard: int, more: str = "", values: Mapping[str, Any] | None = None
    ) -> Iterator[items.Item]:
        return self._pages(
            IndexName=index,
            KeyConditionExpression=f"open_shard = :shard{more}",
            ExpressionAttributeValues={":shard": {"N": str(shard)}, **(values or {})},
            ProjectionExpression="transaction_id, due" if index == items.DUE_INDEX else "transaction_id",
        )

    def _pages(self, **query: Any) -> Iterator[items.Item]:
        with answering(_WHAT):
            for page in self._client.get_paginator("query").paginate(TableName=self._table, **query):
                yield from page["Items"]


def _once(transaction_id: str, finished: Sequence[Finished]) -> Iterator[Finished]:
    """Each transfer once, as the first says; raises InvariantBroken where two cannot both be true."""
    first: dict[int, Finished] = {}
    for one in finished:
        known = first.setdefault(one.number, one)
        if known.state.contradicts(one.state):
            raise InvariantBroken(
                f"transfer {one.number} of {transaction_id} is {known.state}, not {one.state}"
            )
        if known is one:
            yield one


def _conditional(error: ClientError) -> items.Item:
    """The item that did not meet the condition, ``{}`` where there was none; any other error goes on."""
    if code_of(error) != "ConditionalCheckFailedException":
        raise error
    return error.response.get("Item", {})  # type: ignore[return-value]
