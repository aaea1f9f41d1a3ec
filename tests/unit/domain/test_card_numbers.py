"""Card numbers are found and masked wherever they hide, and nothing else is taken for one."""

import json
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.card_numbers import is_iban, mask, masked, passes_luhn, places, scan


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
    ],
)
def test_a_card_number_is_found_however_it_is_written(written: str) -> None:
    assert len(scan(written)) == 1
    assert scan(mask(written)) == []


@pytest.mark.parametrize("length", [12, 20])
def test_shorter_and_longer_runs_are_something_else(length: int) -> None:
    assert scan(complete("4" * (length - 1))) == []


@given(st.text(string.digits, min_size=20, max_size=40))
def test_no_part_of_a_longer_run_is_taken_for_a_card_number(digits: str) -> None:
    assert scan(digits) == []


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
