"""The ISO 20022 front's ports in memory; each runs the same suite as its adapter."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.iso20022 import decisions
from postbus.domain.iso20022.checks import CheckAnswer, CheckRequest, Passed
from postbus.domain.iso20022.messages import MessageType, Reason, Status
from postbus.domain.iso20022.notices import Notice
from postbus.domain.iso20022.status import FINAL, may_replace
from postbus.domain.iso20022.workflow import (
    AccountKey,
    Child,
    ChildState,
    Decision,
    Document,
    Entry,
    Finished,
    FoundAccount,
    Head,
    Reservation,
    StepName,
)
from postbus.domain.money import Money
from postbus.ports_iso20022 import Attached


@dataclass
class InMemoryMessages:
    """``ports_iso20022.MessageStore``; ``away`` while true, nothing answers."""

    heads: dict[str, Head] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    kept: dict[tuple[str, int], Child] = field(default_factory=dict)
    decided: dict[tuple[str, str], Decision] = field(default_factory=dict)
    away: bool = False

    def open(self, head: Head, by: str) -> bool:
        self._answer()
        if head.transaction_id in self.heads:
            return False
        kept = replace(head, deadline=_whole(head.deadline))
        self.heads[head.transaction_id] = replace(kept, due=decisions.due(kept))
        self.entries[head.transaction_id] = [Entry(status=head.status, at=head.opened_at, by=by)]
        return True

    def head(self, transaction_id: str) -> Head | None:
        self._answer()
        return self.heads.get(transaction_id)

    def history(self, transaction_id: str) -> Sequence[Entry]:
        self._answer()
        return tuple(self.entries.get(transaction_id, ()))

    def attach(self, transaction_id: str, owner: str, incoming: Document, deadline: datetime) -> Attached:
        head = self.head(transaction_id)
        if head is None or head.owner != owner:
            return Attached.NOT_FOUND
        if head.incoming is not None:
            return Attached.SAME if head.incoming.sha256 == incoming.sha256 else Attached.CONFLICT
        if head.status is not Status.ACCP:
            return Attached.CONFLICT
        whole = _whole(deadline)
        self.heads[transaction_id] = replace(head, incoming=incoming, deadline=whole, due=whole)
        return Attached.STORED

    def describe(self, transaction_id: str, message_type: MessageType, message_id: str) -> None:
        head = self.head(transaction_id)
        if head is None or head.incoming is None:
            raise InvariantBroken(f"{transaction_id} has no message to describe")
        self.heads[transaction_id] = replace(
            head,
            message_type=head.message_type or message_type,
            message_id=head.message_id or message_id,
        )

    def refuse(self, transaction_id: str, reasons: Sequence[Reason]) -> None:
        head = self.head(transaction_id)
        if head is not None and head.status is Status.ACTC and head.children is None:
            self.heads[transaction_id] = replace(head, reasons=tuple(reasons))

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
        standing = self._standing(head.transaction_id)
        if (standing.version, standing.status) != (head.version, head.status):
            return standing
        moved = replace(
            standing,
            status=entry.status,
            reasons=entry.reasons,
            version=head.version + 1,
            documents={**standing.documents, **(documents or {})},
            deadline=_whole(deadline or standing.deadline),
        )
        due = decisions.due_after(head, moved, entry.at)
        moved = replace(moved, due=None if due is None else _whole(due))
        self.heads[head.transaction_id] = moved
        self.entries[head.transaction_id].append(entry)
        return moved

    def put_document(self, transaction_id: str, name: str, document: Document) -> None:
        head = self._standing(transaction_id)
        self.heads[transaction_id] = replace(head, documents={**head.documents, name: document})

    def add_children(self, transaction_id: str, children: Sequence[Child]) -> Head:
        head = self._standing(transaction_id)
        if head.children is None:
            for child in children:
                self.kept.setdefault((transaction_id, child.number), child)
            kept = list(self.children(transaction_id))
            if len(kept) != len(children):
                raise InvariantBroken(f"{transaction_id} has {len(kept)} transfers kept")
            states = [child.state for child in kept]
            head = replace(head, children=len(kept), children_open=states.count(ChildState.OPEN))
            self.heads[transaction_id] = head
        return head

    def children(self, transaction_id: str) -> Iterator[Child]:
        self._answer()
        return iter([self.kept[key] for key in sorted(self.kept) if key[0] == transaction_id])

    def child(self, transaction_id: str, number: int) -> Child | None:
        self._answer()
        return self.kept.get((transaction_id, number))

    def finish_children(self, transaction_id: str, finished: Sequence[Finished]) -> int:
        for one in finished:
            self._finish(transaction_id, one)
        return self._standing(transaction_id).children_open or 0

    def _finish(self, transaction_id: str, one: Finished) -> None:
        head, child = self._standing(transaction_id), self.child(transaction_id, one.number)
        if child is None or head.children_open is None:
            raise InvariantBroken(
                f"transfer {one.number} of {transaction_id} cannot be {one.state}: not kept yet"
            )
        if child.state is ChildState.OPEN:
            self.kept[transaction_id, one.number] = replace(
                child, state=one.state, reasons=one.reasons, settled_at=one.settled_at
            )
            self.heads[transaction_id] = replace(head, children_open=head.children_open - 1)
        elif child.state.contradicts(one.state):
            raise InvariantBroken(
                f"transfer {one.number} of {transaction_id} is {child.state}, not {one.state}"
            )

    def hold_child(self, transaction_id: str, number: int, at: datetime) -> None:
        child = self.child(transaction_id, number)
        if child is not None and child.state is ChildState.OPEN and child.held_at is None:
            self.kept[transaction_id, number] = replace(child, held_at=at)

    def decide(self, transaction_id: str, decision: Decision) -> Decision:
        self._answer()
        return self.decided.setdefault((transaction_id, decision.key), decision)

    def decisions(self, transaction_id: str) -> Sequence[Decision]:
        self._answer()
        kept = [decision for (one, _), decision in self.decided.items() if one == transaction_id]
        return sorted(kept, key=lambda decision: (decision.at, decision.key))

    def carried_out(self, transaction_id: str, key: str, verdict: str) -> None:
        self._answer()
        decision = self.decided.get((transaction_id, key))
        if decision is None:
            raise InvariantBroken(f"{transaction_id} has no decision {key}")
        self.decided[transaction_id, key] = replace(decision, verdict=decision.verdict or verdict)

    def step_sent(self, head: Head, step: StepName, at: datetime, again: bool = False) -> int | None:
        standing = self._standing(head.transaction_id)
        record = standing.sending(step, at, again)
        if record is None:
            return None
        self._keep_step(standing, step, record)
        return record.attempt

    def step_taken(self, transaction_id: str, step: StepName, attempt: int, at: datetime) -> None:
        head = self.head(transaction_id)
        last = head.steps.get(step) if head else None
        if head and last and last.attempt == attempt and last.taken_at is None:
            self._keep_step(head, step, replace(last, taken_at=at))

    def step_parked(self, transaction_id: str, step: StepName, attempt: int, reason: str) -> None:
        head = self.head(transaction_id)
        last = head.steps.get(step) if head else None
        if head and last and last.attempt == attempt:
            self._keep_step(head, step, replace(last, parked=reason))

    def _keep_step(self, head: Head, step: StepName, record: object) -> None:
        steps = {**head.steps, step: record}
        self.heads[head.transaction_id] = replace(head, steps=steps)  # type: ignore[arg-type]

    def timed_out(self, transaction_id: str, due: datetime) -> None:
        head = self.head(transaction_id)
        if head is not None and head.due == due:
            self.heads[transaction_id] = replace(head, due=None)

    def overdue(self, now: datetime) -> Iterator[str]:
        due = [(head.due, head.transaction_id) for head in self.unfinished() if head.due and head.due <= now]
        return iter([transaction_id for _, transaction_id in sorted(due, key=lambda one: one[0])])

    def unfinished(self) -> Iterator[Head]:
        self._answer()
        return iter([head for head in self.heads.values() if head.status not in FINAL])

    def _standing(self, transaction_id: str) -> Head:
        head = self.head(transaction_id)
        if head is None:
            raise InvariantBroken(f"transaction {transaction_id} is not there")
        return head

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("message store did not answer")


def _whole(moment: datetime) -> datetime:
    """The next whole second: the index of deadlines knows no fractions, and nothing may be early."""
    return (moment + timedelta(microseconds=999_999)).replace(microsecond=0).astimezone(UTC)


@dataclass
class InMemoryDocuments:
    """``ports_iso20022.Documents``."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    away: bool = False

    def put(self, key: str, body: bytes, content_type: str = "application/xml") -> Document:
        self._answer()
        self.bodies[key] = body
        return Document(key, hashlib.sha256(body).hexdigest(), len(body))

    def find(self, key: str) -> Document | None:
        body = self.get(key)
        return None if body is None else Document(key, hashlib.sha256(body).hexdigest(), len(body))

    def get(self, key: str) -> bytes | None:
        self._answer()
        return self.bodies.get(key)

    def copy(self, document: Document, key: str) -> Document:
        copied = self.find(document.key)
        if copied is None or copied.sha256 != document.sha256:
            raise Unavailable(f"{document.key} has changed")
        return self.put(key, self.bodies[document.key])

    def upload_url(self, key: str, length_bytes: int, sha256: str, valid_for: timedelta) -> str:
        self._answer()
        seconds = int(valid_for.total_seconds())
        return f"memory:{key}?length={length_bytes}&sha256={sha256}&seconds={seconds}"

    def download_url(self, key: str, valid_for: timedelta) -> str:
        self._answer()
        return f"memory:{key}?seconds={int(valid_for.total_seconds())}"

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("documents did not answer")


