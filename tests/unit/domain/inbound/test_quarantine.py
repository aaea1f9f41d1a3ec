"""Whatever is parked fits into a message, and nothing in it could be a card number."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.adapters.dynamodb_items import plain
from postbus.domain.card_numbers import long_numbers
from postbus.domain.errors import Malformed
from postbus.domain.inbound.quarantine import MOST_BYTES, parked, reason
from postbus.domain.sample import pan

KNOWN = ("auth", "note")


def size(body: Any) -> int:
    return len(json.dumps(body).encode())


def large(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Short texts, and what becomes of them repeated to the size of an item."""
    return st.builds(lambda text, times: text * times, alphabet, st.sampled_from([1, 1, 100, 20_000]))


texts = large(st.text(max_size=5))
values = st.recursive(
    st.one_of(st.builds(lambda text: {"S": text}, texts), st.builds(lambda text: {"B": text}, texts)),
    lambda inner: st.one_of(
        st.builds(lambda members: {"L": members}, st.lists(inner, max_size=2)),
        st.builds(lambda members: {"M": members}, st.dictionaries(texts, inner, max_size=2)),
    ),
    max_leaves=4,
)
items = st.builds(
    lambda item, name, times: {**item, **{f"{name}{number}": {"S": "x"} for number in range(times)}},
    st.dictionaries(st.one_of(st.sampled_from(KNOWN), texts), values, max_size=4),
    st.text(max_size=60),
    st.sampled_from([0, 0, 5_000]),
)


@given(texts, items, items, texts, texts)
def test_whatever_is_parked_fits_into_a_message(
    event_id: str, key: dict[str, Any], image: dict[str, Any], field: str, expected: str
) -> None:
    fault = Malformed(field, expected)
    assert size(parked("visa", event_id, key, image, fault, KNOWN)) <= MOST_BYTES
    assert len(reason(fault)) <= 1000


def test_a_field_inside_others_of_long_names_fits_as_well() -> None:
    inner: dict[str, Any] = {"B": "x"}
    for _ in range(30):
        inner = {"M": {"\U0001f600" * 3_000: inner}}
    with pytest.raises(Malformed) as fault:
        plain({"note": inner})
    assert size(parked("visa", "1", {}, {"note": inner}, fault.value, KNOWN)) < 10_000


def test_of_a_field_nobody_knows_name_type_and_length_are_kept_and_never_the_value() -> None:
    image = {
        "auth": {"S": "A1"},
        "pin": {"S": "secret"},
        "note": {"M": {"pin": {"S": "secret"}}},
        "data": {"B": "secret"},
    }
    body = parked("visa", "1", {"auth": {"S": "A1"}}, image, Malformed("pin", "no such field"), KNOWN)
    assert body["record"] == {
        "auth": {"S": "A1"},
        "pin": {"type": "S", "length": 6},
        "note": {"type": "M", "length": 1},
        "data": {"type": "B", "length": 6},
    }
    assert "secret" not in json.dumps(body)


def test_no_long_number_is_parked_however_it_is_separated_and_wherever_it_stands() -> None:
    number = "_".join(pan(7)[at : at + 3] for at in range(0, 16, 3))
    image = {"auth": {"S": f"A {number}"}, "note": {"N": pan(7)[:15]}, f"x{number}": {"S": number}}
    body = parked("visa", number, {"auth": image["auth"]}, image, Malformed(number, number), KNOWN)
    told = json.dumps(body)
    assert long_numbers(told) == []
    assert pan(7)[-4:] not in told
    assert long_numbers(reason(Malformed(number, number))) == []
