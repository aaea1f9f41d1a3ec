"""Card numbers are found and masked wherever they hide, and nothing else is taken for one."""

import json
import re
import string
import time
import uuid
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.card_numbers import (
    is_iban,
    long_numbers,
    mask,
    masked,
    passes_luhn,
    places,
    scan,
    without_long_numbers,
)


def complete(digits: str) -> str:
    """The digits and their Luhn check digit."""
    return next(digits + check for check in string.digits if passes_luhn(digits + check))


# Made here, so that no card number stands in the repository.
VISA = complete("4" + "1" * 14)
AMEX = complete("37" + "8" * 12)
DINERS = complete("3" + "0" * 11 + "9")

card_numbers = (
    st.integers(12, 18).flatmap(lambda n: st.text(string.digits, min_size=n, max_size=n)).map(complete)
)
# Neither digits, nor what could join the number's digits to others.
around = st.text(st.characters(exclude_categories=("Nd", "Cs", "Pd", "Zs"), exclude_characters="."))


@given(around, card_numbers, around)
def test_a_card_number_is_found_in_any_text(before: str, number: str, after: str) -> None:
    assert scan(f"{before}|{number}|{after}") == [number]


@given(around, card_numbers, around)
def test_a_masked_text_has_no_card_number_and_keeps_all_else(before: str, number: str, after: str) -> None:
    text = f"{before}|{number}|{after}"
    assert scan(mask(text)) == []
    assert mask(text) == f"{before}|{'*' * (len(number) - 4)}{number[-4:]}|{after}"
    assert mask(mask(text)) == mask(text)


@given(st.text(string.digits, min_size=13, max_size=19))
def test_digits_that_fail_the_check_are_no_card_number(digits: str) -> None:
    assert bool(scan(digits)) == passes_luhn(digits)


@pytest.mark.parametrize(
    "written",
    [
        f"{VISA[:4]} {VISA[4:8]} {VISA[8:12]} {VISA[12:]}",
        f"{VISA[:4]}-{VISA[4:8]}-{VISA[8:12]}-{VISA[12:]}",
        f"{VISA[:4]}\u00a0{VISA[4:8]}\u00a0{VISA[8:12]}\u00a0{VISA[12:]}",
        f"{VISA[:4]}\u2013{VISA[4:8]}\u2013{VISA[8:12]}\u2013{VISA[12:]}",
        f"{AMEX[:4]} {AMEX[4:10]} {AMEX[10:]}",
        f"{DINERS[:4]} {DINERS[4:10]} {DINERS[10:]}",
        VISA.translate({ord(digit): chr(0xFF10 + int(digit)) for digit in string.digits}),
        f"PAN{VISA}",
        f"{VISA}D2801101",
        f'{{"pan":"{VISA}"}}',
        "_".join(VISA[at : at + 4] for at in range(0, 16, 4)),
        f"{VISA[:6]}-{VISA[6:]}",
        f"{VISA[:8]} {VISA[8:]}",
        "--".join(VISA[at : at + 4] for at in range(0, 16, 4)),
        *(
            separator.join(VISA[at : at + 4] for at in range(0, 16, 4))
            for separator in ("/", ",", ", ", ".", "\t", "\n", ":", " - ", "\u200b", "\u2060", "\u202f")
        ),
        ".".join(VISA[at : at + 2] for at in range(0, 16, 2)),
        f"{VISA} 12/28 123",
        f"{VISA}1228123",
        f"{VISA}|1228|123",
        f";{VISA}=2512201000000000?",
        f"{VISA}d2512201",
        f"{VISA}d251220100000000",
    ],
)
def test_a_card_number_is_found_however_it_is_written(written: str) -> None:
    assert len(scan(written)) == 1
    assert scan(mask(written)) == []


def test_a_shorter_run_is_something_else() -> None:
    assert scan(complete("4" * 11)) == []


@given(st.text(string.digits, max_size=30), st.text(string.digits, max_size=30))
def test_a_card_number_inside_a_longer_run_leaves_nothing_of_that_run(before: str, after: str) -> None:
    run = f"{before}{VISA}{after}"
    if len(run) > 19:
        assert scan(run) == [run]
        assert mask(run) == "*" * len(run)


def test_a_longer_run_without_a_card_number_is_something_else() -> None:
    assert scan("1" * 40) == scan("0" * 24) == []


@pytest.mark.parametrize("text", [VISA, "3" * 40_000, "4 1" * 9_000, "3" * 19 + " 3" * 9_000])
def test_a_text_of_any_length_is_searched_in_time(text: str) -> None:
    assert scan(mask(text * 2)) == []


@given(st.text("345 -*x", max_size=60))
def test_what_is_left_of_a_masked_text_makes_no_other_card_number(text: str) -> None:
    assert scan(mask(text)) == []