@dataclass
class InMemorySteps:
    """``ports_iso20022.Steps``: what was queued, each attempt once, as within five minutes."""

    sent: list[tuple[str, StepName, int]] = field(default_factory=list)
    asked: int = 0
    away: bool = False

    def send(self, transaction_id: str, step: StepName, attempt: int) -> None:
        if self.away:
            raise Unavailable("step queue did not answer")
        self.asked += 1
        if (transaction_id, step, attempt) not in self.sent:
            self.sent.append((transaction_id, step, attempt))


@dataclass
class InMemoryNotices:
    """``ports_iso20022.Notices``: what was told, in order."""

    told: list[Notice] = field(default_factory=list)
    away: bool = False

    def tell(self, notice: Notice) -> None:
        if self.away:
            raise Unavailable("topic did not answer")
        self.told.append(notice)


@dataclass
class InMemoryAccounts:
    """``ports_iso20022.AccountFinder``."""

    accounts: dict[AccountKey, tuple[FoundAccount, ...]] = field(default_factory=dict)
    away: bool = False

    def find(self, keys: Sequence[AccountKey]) -> Mapping[AccountKey, Sequence[FoundAccount]]:
        if self.away:
            raise Unavailable("accounts did not answer")
        return {key: self.accounts[key] for key in keys if key in self.accounts}


