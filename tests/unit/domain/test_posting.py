"""Recipes and journals: what is booked is what was authorised, and it balances."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.errors import InvariantBroken, Malformed
from postbus.domain.money import Money
from postbus.domain.posting import (
    Direction,
    Entry,
    Journal,
    PostingInstruction,
    imbalance,
    journal_of,
    may_overdraw,
    reversal_of,
    shard_of,
)
from postbus.domain.transaction import Kind
from tests.fakes.approvals import ALICE, BOB, CAROL, NOON, approval, instruction

EUR_10, USD_11 = Money(1000, "EUR"), Money(1100, "USD")
minors = st.integers(min_value=1, max_value=10**18 - 1)


def lines(journal: Journal) -> list[str]:
    return [f"{e.direction} {e.account_id} {e.amount}" for e in journal.entries]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"kind": Kind.PURCHASE}, ["debit NL-CUR-0001 10.00 EUR", "credit SUSPENSE-EUR 10.00 EUR"]),
        ({"kind": Kind.ATM_WITHDRAWAL}, ["debit NL-CUR-0001 10.00 EUR", "credit HEAD-OFFICE-EUR 10.00 EUR"]),
        ({"kind": Kind.REFUND}, ["credit NL-CUR-0001 10.00 EUR", "debit SUSPENSE-EUR 10.00 EUR"]),
        ({"kind": Kind.TRANSFER, "to": BOB}, ["debit NL-CUR-0001 10.00 EUR", "credit DE-SAV-0002 10.00 EUR"]),
        (
            {"kind": Kind.PURCHASE, "amount": USD_11, "billing": EUR_10},
            [
                "debit NL-CUR-0001 10.00 EUR",
                "credit POSITION-EUR 10.00 EUR",
                "debit POSITION-EUR 11.00 USD",
                "credit SUSPENSE-EUR 11.00 USD",
            ],
        ),
        (
            {"kind": Kind.REFUND, "amount": USD_11, "billing": EUR_10},
            [
                "credit NL-CUR-0001 10.00 EUR",
                "debit POSITION-EUR 10.00 EUR",
                "credit POSITION-EUR 11.00 USD",
                "debit SUSPENSE-EUR 11.00 USD",
            ],
        ),
        (
            {"kind": Kind.TRANSFER, "to": CAROL, "amount": USD_11, "billing": EUR_10},
            [
                "debit NL-CUR-0001 10.00 EUR",
                "credit POSITION-EUR 10.00 EUR",
                "debit POSITION-EUR 11.00 USD",
                "credit US-CUR-0003 11.00 USD",
            ],
        ),
    ],
    ids=["purchase", "withdrawal", "refund", "transfer", "abroad", "refund-abroad", "transfer-abroad"],
)
def test_each_kind_has_its_recipe(details: dict[str, Any], expected: list[str]) -> None:
    assert lines(journal_of(instruction("A1", **details), shard=7)) == expected


def test_every_kind_has_a_recipe_or_reverses_one() -> None:
    for kind in Kind:
        assert may_overdraw(kind) is (kind is not Kind.TRANSFER)


def test_customers_have_one_balance_item_and_internal_accounts_many() -> None:
    foreign = journal_of(instruction("A1", amount=USD_11, billing=EUR_10), shard=7)
    assert [entry.shard is None for entry in foreign.entries] == [True, False, False, False]
    transfer = journal_of(instruction("A1", Kind.TRANSFER, to=BOB), shard=7)
    assert [entry.shard is None for entry in transfer.entries] == [True, True]


@given(st.text(min_size=1), st.integers(min_value=1, max_value=5000))
def test_a_posting_always_falls_on_the_same_shard_there_is(posting_id: str, shards: int) -> None:
    assert 0 <= shard_of(posting_id, shards) < shards
    assert shard_of(posting_id, shards) == shard_of(posting_id, shards)


def test_postings_spread_evenly_over_the_shards() -> None:
    counts = [0] * 64
    for n in range(6400):
        counts[shard_of(f"visa-{n}", 64)] += 1
    assert min(counts) > 50
    assert max(counts) < 160


@given(minors, minors)
def test_what_is_booked_is_what_was_authorised_and_balances(amount: int, billing: int) -> None:
    approved = instruction("A1", amount=Money(amount, "USD"), billing=Money(billing, "EUR"))
    journal = journal_of(approved, shard=7)
    assert imbalance(journal.entries) == {}
    own, *_, far = journal.entries
    assert (own.account_id, own.amount) == ("NL-CUR-0001", Money(billing, "EUR"))
    assert (far.account_id, far.amount) == ("SUSPENSE-EUR", Money(amount, "USD"))


@given(minors, minors, minors, minors)
def test_a_reversal_is_exact_in_its_own_amounts(
    amount: int, billing: int, back: int, back_billing: int
) -> None:
    original = journal_of(
        instruction("A1", amount=Money(amount, "USD"), billing=Money(billing, "EUR")), shard=7
    )
    reversal = instruction("R1", Kind.REVERSAL, Money(back, "USD"), Money(back_billing, "EUR"), reverses="A1")
    journal = reversal_of(original.entries, reversal.transaction, shard=9)
    for before, after in zip(original.entries, journal.entries, strict=True):
        assert after.account_id == before.account_id
        assert after.direction is not before.direction
        assert (before.shard, after.shard) in ((None, None), (7, 9))
        assert after.amount == Money(
            back if before.amount.currency == "USD" else back_billing, before.amount.currency
        )


def test_a_journal_cannot_be_built_unbalanced() -> None:
    debit = Entry("a", Direction.DEBIT, EUR_10)
    for other in (
        Entry("b", Direction.DEBIT, EUR_10),
        Entry("b", Direction.CREDIT, Money(999, "EUR")),
        Entry("b", Direction.CREDIT, Money(1000, "USD")),
    ):
        with pytest.raises(InvariantBroken, match="balance"):
            Journal((debit, other))
    with pytest.raises(InvariantBroken, match="without entries"):
        Journal(())


@pytest.mark.parametrize("minor", [0, -1])
def test_an_entry_cannot_be_built_without_a_positive_amount(minor: int) -> None:
    with pytest.raises(InvariantBroken, match="positive"):
        Entry("a", Direction.DEBIT, Money(minor, "EUR"))


@given(minors, st.sampled_from(Direction), st.none() | st.integers(min_value=0, max_value=999))
def test_an_entry_reads_back_what_it_wrote(minor: int, direction: Direction, shard: int | None) -> None:
    entry = Entry("NL-CUR-0001", direction, Money(minor, "EUR"), shard)
    assert Entry.from_data(entry.to_data()) == entry


def test_a_transfer_without_its_creditor_is_malformed() -> None:
    event = approval("A1", Kind.TRANSFER, to=BOB)
    lonely = replace(
        event, data={name: value for name, value in event.data.items() if name != "counterparty"}
    )
    with pytest.raises(Malformed, match="counterparty"):
        journal_of(PostingInstruction.from_event(lonely, NOON), shard=7)


def test_an_approval_without_an_account_is_malformed() -> None:
    event = approval("A1")
    nobody = replace(event, data={name: value for name, value in event.data.items() if name != "account"})
    with pytest.raises(Malformed, match="account"):
        PostingInstruction.from_event(nobody, NOON)


def test_a_reversal_has_no_recipe_of_its_own() -> None:
    with pytest.raises(InvariantBroken, match="original"):
        journal_of(instruction("R1", Kind.REVERSAL, reverses="A1", of=ALICE), shard=7)
