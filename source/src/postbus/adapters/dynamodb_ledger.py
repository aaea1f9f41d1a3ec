"""A double-entry ledger on DynamoDB.

A posting is one item, which is also the transaction's outcome, plus one balance item for each account it
moves, written together.  The happy path reads nothing: the outcome's own condition says whether it was
decided before, and the balance's whether the money is there.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from postbus.adapters.aws_calls import answering
from postbus.adapters.dynamodb_outcomes import (
    DynamoDbOutcomes,
    earmark_attributes,
    put_outcome,
    release_earmark,
    still_set_aside,
    to_item,
)
from postbus.adapters.dynamodb_transactions import (
    ITEMS_PER_TRANSACTION,
    TRIES,
    Cancelled,
    Contended,
    TransactionWriter,
)
from postbus.adapters.several import each
from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.lifecycle import FINAL_OUTCOMES
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import Account, Direction, Entry, PostingInstruction, balance_key, shard_of
from postbus.domain.settlement import (
    NOTHING,
    Book,
    Contradiction,
    Decide,
    Earmark,
    SetAside,
    Stand,
    Stored,
    Wait,
    affordable,
    funding,
    insufficient_funds,
    set_aside_before,
    settle,
)
from postbus.ports import Answer, Impossible, NotNow, Settled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

# An instruction that is overtaken by another writer so often met something else than a race.
_ROUNDS = 6

# Several postings together are tried so often before those at contended items are booked apart; so is each,
# once another of the batch was waited for in vain: ten, waited for in turn, would outlast the function.
_FEW_TRIES = 3

# So many earmarks are written together, each an item beside the one balance.
EARMARKS_AT_ONCE = ITEMS_PER_TRANSACTION - 1


@dataclass(frozen=True, slots=True)
class _Booking:
    """A posting about to be written, and what it was decided from."""

    index: int
    instruction: PostingInstruction
    book: Book

    @property
    def balance_keys(self) -> set[str]:
        return {entry.balance_key for entry in self.book.journal.entries}


# Transactions that are not now for other writers at their items, with the reason.
_PutOff = dict[str, str]


@dataclass(slots=True)
class _Change:
    """What one write does to one balance item: the sum of its postings' entries, and the earmarks it ends.

    Attributes:
        entry: any on that item; it tells the account, the currency and the shard.
        needed_minor: what must be available before, beside the earmarks; nothing is asked where it is not
            above zero, for what was set aside is there even if others have overdrawn the account since.
    """

    entry: Entry
    delta_minor: int = 0
    freed_minor: int = 0
    needed_minor: int = 0

    def add(self, entry: Entry, may_overdraw: bool) -> None:
        self.delta_minor += entry.signed_minor
        if not may_overdraw and entry.direction is Direction.DEBIT and entry.shard is None:
            # What the same transaction credits does not count, so that merging postings never books one that
            # could not have been booked by itself.
            self.needed_minor += entry.amount.minor

    def free(self, earmark: Earmark) -> None:
        self.freed_minor += earmark.amount.minor
        self.needed_minor -= earmark.amount.minor

    def update(self, table: str) -> "UpdateTypeDef":
        names = {
            "#account": "account_id", "#currency": "currency", "#shard": "shard", "#version": "version",
            "#balance": "balance_minor", "#available": "available_minor",
        }  # fmt: skip
        numbers = {
            ":delta": self.delta_minor, ":available": self.delta_minor + self.freed_minor, ":one": 1,
            ":shard": self.entry.shard or 0,
        }  # fmt: skip
        if self.freed_minor:
            numbers[":freed"] = -self.freed_minor
        update: UpdateTypeDef = {
            "TableName": table,
            "Key": {"balance_key": {"S": self.entry.balance_key}},
            "UpdateExpression": "ADD #balance :delta, #available :available, #version :one"
            + (", earmarked_minor :freed" if self.freed_minor else "")
            + " SET #account = :account, #currency = :currency, #shard = :shard",
            "ExpressionAttributeNames": names,
        }
        if self.needed_minor > 0:
            numbers[":needed"] = self.needed_minor
            update["ConditionExpression"] = "#available >= :needed"
        update["ExpressionAttributeValues"] = {
            ":account": {"S": self.entry.account_id},
            ":currency": {"S": self.entry.amount.currency},
            **{name: {"N": str(number)} for name, number in numbers.items()},
        }
        return update


class DynamoDbLedger:
    """``ports.Ledger``, and the few commands of whoever keeps the accounts."""

    def __init__(
        self,
        client: "DynamoDBClient",
        ledger_table: str,
        balances_table: str,
        shards: int = 64,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            shards: balance items of each internal account; may be raised at any time, see ``shard_of``.
            sleep: waits so many seconds, between tries at contended items.
            jitter: uniform in [0, 1).
        """
        self._client = client
        self._ledger_table = ledger_table
        self._balances_table = balances_table
        self._shards = shards
        self._writer = TransactionWriter(client, sleep, jitter)
        self._outcomes = DynamoDbOutcomes(client, ledger_table, self._writer)

    def post(self, instructions: Sequence[PostingInstruction]) -> Sequence[Answer]:
        """Book each instruction at most once; see ``ports.Ledger``.

        All of them move the same balance item of an internal account: the one of the first posting's id.
        Once the tables do not answer, the rest of the batch is not tried.  Those at items that stay contended
        are not now; the others are booked.
        """
        answers: dict[int, Answer] = {}
        away = NotNow("not tried")
        try:
            for index, answer in self._answers(instructions):
                answers[index] = answer
        except Unavailable as error:
            away = NotNow(str(error))
        return [answers.get(index, away) for index in range(len(instructions))]

    def _answers(self, instructions: Sequence[PostingInstruction]) -> Iterator[tuple[int, Answer]]:
        """First what needs no look, together; then, one by one, what must be looked at.

        So a reversal meets its original whichever came first, and a transaction named twice is one item.
        """
        together: list[_Booking] = []
        alone: list[tuple[int, PostingInstruction]] = []
        named: set[str] = set()
        shard = self._shard(instructions[0].transaction.transaction_id) if instructions else 0
        for index, instruction in enumerate(instructions):
            transaction = instruction.transaction
            plan = settle(instruction, NOTHING, NOTHING, shard)
            if isinstance(plan, Book) and transaction.transaction_id not in named:
                together.append(_Booking(index, instruction, plan))
            else:
                alone.append((index, instruction))
            named.add(transaction.transaction_id)
        put_off: _PutOff = {}
        for group in _fitting(_connected(together)):
            yield from self._book_together(group, shard, put_off)
        for index, instruction in alone:
            transaction = instruction.transaction
            # A reversal that overtook its original would be judged as one of what was never posted.
            names = transaction.transaction_id, transaction.original_transaction_id or ""
            if behind := [put_off[name] for name in names if name in put_off]:
                yield index, NotNow(behind[0])
            else:
                yield index, self._settle_or_put_off(instruction, shard, put_off)

    def _book_together(
        self, group: Sequence[_Booking], shard: int, put_off: _PutOff
    ) -> Iterator[tuple[int, Answer]]:
        """Book a group in one transaction.  What stands against it is found, and the others go on."""
        changes = _merged((booking.book, NOTHING) for booking in group)
        items = [self._put(booking.book.outcome, NOTHING, booking.instruction) for booking in group]
        items += self._updates(changes)
        try:
            cancelled = self._write_together(items, group, list(changes), put_off)
        except Contended as error:
            contended = _at(error, group, list(changes))
            if len(contended) < len(group):
                others = [booking for booking in group if booking not in contended]
                yield from self._book_together(others, shard, put_off)
                yield from self._book_together(contended, shard, put_off)
                return
            for booking in group:
                put_off[booking.instruction.transaction.transaction_id] = str(error)
                yield booking.index, NotNow(str(error))
            return
        if cancelled is None:
            for booking in group:
                yield booking.index, Settled((booking.book.outcome,))
            return
        verdicts = list(zip(group, cancelled.failed, strict=False))
        decided = [booking for booking, failed in verdicts if failed]
        if decided or len(group) == 1:
            if undecided := [booking for booking, failed in verdicts if decided and not failed]:
                yield from self._book_together(undecided, shard, put_off)
            for booking in decided or group:
                yield booking.index, self._settle_or_put_off(booking.instruction, shard, put_off)
        else:
            # Some account lacks the money for all of them: halve until only the culprits are refused.
            half = len(group) // 2
            yield from self._book_together(group[:half], shard, put_off)
            yield from self._book_together(group[half:], shard, put_off)

    def _write_together(
        self,
        items: "Sequence[TransactWriteItemTypeDef]",
        group: Sequence[_Booking],
        keys: Sequence[str],
        put_off: _PutOff,
    ) -> Cancelled | None:
        """Write a group's items; with patience only where there is nobody to be booked without."""
        if len(group) > 1:
            try:
                return self._writer.write(items, _FEW_TRIES)
            except Contended as error:
                if put_off or len(_at(error, group, keys)) < len(group):
                    raise
        return self._writer.write(items, _patience(put_off))

    def _settle_or_put_off(self, instruction: PostingInstruction, shard: int, put_off: _PutOff) -> Answer:
        try:
            return self._settle(instruction, shard, _patience(put_off))
        except Contended as error:
            put_off[instruction.transaction.transaction_id] = str(error)
            return NotNow(str(error))

    def _settle(self, instruction: PostingInstruction, shard: int, tries: int) -> Answer:
        """Look at what is stored, decide, and write it if that is still what is stored; else look again."""
        transaction = instruction.transaction
        for _ in range(_ROUNDS):
            own, original = self._outcomes.read(transaction.transaction_id), NOTHING
            if transaction.original_transaction_id is not None:
                original = self._outcomes.read(transaction.original_transaction_id)
            match settle(instruction, own, original, shard):
                case Stand(outcomes):
                    return Settled(outcomes)
                case Wait(reason):
                    return NotNow(reason)
                case Contradiction(reason):
                    return Impossible(reason)
                case Decide(outcomes):
                    if self._writer.write(self._decisions(outcomes, (own, original)), tries) is None:
                        return Settled(outcomes)
                case Book() as book:
                    answer = self._book(instruction, book, own, tries)
                    if answer is not None:
                        return answer
        raise Unavailable(
            f"what is stored of {transaction.transaction_id} changes faster than it can be read"
        )

    def _book(self, instruction: PostingInstruction, book: Book, own: Stored, tries: int) -> Answer | None:
        """Book one instruction; ``None`` when what it was decided from has changed."""
        changes = _merged([(book, own)])
        items = [self._put(book.outcome, own, instruction)]
        if book.reversed_before is not None:
            items.append({"Update": self._reversed(instruction, book.reversed_before)})
        cancelled = self._writer.write([*items, *self._updates(changes)], tries)
        if cancelled is None:
            return Settled((book.outcome,))
        if any(cancelled.failed[: len(items)]):
            return None
        if all(self._covered(change) for change in changes.values()):
            return None
        refusal = insufficient_funds(instruction)
        refused = self._writer.write(self._decisions((refusal,), (own,)), tries)
        return Settled((refusal,)) if refused is None else None

    def _shard(self, posting_id: str) -> int:
        return shard_of(posting_id, self._shards)

    def _covered(self, change: _Change) -> bool:
        """Whether the account has the money after all; asked before it is said not to."""
        needed = change.needed_minor
        return needed <= 0 or self._available_at(change.entry.balance_key) >= needed

    def _available_at(self, key: str) -> int:
        """What is available of a balance item in minor units, strongly consistent."""
        with answering("ledger"):
            answer = self._client.get_item(
                TableName=self._balances_table, Key={"balance_key": {"S": key}}, ConsistentRead=True
            )
        return int(answer.get("Item", {}).get("available_minor", {"N": "0"})["N"])

    def _decisions(
        self, outcomes: Sequence[Outcome], stored: Sequence[Stored]
    ) -> "list[TransactWriteItemTypeDef]":
        """Outcomes that book nothing: the instruction's own first, then its original's; earmarks let go."""
        changes: dict[str, _Change] = {}
        for outcome, before in zip(outcomes, stored, strict=False):
            if before.earmark is not None and outcome.state in FINAL_OUTCOMES:
                _free(changes, before.earmark)
        puts = [self._put(outcome, before) for outcome, before in zip(outcomes, stored, strict=False)]
        return [*puts, *self._updates(changes)]

    def _put(
        self, outcome: Outcome, stored: Stored, instruction: PostingInstruction | None = None
    ) -> "TransactWriteItemTypeDef":
        item = to_item(outcome, stored.earmark, self._balances_table)
        if instruction is not None:
            item["home_region"] = {"S": instruction.transaction.home_region}
        return {"Put": put_outcome(self._ledger_table, item, stored)}

    def _updates(self, changes: dict[str, _Change]) -> "list[TransactWriteItemTypeDef]":
        return [{"Update": change.update(self._balances_table)} for change in changes.values()]

    def _reversed(self, instruction: PostingInstruction, before: tuple[int, int]) -> "UpdateTypeDef":
        """Count a reversal on its original, if no other one was counted since."""
        transaction = instruction.transaction
        assert transaction.original_transaction_id is not None
        numbers = {":amount": transaction.amount.minor, ":billing": transaction.billing.minor}
        unchanged = "attribute_not_exists(reversed_minor)"
        if before != (0, 0):
            unchanged = "reversed_minor = :before AND reversed_billing_minor = :billing_before"
            numbers |= {":before": before[0], ":billing_before": before[1]}
        return {
            "TableName": self._ledger_table,
            "Key": {"transaction_id": {"S": transaction.original_transaction_id}},
            "UpdateExpression": "ADD reversed_minor :amount, reversed_billing_minor :billing",
            "ConditionExpression": f"#state = :posted AND {unchanged}",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":posted": {"S": "POSTED"},
                **{name: {"N": str(number)} for name, number in numbers.items()},
            },
        }

    def fund(self, account: Account, amount: Money, posting_id: str, decided_at: datetime) -> Outcome:
        """Give an account its opening balance out of its head office; again, with the same id, is no change.

        Raises:
            InvariantBroken: ``posting_id`` was used for something else.
            Unavailable: the tables did not answer.
        """
        book = funding(account, amount, posting_id, decided_at, self._shard(posting_id))
        changes = _merged([(book, NOTHING)])
        if self._writer.write([self._put(book.outcome, NOTHING), *self._updates(changes)]) is None:
            return book.outcome
        standing = self._outcomes.find(posting_id)
        if standing is None or standing.content_hash != book.outcome.content_hash:
            raise InvariantBroken(f"{posting_id} is not the funding of {account.account_id} with {amount}")
        return standing

    def earmark(self, account: Account, wanted: Mapping[str, Money]) -> Mapping[str, SetAside]:
        """Set money of an account aside for transactions until they are posted or voided, each by itself.

        So many as fit are written together, those that come first before the others; what was written before
        a failure is found again.  How many there may be is not bounded: an earmark is an item of its own, and
        the balance keeps their sum.

        Args:
            wanted: by transaction id; all in one currency.
        Returns:
            What came of each.
        Raises:
            Unavailable: the tables did not answer; some may be set aside.
        """
        every = [(name, Earmark(account.account_id, amount)) for name, amount in wanted.items()]
        found: dict[str, SetAside] = {}
        for start in range(0, len(every), EARMARKS_AT_ONCE):
            found |= self._earmark_together(account, dict(every[start : start + EARMARKS_AT_ONCE]))
        return found

    def _earmark_together(self, account: Account, wanted: Mapping[str, Earmark]) -> dict[str, SetAside]:
        """Those that fit one transaction: at first without a look, for mostly they are new and affordable."""
        taken, others = wanted, dict[str, SetAside]()
        key = balance_key(account.account_id, account.currency)
        for _ in range(_ROUNDS):
            if not taken or self._writer.write(self._earmarking(account, taken)) is None:
                return others | dict.fromkeys(taken, SetAside.DONE)
            # Before the outcomes: what another call takes of it after this look is found among them.
            available = self._available_at(key)
            stored = dict(zip(wanted, each(self._outcomes.read, wanted), strict=True))
            others = {
                name: before for name in wanted if (before := set_aside_before(stored[name])) is not None
            }
            new = {name: earmark for name, earmark in wanted.items() if name not in others}
            taken = affordable(new, available)
            others |= {name: SetAside.SHORT for name in new if name not in taken}
        raise Unavailable(f"what is available of {account.account_id} changes faster than it can be read")

    def _earmarking(
        self, account: Account, wanted: Mapping[str, Earmark]
    ) -> "list[TransactWriteItemTypeDef]":
        """An item for each earmark, and their sum off what is available."""
        puts: list[TransactWriteItemTypeDef] = [
            {
                "Put": put_outcome(
                    self._ledger_table,
                    {"transaction_id": {"S": name}, **earmark_attributes(earmark, self._balances_table)},
                    NOTHING,
                )
            }
            for name, earmark in wanted.items()
        ]
        total = sum(earmark.amount.minor for earmark in wanted.values())
        update: UpdateTypeDef = {
            "TableName": self._balances_table,
            "Key": {"balance_key": {"S": balance_key(account.account_id, account.currency)}},
            "UpdateExpression": "ADD available_minor :less, earmarked_minor :total, #version :one",
            "ConditionExpression": "available_minor >= :total",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {
                ":total": {"N": str(total)}, ":less": {"N": str(-total)}, ":one": {"N": "1"},
            },
        }  # fmt: skip
        return [*puts, {"Update": update}]

    def free(self, transaction_id: str) -> None:
        """Give back what was set aside for a transaction that nothing was decided about; again is no change.

        Of one that was decided the outcome keeps the earmark, or has let it go.

        Raises:
            Unavailable: the tables did not answer.
        """
        for _ in range(_ROUNDS):
            stored = self._outcomes.read(transaction_id)
            if stored.earmark is None or stored.state is not None:
                return
            condition, values = still_set_aside(stored.earmark)
            attributes = earmark_attributes(stored.earmark, self._balances_table)
            # The item stays, empty: nothing may delete from this table.
            forget: TransactWriteItemTypeDef = {
                "Update": {
                    "TableName": self._ledger_table,
                    "Key": {"transaction_id": {"S": transaction_id}},
                    "UpdateExpression": f"REMOVE {', '.join(attributes)}",
                    "ConditionExpression": condition,
                    "ExpressionAttributeNames": {"#state": "state"},
                    "ExpressionAttributeValues": values,
                }
            }
            freed = release_earmark(self._balances_table, stored.earmark)
            if self._writer.write([forget, {"Update": freed}]) is None:
                return
        raise Unavailable(f"what is stored of {transaction_id} changes faster than it can be read")

    def agree_overdraft(self, account_id: str, limit: Money) -> None:
        """Let an account go down to minus ``limit`` from now on; again is no change.

        A lower limit than before takes nothing back: an account below it can only be credited.

        Raises:
            Unavailable: the table did not answer, or the account moves faster than it can be read.
        """
        key = {"balance_key": {"S": balance_key(account_id, limit.currency)}}
        for _ in range(_ROUNDS):
            with answering("ledger"):
                found = self._client.get_item(TableName=self._balances_table, Key=key, ConsistentRead=True)
            before = found.get("Item", {}).get("overdraft_minor")
            agreed = 0 if before is None else int(before["N"])
            if agreed == limit.minor:
                return
            update: UpdateTypeDef = {
                "TableName": self._balances_table,
                "Key": key,
                "UpdateExpression": "ADD available_minor :more, balance_minor :zero, #version :one "
                "SET overdraft_minor = :limit, account_id = :account, #currency = :currency, #shard = :zero",
                "ConditionExpression": "attribute_not_exists(overdraft_minor)"
                if before is None
                else "overdraft_minor = :agreed",
                "ExpressionAttributeNames": {
                    "#version": "version", "#currency": "currency", "#shard": "shard",
                },
                "ExpressionAttributeValues": {
                    ":more": {"N": str(limit.minor - agreed)}, ":limit": {"N": str(limit.minor)},
                    ":zero": {"N": "0"}, ":one": {"N": "1"},
                    ":account": {"S": account_id}, ":currency": {"S": limit.currency},
                    **({} if before is None else {":agreed": before}),
                },
            }  # fmt: skip
            if self._writer.write([{"Update": update}]) is None:
                return
        raise Unavailable(f"what is agreed of {account_id} changes faster than it can be read")


