"""Names against a made-up list: what is a hit however it is written, and who is not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.checks import CheckRequest, Passed
from postbus.domain.iso20022.messages import Agent, Party
from postbus.domain.iso20022.sample_sanctions import SAMPLE
from postbus.domain.iso20022.screening import (
    DEFAULT_THRESHOLD,
    HIT,
    SanctionsList,
    is_listed,
    likeness,
    screen,
    words_of,
)
from postbus.domain.money import Money

LIST = SanctionsList.from_json(json.dumps(SAMPLE).encode())

HITS = [
    ("Viktor Alexandrovich Malenkov", "exact"),
    ("VIKTOR ALEXANDROVICH MALENKOV", "capitals"),
    ("Malenkov, Viktor Alexandrovich", "reordered"),
    ("Mr. Viktor Malenkov", "without the patronymic, with a title"),
    ("Victor Malenkow", "another transliteration"),
    ("V. Malenkov", "an initial"),
    ("Viktor Alexandrowitsch Malenkov", "the German way"),
    ("Viktor Malenkof", "a typing error"),
    ("Виктор Маленков", "in Cyrillic"),
    ("Маленков Виктор Александрович", "in Cyrillic, reordered"),
    ("Виктор Тестовитш Санктионов", "in Cyrillic, listed in Latin letters"),
    ("Abdul Rahman Al Qasimi Nasser", "written apart"),
    ("Abdulrahman Alqasimi Nasser", "written together"),
    ("Abdurrahman Al-Qasimi Nasser", "doubled otherwise"),
    ("Nasser Al-Qasimi Abdulrahman", "reordered"),
    ("Zoltan Orvendo Kishegyi", "without accents"),
    ("ZOLTÁN ÖRVENDŐ–KISHEGYI", "with another dash"),
    ("Örvendő-Kishegyi Zoltán", "the family name first"),
    ("Zoltán Örvendö-Kishegyi", "another accent"),
    ("Zoltan Orvendo-Kishegy", "a letter missing"),
    ("Black Meridian Shipping Co. Ltd.", "another legal form"),
    ("Black Meridian Shipping", "no legal form"),
    ("The Black Meridian Shipping Company Limited", "an article"),
    ("BLACK MERIDIEN SHIPPING", "a typing error"),
    ("Meridian Lines Black", "an alias, reordered"),
    ("Meridian Shipping", "all but a word: an operator tells"),
    ("Corvax", "a single word"),
    ("CORVAX GmbH", "a single word with a legal form"),
    ("\uff23orvax", "a full-width letter"),
    ("Vik\u00adtor Male\u200bnkov", "signs that do not show"),
    ("V i k t o r M a l e n k o v", "every letter apart"),
    ("ViktorMalenkov", "joined"),
    ("MalenkovViktor Alexandrovich", "joined in another order"),
    ("V1kt0r Ma1enk0v", "digits for letters"),
    ("Cor vax Gm bH", "a single word and its legal form, split"),
    ("Вiktor Petrov", "a word of two scripts"),
    ("李伟", "a script that cannot be read here"),
    ("محمد علي", "another one"),
    ("\u2620", "no letters at all"),
]

PASSES = [
    "Viktor Petrov",
    "Viktor Alexandrovich Morozov",
    "Alexander Malinowski",
    "Maria Malenkov",
    "Viktor",
    "Malenkov",
    "Nasser Hussein",
    "Abdul Rahman",
    "Al Nasser",
    "Abdulrahman Nasser Al-Mutairi",
    "Abdulrahman Al-Qasimi Hasan",
    "Rahman Trading",
    "Zoltan Kovacs",
    "Zoltán Nagy",
    "Black Sea Shipping Company",
    "Blackburn Meridian Ltd",
    "Black and White Lines",
    "Corvex Solutions",
    "Cormax",
    "Corsair",
    "Corax",
    "Mill Ropes",
    "Harbour Chandlers",
    "Maria Garcia Lopez",
    "Li Wei",
    "Kim",
    "Ng",
    "A",
    "Société Générale",
    "Jürgen Müller",
    "Μαρία Παπαδοπούλου",
]


@pytest.mark.parametrize(("name", "how"), HITS)
def test_a_listed_name_is_a_hit_however_it_is_written(name: str, how: str) -> None:
    assert is_listed(name, LIST, DEFAULT_THRESHOLD), how


@pytest.mark.parametrize("name", PASSES)
def test_another_name_passes(name: str) -> None:
    assert not is_listed(name, LIST, DEFAULT_THRESHOLD)


@given(st.sampled_from([name for name, _ in HITS]), st.data())
def test_what_does_not_show_and_blanks_never_lose_a_hit(name: str, data: st.DataObject) -> None:
    between = st.sampled_from(["", "", " ", "\u00ad", "\u200b", "\u2060", "\u0301", "\ufe0f"])
    written = "".join(char + data.draw(between) for char in name)
    assert is_listed(written, LIST, DEFAULT_THRESHOLD)


def test_a_country_that_the_sender_gives_tells_nobody_apart() -> None:
    for country in ("RU", "NZ", None):
        assert screen([request(creditor=Party(name="Victor Malenkow", country=country))], LIST) == [HIT]


@given(
    st.permutations(["Abdulrahman", "Al-Qasimi", "Nasser"]), st.booleans(), st.sampled_from([" ", ", ", "  "])
)
def test_order_case_and_spaces_never_hide_a_name(words: list[str], upper: bool, between: str) -> None:
    name = between.join(words)
    assert is_listed(name.upper() if upper else name, LIST, DEFAULT_THRESHOLD)


@given(st.lists(st.text(max_size=12), max_size=6), st.lists(st.text(max_size=12), max_size=6))
def test_likeness_is_the_same_from_both_sides_and_within_its_scale(one: list[str], other: list[str]) -> None:
    first, second = words_of(" ".join(one)), words_of(" ".join(other))
    assert 0 <= likeness(first, second) <= 100
    assert likeness(first, first) == (100 if first else 0)
    assert (likeness(first, second) == 100) == (likeness(second, first) == 100)


@given(st.text(max_size=140))
def test_no_name_breaks_the_screening(name: str) -> None:
    is_listed(name, LIST, DEFAULT_THRESHOLD)


def request(**parties: Party | Agent) -> CheckRequest:
    plain = {
        "debtor": Party(name="Harbour Chandlers"),
        "creditor": Party(name="Mill Ropes"),
        "debtor_agent": Agent(bic="HARBDEFF"),
        "creditor_agent": Agent(bic="MILLNL2A"),
    }
    return CheckRequest(transaction_id="t", number=1, amount=Money(1, "EUR"), **{**plain, **parties})  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ["debtor", "creditor", "ultimate_debtor", "ultimate_creditor"])
def test_every_party_is_screened(role: str) -> None:
    assert screen([request(**{role: Party(name="Malenkov Viktor")})], LIST) == [HIT]


@pytest.mark.parametrize("role", ["debtor_agent", "creditor_agent"])
def test_agents_are_screened_by_bic_and_by_name(role: str) -> None:
    assert screen([request(**{role: Agent(bic="BLMRKYK1XXX")})], LIST) == [HIT]
    assert screen([request(**{role: Agent(name="Black Meridian Lines")})], LIST) == [HIT]


@pytest.mark.parametrize(
    "one",
    [Party(name="Corvax"), Party(bic="BLMRKYK1"), Party(lei="00000000000000BLMR09"), Agent(name="Corvax"),
     Agent(bic="BLMRKYK1"), Agent(lei="00000000000000BLMR09")],
)  # fmt: skip
def test_whoever_else_is_named_is_screened_by_name_bic_and_lei(one: Party | Agent) -> None:
    role = "further_parties" if isinstance(one, Party) else "further_agents"
    asked = CheckRequest.from_data(json.loads(json.dumps(request(**{role: (one,)}).to_data())))  # type: ignore[arg-type]
    assert screen([asked], LIST) == [HIT]


def test_a_hit_says_neither_who_nor_what() -> None:
    assert (HIT.reason.code, HIT.reason.additional) == ("RR04", ())
    assert screen([request(), request(debtor=Party(name="Corvax")), request()], LIST) == [
        Passed(),
        HIT,
        Passed(),
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"entries": []}', b'{"entries": ["x"]}', b'{"entries": [{"names": "x"}]}',
     b'{"entries": [{"names": ["--"]}]}', b'{"entries": [{"names": [1]}]}'],
)  # fmt: skip
def test_a_list_that_cannot_be_read_passes_nobody(body: bytes) -> None:
    with pytest.raises(Malformed):
        SanctionsList.from_json(body)


def test_the_cases_are_there() -> None:
    assert HITS
    assert PASSES
