"""Outcomes and a ledger in memory, behind the same ports as the tables, proven by the same suite.

They share one ``Books``, as the adapters share their tables.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.lifecycle import FINAL_OUTCOMES, OutcomeState
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
    funding,
    insufficient_funds,
    set_aside_before,
    settle,
)
from postbus.ports import Answer, Impossible, NotNow, Settled


@dataclass(slots=True)
class Books:
    """What the two tables hold.

    Attributes:
        balances, available: minor units by balance key.
        overdrafts: agreed, likewise.
        away: while true, nothing answers.
    """

    stored: dict[str, Stored] = field(default_factory=dict)
    unannounced: set[str] = field(default_factory=set)
    balances: dict[str, int] = field(default_factory=dict)
    available: dict[str, int] = field(default_factory=dict)
    overdrafts: dict[str, int] = field(default_factory=dict)
    away: bool = False

    def read(self, transaction_id: str) -> Stored:
        if self.away:
            raise Unavailable("ledger did not answer")
        return self.stored.get(transaction_id, NOTHING)

    def write(self, outcome: Outcome) -> None:
        """Keep an outcome; a final one lets its earmark go."""
        before = self.read(outcome.transaction_id)
        earmark = before.earmark
        if earmark is not None and outcome.state in FINAL_OUTCOMES:
            self.available[balance_key(earmark.account_id, earmark.amount.currency)] += earmark.amount.minor
            earmark = None
        self.stored[outcome.transaction_id] = replace(before, outcome=outcome, earmark=earmark)
        if outcome.state is OutcomeState.VOIDED and "operator" in outcome.data:
            self.unannounced.add(outcome.transaction_id)

    def book(self, book: Book) -> None:
        self.write(book.outcome)
        for entry in book.journal.entries:
            for column in (self.balances, self.available):
                column[entry.balance_key] = column.get(entry.balance_key, 0) + entry.signed_minor


class InMemoryOutcomes:
    """``ports.Outcomes`` in memory."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def find(self, transaction_id: str) -> Outcome | None:
        return self._books.read(transaction_id).outcome

    def decide(self, wanted: Outcome) -> Outcome:
        stored = self._books.read(wanted.transaction_id)
        if wanted.may_follow(stored.outcome):
            self._books.write(wanted)
            return wanted
        if stored.outcome is None:
            raise InvariantBroken(f"{wanted.transaction_id} cannot be {wanted.state}: nothing is stored")
        return stored.outcome

    def in_state(self, state: OutcomeState) -> Iterator[Outcome]:
        found = (stored.outcome for stored in self._books.stored.values() if stored.outcome is not None)
        yield from sorted((o for o in found if o.state is state), key=lambda outcome: outcome.decided_at)

    def unannounced(self) -> Iterator[Outcome]:
        return (outcome for outcome in self.in_state(OutcomeState.VOIDED)
                if outcome.transaction_id in self._books.unannounced)  # fmt: skip

    def announced(self, outcome: Outcome) -> None:
        self._books.unannounced.discard(outcome.transaction_id)