def _merged(books: Iterable[tuple[Book, Stored]]) -> dict[str, _Change]:
    """The changes to each balance item, by key, of postings written together."""
    changes: dict[str, _Change] = {}
    for book, stored in books:
        for entry in book.journal.entries:
            change = changes.setdefault(entry.balance_key, _Change(entry))
            change.add(entry, book.may_overdraw)
        if stored.earmark is not None:
            _free(changes, stored.earmark)
    return changes


def _free(changes: dict[str, _Change], earmark: Earmark) -> None:
    """Let an earmark go as part of the changes."""
    entry = Entry(earmark.account_id, Direction.DEBIT, earmark.amount)
    changes.setdefault(entry.balance_key, _Change(entry)).free(earmark)


def _at(error: Contended, group: Sequence[_Booking], keys: Sequence[str]) -> list[_Booking]:
    """Those of a group that write to a contended item, of an outcome or of a balance; all, if it is not told.

    Args:
        keys: of the balance items, in the order they were written in after the outcomes.
    """
    own, balances = error.items[: len(group)], error.items[len(group) :]
    contended = {key for key, is_contended in zip(keys, balances, strict=False) if is_contended}
    touched = [
        booking
        for booking, is_contended in zip(group, own, strict=False)
        if is_contended or not booking.balance_keys.isdisjoint(contended)
    ]
    return touched or list(group)


def _patience(put_off: _PutOff) -> int:
    return _FEW_TRIES if put_off else TRIES


def _connected(bookings: Iterable[_Booking]) -> list[list[_Booking]]:
    """Groups that share no balance item with each other; in each, the order is kept."""
    groups: list[tuple[set[str], list[_Booking]]] = []
    for booking in bookings:
        keys, members = booking.balance_keys, [booking]
        apart = []
        for group in groups:
            if keys.isdisjoint(group[0]):
                apart.append(group)
            else:
                keys, members = keys | group[0], group[1] + members
        groups = [*apart, (keys, members)]
    return [sorted(members, key=lambda booking: booking.index) for _, members in groups]


def _fitting(groups: Iterable[Sequence[_Booking]]) -> Iterator[Sequence[_Booking]]:
    """The groups, cut where one would hold more items than a transaction may."""
    for group in groups:
        part: list[_Booking] = []
        keys: set[str] = set()
        for booking in group:
            grown = keys | booking.balance_keys
            if part and len(part) + 1 + len(grown) > ITEMS_PER_TRANSACTION:
                yield part
                part, grown = [], booking.balance_keys
            part.append(booking)
            keys = grown
        if part:
            yield part