def test_the_check_digit_is_luhns() -> None:
    # The usual example, worked by hand: 7 9 9 2 7 3 9 8 7 1, check digit 3.
    assert [digit for digit in string.digits if passes_luhn(f"7992739871{digit}")] == ["3"]


def iban(country: str, account: str) -> str:
    letters = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(letters) % 97:02d}{account}"


def test_an_iban_is_no_card_number_though_its_digits_pass_the_check() -> None:
    # A French account number of digits only, so chosen that the 19 digits before the letter pass.
    ibans = [iban("FR", f"{number:017d}M0260") for number in range(200)]
    tricky = next(one for one in ibans if passes_luhn(one[2:21]))
    assert is_iban(tricky)
    assert scan(tricky) == []
    assert scan(f'{{"iban": "{tricky}"}}') == []
    in_groups = [" ".join(one[at : at + 4] for at in range(0, len(one), 4)) for one in ibans]
    assert any(passes_luhn(one[4:21]) for one in ibans)
    assert [scan(one) for one in in_groups] == [[]] * len(ibans)
    broken = tricky[:-1] + ("1" if tricky[-1] == "0" else "0")
    assert not is_iban(broken)
    assert scan(broken) == [tricky[2:21]]


@given(st.uuids())
def test_a_uuid_is_no_card_number(identifier: uuid.UUID) -> None:
    assert scan(str(identifier)) == []


def test_identifiers_whose_digits_pass_the_check_are_no_card_numbers() -> None:
    assert scan(f"12345678-{VISA[:4]}-{VISA[4:8]}-{VISA[8:12]}-{VISA[12:]}abcdabcd") == []  # a UUID
    assert scan(f"{VISA}abcdefabcdefabcd") == []  # a digest of 32 hexadecimal digits
    assert scan(f"{VISA}abcdefabcdefabc") == [VISA]  # 31 of them are no digest


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T09:30:00.123456Z to 2026-01-31T10:30:00+01:00",
        "2026-01-31 09:30:00",
        "603109000123",
        "visa-A7K2M9QX4T, 12.30 EUR, 5411",
    ],
)
def test_times_and_references_are_no_long_numbers(text: str) -> None:
    assert scan(text) == long_numbers(text) == []
    assert without_long_numbers(text) == text


@given(st.uuids(version=5), st.binary(min_size=16, max_size=16), st.datetimes())
def test_what_we_call_things_is_no_long_number(identifier: uuid.UUID, digest: bytes, at: datetime) -> None:
    text = f"{identifier} of 2026{at.isoformat()[4:]}Z"
    assert scan(text) == long_numbers(text) == []
    if not digest.hex().isdecimal() and not scan(digest.hex().partition("d")[0]):
        assert scan(digest.hex()) == []


@pytest.mark.parametrize("written", ["1234567890123", "1234-5678_9012 3", "12/34.56,78--90 - 12|3"])
def test_a_long_number_is_found_however_it_is_separated_and_whatever_its_check_digit(written: str) -> None:
    assert long_numbers(f"ref {written} end") == [written]
    assert without_long_numbers(f"ref {written} end") == f"ref {re.sub('[0-9]', '*', written)} end"
    assert long_numbers(written[:-1]) == []


def test_every_place_in_a_record_is_named_and_masked() -> None:
    record = {
        "text": f"card {VISA}",
        "number": int(VISA),
        "truth": True,
        "nested": {"list": ["fine", AMEX]},
        f"key-{DINERS}": "fine",
        "amount": "1230",
    }
    hidden = "*" * (len(DINERS) - 4) + DINERS[-4:]
    assert sorted(places(record)) == sorted(["text", "number", "nested.list[1]", f"key-{hidden}"])
    safe = masked(record)
    assert list(places(safe)) == []
    assert scan(json.dumps(safe)) == []
    assert safe["amount"] == "1230"
    assert safe["truth"] is True
    assert safe["number"] == "*" * 12 + VISA[-4:]


def test_keys_that_look_alike_once_masked_are_both_kept() -> None:
    alike = (f"4{number:011d}{VISA[-4:]}" for number in range(999))
    twin = next(digits for digits in alike if passes_luhn(digits) and digits != VISA)
    assert len(masked({VISA: 1, twin: 2})) == 2


@pytest.mark.parametrize("text", ["3 " * 195_000, "4 1" * 100_000], ids=["threes", "pairs"])
def test_of_a_text_too_long_to_be_searched_well_no_long_number_is_left(text: str) -> None:
    began = time.process_time()
    assert long_numbers(mask(f"{text} {VISA}")) == []
    assert time.process_time() - began < 1