class InMemoryLedger:
    """``ports.Ledger`` in memory, with the account keeping of the real one."""

    def __init__(self, books: Books, shards: int = 64) -> None:
        self._books = books
        self._shards = shards

    def post(self, instructions: Sequence[PostingInstruction]) -> Sequence[Answer]:
        if self._books.away:
            return [NotNow("ledger did not answer")] * len(instructions)
        answers: dict[int, Answer] = {}
        shard = shard_of(instructions[0].transaction.transaction_id, self._shards) if instructions else 0
        # Reversals after the rest, so that a batch may hold a reversal and its original in either order.
        turns = sorted(enumerate(instructions), key=lambda turn: turn[1].transaction.kind == "reversal")
        for index, instruction in turns:
            answers[index] = self._settle(instruction, shard)
        return [answers[index] for index in range(len(instructions))]

    def _settle(self, instruction: PostingInstruction, shard: int) -> Answer:
        transaction, books = instruction.transaction, self._books
        original_id = transaction.original_transaction_id
        own = books.read(transaction.transaction_id)
        match settle(instruction, own, books.read(original_id) if original_id else NOTHING, shard):
            case Stand(outcomes):
                return Settled(outcomes)
            case Wait(reason):
                return NotNow(reason)
            case Contradiction(reason):
                return Impossible(reason)
            case Decide(outcomes):
                for outcome in outcomes:
                    books.write(outcome)
                return Settled(outcomes)
            case Book() as book:
                if not book.may_overdraw and not self._covered(book, own.earmark):
                    books.write(refusal := insufficient_funds(instruction))
                    return Settled((refusal,))
                books.book(book)
                if original_id is not None:
                    original = books.read(original_id)
                    books.stored[original_id] = replace(
                        original,
                        reversed_minor=original.reversed_minor + transaction.amount.minor,
                        reversed_billing_minor=original.reversed_billing_minor + transaction.billing.minor,
                    )
                return Settled((book.outcome,))

    def _covered(self, book: Book, earmark: Earmark | None) -> bool:
        own = (
            {balance_key(earmark.account_id, earmark.amount.currency): earmark.amount.minor}
            if earmark
            else {}
        )
        debits = [e for e in book.journal.entries if e.direction is Direction.DEBIT and e.shard is None]
        needed = {e.balance_key: e.amount.minor - own.get(e.balance_key, 0) for e in debits}
        return all(minor <= 0 or self._books.available.get(key, 0) >= minor for key, minor in needed.items())

    def fund(self, account: Account, amount: Money, posting_id: str, decided_at: datetime) -> Outcome:
        book = funding(account, amount, posting_id, decided_at, shard_of(posting_id, self._shards))
        stored = self._books.read(posting_id).outcome
        if stored is None:
            self._books.book(book)
            return book.outcome
        if stored.content_hash != book.outcome.content_hash:
            raise InvariantBroken(f"{posting_id} is not the funding of {account.account_id} with {amount}")
        return stored

    def earmark(self, account: Account, wanted: Mapping[str, Money]) -> Mapping[str, SetAside]:
        return {one: self._earmark(one, account, amount) for one, amount in wanted.items()}

    def _earmark(self, transaction_id: str, account: Account, amount: Money) -> SetAside:
        key = balance_key(account.account_id, amount.currency)
        if (before := set_aside_before(self._books.read(transaction_id))) is not None:
            return before
        if self._books.available.get(key, 0) < amount.minor:
            return SetAside.SHORT
        self._books.available[key] -= amount.minor
        self._books.stored[transaction_id] = Stored(earmark=Earmark(account.account_id, amount))
        return SetAside.DONE

    def agree_overdraft(self, account_id: str, limit: Money) -> None:
        key = balance_key(account_id, limit.currency)
        more = limit.minor - self._books.overdrafts.get(key, 0)
        self._books.available[key] = self._books.available.get(key, 0) + more
        self._books.overdrafts[key] = limit.minor
        self._books.balances.setdefault(key, 0)


def entries_of(books: Books) -> dict[str, tuple[Entry, ...]]:
    """The entries of everything posted, by transaction id."""
    return {
        transaction_id: tuple(Entry.from_data(entry) for entry in stored.outcome.data["entries"])
        for transaction_id, stored in books.stored.items()
        if stored.outcome is not None and stored.outcome.state is OutcomeState.POSTED
    }


def trial_balance(books: Books) -> dict[str, int]:
    """The sum of all balances by currency: zero each, whenever the books are whole."""
    keyed = sorted((key.split("#")[1], minor) for key, minor in books.balances.items())
    return {
        currency: sum(minor for _, minor in group)
        for currency, group in itertools.groupby(keyed, key=lambda pair: pair[0])
    }
