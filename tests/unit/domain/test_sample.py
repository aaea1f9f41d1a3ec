"""Made-up payments: the same seed makes the same ones, in the numbers asked for."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain import sample
from postbus.domain.card_numbers import is_iban, passes_luhn, places, scan
from postbus.domain.conversion import check
from postbus.domain.errors import Malformed
from postbus.domain.money import Money
from postbus.domain.posting import Account
from postbus.domain.sample import CardPayment, Mix

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def made(at: datetime = NOON, **options: Any) -> list[CardPayment]:
    mix = Mix.from_options({"seed": 7, **options}, at)
    return sample.payments(mix, random.Random(mix.seed))


def test_the_same_seed_makes_the_same_payments_and_another_seed_others() -> None:
    assert made(count=50) == made(count=50)
    assert not {one.auth for one in made(count=50)} & {one.auth for one in made(count=50, seed=8)}


def test_only_the_times_depend_on_the_start() -> None:
    later = NOON + timedelta(days=9)
    moved = [
        (one.sent_at - timedelta(days=9), one.auth, one.amount, one.token, one.stan) for one in made(later)
    ]
    assert moved == [(one.sent_at, one.auth, one.amount, one.token, one.stan) for one in made()]


def test_the_small_sample_has_something_of_everything_but_reversals() -> None:
    kinds = Counter(one.kind for one in made())
    assert sum(kinds.values()) == 20
    assert set(kinds) == {
        "ordinary",
        "foreign",
        "duplicate",
        "invalid",
        "declined",
        "held",
        "rejected",
        "warned",
    }


@given(
    st.integers(1, 120),
    st.integers(0, 2**53),
    st.fixed_dictionaries(
        {},
        optional={
            name: st.sampled_from([0, 0.05, 0.1, most])
            for name, most in {
                "duplicate_rate": 0.2,
                "foreign_rate": 0.2,
                "invalid_rate": 0.2,
                "reversal_rate": 0.1,
            }.items()
        },
    ),
)
def test_any_mix_is_whole_and_its_duplicates_and_reversals_follow_their_originals(
    count: int, seed: int, shares: dict[str, float]
) -> None:
    payments = made(count=count, **shares, seed=seed)
    assert len(payments) == count
    assert len({one.auth for one in payments}) == count
    seen: dict[str, CardPayment] = {}
    reversed_ones = {one.of for one in payments if one.kind == "reversal"}
    repeated = {one.of for one in payments if one.kind == "duplicate"}
    assert not reversed_ones & repeated
    assert len(reversed_ones) == sum(one.kind == "reversal" for one in payments)
    for one in payments:
        if one.kind in ("duplicate", "reversal"):
            original = seen[one.of or ""]
            assert original.kind in ("ordinary", "foreign")
            assert (one.amount, one.billing, one.token) == (original.amount, original.billing, original.token)
        seen[one.auth] = one
    expected = sample.expectation(payments)
    assert expected["held"] >= len(expected["duplicate_groups"]) == len(repeated)


def test_shares_are_kept_exactly() -> None:
    kinds = Counter(
        one.kind for one in made(count=200, duplicate_rate=0.25, foreign_rate=0.3, invalid_rate=0.1)
    )
    assert (kinds["duplicate"], kinds["foreign"], kinds["invalid"]) == (50, 60, 20)


def test_shares_that_fill_everything_leave_no_room_for_the_usual_rest() -> None:
    kinds = Counter(one.kind for one in made(count=100, duplicate_rate=0.5, foreign_rate=0.5))
    assert kinds == {"duplicate": 50, "foreign": 50}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 10_001}, "count"),
        ({"count": "20"}, "count"),
        ({"count": True}, "count"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"duplicate_rate": -0.1}, "duplicate_rate"),
        ({"foreign_rate": 1.1}, "foreign_rate"),
        ({"invalid_rate": "0.1"}, "invalid_rate"),
        ({"invalid_rate": float("nan")}, "invalid_rate"),
        ({"invalid_rate": 0.6, "foreign_rate": 0.6}, "foreign_rate"),
        ({"duplicate_rate": 1}, "duplicate_rate"),
        ({"reversal_rate": 0.9}, "reversal_rate"),
        ({"rate_per_second": 0}, "rate_per_second"),
        ({"rate_per_second": 2000}, "rate_per_second"),
        ({"count": 1000, "rate_per_second": 1}, "rate_per_second"),
        ({"start": "2026-01-31"}, "start"),
        ({"cards": 0}, "cards"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_option_is_named_with_what_it_may_be(options: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as fault:
        Mix.from_options(options, NOON)
    assert fault.value.field == field


@pytest.mark.parametrize("options", [[], "20", 20])
def test_options_are_an_object(options: Any) -> None:
    with pytest.raises(Malformed, match="an object of options"):
        Mix.from_options(options, NOON)


def test_a_pace_spaces_the_transmission_times() -> None:
    times = [one.sent_at for one in made(count=5, rate_per_second=2)]
    assert times == [NOON + timedelta(seconds=n / 2) for n in range(5)]


def test_test_card_numbers_are_ones_and_their_tokens_tell_nothing_of_them() -> None:
    numbers = [sample.pan(n) for n in range(500)]
    assert len(set(numbers)) == 500
    assert all(scan(number) == [number] for number in numbers)
    tokens = {sample.token_of(number) for number in numbers}
    assert len(tokens) == 500
    assert not any(scan(token) for token in tokens)


def test_every_account_is_whole_and_has_a_real_iban() -> None:
    accounts = sample.accounts(20)
    assert len({one["token"] for one in accounts}) == len({one["account_id"] for one in accounts}) == 29
    assert {one["status"] for one in accounts} == {"open", "blocked", "closed"}
    assert any(one.get("holds") for one in accounts)
    for one in accounts:
        Account.from_data(one)
        assert is_iban(one["iban"])
        assert list(places(one)) == []


def test_every_payment_but_the_rejected_ones_has_an_account_in_its_billing_currency() -> None:
    accounts = {one["token"]: one for one in sample.accounts()}
    for one in made(count=200):
        if one.kind != "rejected":
            assert accounts[one.token]["status"] == "open"
            assert accounts[one.token]["currency"] == one.billing.currency


def test_conversions_agree_with_the_rate_table() -> None:
    from postbus.functions.generate_visa.handler import record_of
    from tests.unit.domain.inbound.test_visa import read  # a record is the way to a transaction

    converted = [one for one in made(count=200) if one.rate is not None]
    assert len({one.amount.currency for one in converted}) == 4
    for one in converted:
        transaction = read(record_of(one, "eu-west-1"))
        rate = sample.RATES[f"{one.amount.currency}/{one.billing.currency}"]
        assert check(transaction, rate).deviation_basis_points == 0
        assert passes_luhn(one.card_number)


@pytest.mark.parametrize(
    ("amount", "rate", "billed"),
    [
        (Money(10000, "USD"), "0.9213", 9213),
        (Money(50, "USD"), "0.93", 46),  # 46.5, half to even
        (Money(1500, "JPY"), "0.0061", 915),
    ],
)
def test_an_amount_is_converted_exactly_and_rounded_once(amount: Money, rate: str, billed: int) -> None:
    assert sample.convert(amount, rate, "EUR") == Money(billed, "EUR")