@dataclass
class ScriptedCheck:
    """``ports_iso20022.Check``: the answers by number of the transfer, Passed for all others."""

    answers: dict[int, CheckAnswer] = field(default_factory=dict)
    away: bool = False
    asked: list[CheckRequest] = field(default_factory=list)

    def check(self, requests: Sequence[CheckRequest]) -> Sequence[CheckAnswer]:
        if self.away:
            raise Unavailable("check did not answer")
        self.asked += requests
        return [self.answers.get(request.number, Passed()) for request in requests]


@dataclass
class InMemoryLiquidity:
    """``ports_iso20022.Liquidity``: available minor units by account token and currency.

    Attributes:
        decided: pipeline ids that were posted or voided; their reservations are gone.
    """

    available: dict[tuple[str, str], int] = field(default_factory=dict)
    reserved: dict[str, tuple[str, Money]] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    away: bool = False

    def reserve(self, account_token: str, amounts: Mapping[str, Money]) -> Mapping[str, Reservation]:
        self._answer()
        return {one: self._reserve(one, account_token, amount) for one, amount in amounts.items()}

    def _reserve(self, pipeline_id: str, account_token: str, amount: Money) -> Reservation:
        if pipeline_id in self.decided:
            return Reservation.DECIDED
        if pipeline_id in self.reserved:
            return Reservation.RESERVED
        key = (account_token, amount.currency)
        if self.available.get(key, 0) < amount.minor:
            return Reservation.SHORT
        self.available[key] -= amount.minor
        self.reserved[pipeline_id] = (account_token, amount)
        return Reservation.RESERVED

    def release(self, pipeline_ids: Sequence[str]) -> None:
        self._answer()
        for pipeline_id in pipeline_ids:
            if pipeline_id in self.reserved:
                token, amount = self.reserved.pop(pipeline_id)
                self.available[token, amount.currency] += amount.minor

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("liquidity did not answer")


@dataclass
class InMemoryCreditTransfers:
    """``ports_iso20022.CreditTransfers``: records by key, and how many were written in all."""

    records: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    writes: int = 0
    away: bool = False

    def submit(self, records: Sequence[Mapping[str, Any]]) -> None:
        for record in records:
            if self.away:
                raise Unavailable("inbound table did not answer")
            standing = self.records.get(record["transfer"])
            if standing is not None and standing != record:
                raise InvariantBroken(f"another record stands under {record['transfer']}")
            self.writes += standing is None
            self.records[record["transfer"]] = dict(record)
