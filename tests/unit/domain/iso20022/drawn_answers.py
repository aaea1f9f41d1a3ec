"""Answers of every kind, for Hypothesis: odd texts, the longest that fit and longer, all amounts."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from postbus.domain.iso20022.answers import Kind, message_id
from postbus.domain.iso20022.messages import (
    AccountIdentification,
    Agent,
    Answer,
    MessageType,
    Original,
    Reason,
    Standing,
    Status,
)
from postbus.domain.money import Money

# Surrogates and controls included: whatever a text can be in memory.
texts = st.text(st.characters(exclude_categories=()), max_size=40)
names = st.text(st.characters(categories=("Lu", "Nd")), min_size=1, max_size=35)
uetrs = st.uuids(version=4).map(str)
transaction_ids = uetrs
money = st.builds(
    Money,
    st.one_of(st.integers(0, 10**18 - 1), st.integers(0, 1200)),
    st.sampled_from(["EUR", "JPY", "KWD", "CLF", "USD"]),
)
dates = st.one_of(st.dates().map(str), st.sampled_from(["2026-02-30", "0000-01-01", "", "20261121"]))
moments = st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC))
created = st.one_of(
    st.datetimes().map(datetime.isoformat),
    st.sampled_from(
        [
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:00:00+14:00",
            "2026-02-30T10:00:00",
            "2026-11-21",
            "",
            "2026-11-21T10:00:60Z",
        ]
    ),
)
sums = st.one_of(
    st.decimals(0, 10**12, places=2).map(str),
    st.sampled_from(["1" * 18, "1" * 19, "0." + "1" * 17, "1.", "1e5", "-1", "", "12345678901234567.89"]),
)
agents = st.builds(
    Agent,
    bic=st.sampled_from([None, "DEUTDEFF", "DEUTDEFF500", "deutdeff", "DEUTDEFFX"]),
    lei=st.sampled_from([None, "529900T8BM49AURSDO55", "5299"]),
    clearing_system=st.none() | st.sampled_from(["USABA", "A system of its own", ""]),
    clearing_member=st.none() | texts,
    name=st.none() | texts,
    country=st.sampled_from([None, "DE", "deu"]),
)
reasons = st.lists(
    st.builds(
        Reason,
        st.sampled_from(["AM04", "AC04", "RR04", "MS03", "A REASON OF OUR OWN"]),
        st.lists(st.text(st.characters(exclude_categories=()), max_size=260), max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)
accounts = st.builds(
    AccountIdentification,
    iban=st.sampled_from([None, "DE89370400440532013000", "NL91ABNA0417164300", "no IBAN"]),
    other=st.none() | texts,
)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def standing(number: int) -> st.SearchStrategy[Standing]:
    return st.builds(
        Standing,
        number=st.just(number),
        status=st.sampled_from(sorted(set(Status) - {Status.PART})),
        amount=optional(money),
        end_to_end_id=optional(texts),
        instruction_id=optional(texts),
        transaction_id=optional(texts),
        payment_information_id=optional(st.sampled_from(["PMT-1", "PMT-2", "", "P" * 40])),
        uetr=optional(uetrs | texts),
        instructing_agent=optional(agents),
        instructed_agent=optional(agents),
        requested_date=optional(dates),
        reasons=reasons,
        settled_at=optional(moments),
    )


def answers(message_type: str) -> st.SearchStrategy[Answer]:
    """Answers to messages of a type, with none to four transfers."""
    original = st.builds(
        Original,
        message_id=texts,
        message_type=st.just(MessageType.of(message_type)),
        created_at=optional(created),
        number_of_transactions=optional(st.sampled_from(["1", "000000000000001", "1" * 16, "one"])),
        control_sum=optional(sums),
    )
    return st.builds(
        Answer,
        message_id=st.builds(message_id, transaction_ids, st.sampled_from(Kind)),
        created_at=moments,
        original=original,
        status=st.sampled_from(Status),
        reasons=reasons,
        standings=st.integers(0, 4).flatmap(
            lambda count: st.tuples(*(standing(number) for number in range(1, count + 1)))
        ),
        sender=optional(agents),
        receiver=optional(agents),
    )
