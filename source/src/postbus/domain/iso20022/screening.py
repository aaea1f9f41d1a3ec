"""Names against a sanctions list, so that a hit is found however it is written and most people are not one.

A name is compared as its words in Latin letters, without accents, case, signs, titles and legal forms, and in
any order.  Two names are alike by the worse of two views: of all their words together
(``fuzz.token_sort_ratio``), and word by word, each word of the shorter name with its best partner in the
other one.  The second view keeps a shared family name from making two people one; ``token_set_ratio`` alone
would call every "Maria" a hit on "Maria Orlova".  A name of one word is a hit on a name of one word only, and
only if it is very like it, for short words are like many others.

What is known of both beside their names may tell them apart, never the contrary: a country that both have
and that differs asks for a closer likeness.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.checks import CheckAnswer, CheckRequest, NeedsDecision, Passed
from postbus.domain.iso20022.messages import Agent, Party, Reason
from postbus.domain.iso20022.status import REGULATORY
from postbus.domain.iso20022.transliteration import latin

# Nothing is said of whom, by which name or how closely: not to the client, not in a log.
HIT = NeedsDecision(Reason(REGULATORY))

DEFAULT_THRESHOLD = 85
# More than this is asked of names of one word, and of those whose country differs.
_CLOSE = 96

# Less than this by the most generous view is no likeness at all.
_FAR = 50

# Written with a name, but no part of it.
_NO_NAMES = frozenset(
    {
        *("mr", "mrs", "ms", "miss", "dr", "prof", "sir", "the", "and", "und", "et", "of"),
        *("ltd", "limited", "llc", "llp", "inc", "corp", "corporation", "co", "company", "plc"),
        *("gmbh", "ag", "kg", "sa", "sas", "sarl", "srl", "spa", "bv", "nv", "oy", "ab", "as", "aps"),
        *("sro", "zoo", "ooo", "oao", "zao", "pjsc", "jsc"),
    }
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A name of the list, and what is known beside it.

    Attributes:
        words: as ``words_of``.
        countries: ISO 3166-1 alpha-2; empty where none is known.
        text: the words with blanks between them.
    """

    words: tuple[str, ...]
    countries: frozenset[str] = frozenset()
    text: str = ""


@dataclass(frozen=True, slots=True)
class SanctionsList:
    """The list in force, each alias a name of its own.

    Attributes:
        bics: of institutions that are on it, their first eight characters.
    """

    names: tuple[Listed, ...]
    bics: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, body: bytes) -> "SanctionsList":
        """Read ``{"entries": [{"names": [...], "countries": [...], "bics": [...]}]}``.

        Raises:
            Malformed: not that, or without a single name; a list that cannot be read passes nobody.
        """
        try:
            data = json.loads(body)
        except ValueError:
            raise Malformed("sanctions list", "JSON") from None
        entries = data.get("entries") if isinstance(data, Mapping) else None
        if not isinstance(entries, list):
            raise Malformed("sanctions list", "an object with entries")
        names: list[Listed] = []
        bics: set[str] = set()
        for number, entry in enumerate(entries):
            names += _listed(entry, number)
            bics.update(bic[:8] for bic in _texts(entry, "bics", number))
        if not names:
            raise Malformed("sanctions list", "at least one name")
        return cls(tuple(dict.fromkeys(names)), frozenset(bics))


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in Latin letters, without accents, case, signs, titles and legal forms."""
    plain = unicodedata.normalize("NFKD", latin(unicodedata.normalize("NFKC", name).casefold()))
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    # Dots and apostrophes stand inside a word, every other sign between two.
    joined = letters.replace(".", "").replace("'", "").replace("\u2019", "").replace("\u02bc", "")
    every = "".join(char if char.isalnum() else " " for char in joined).split()
    kept = tuple(word for word in every if word not in _NO_NAMES)
    return kept or tuple(every)


def screen(
    requests: Sequence[CheckRequest], listed: SanctionsList, threshold: int = DEFAULT_THRESHOLD
) -> list[CheckAnswer]:
    """One answer for each transfer: passed, or to be decided.

    Args:
        threshold: from 1 to 100; from which likeness on two names are held for one.
    """
    # Of a thousand transfers most have one debtor.
    known: dict[tuple[str, str | None], bool] = {}

    def is_hit(name: str, country: str | None) -> bool:
        if (name, country) not in known:
            known[name, country] = is_listed(name, country, listed, threshold)
        return known[name, country]

    return [HIT if _is_hit(request, listed, is_hit) else Passed() for request in requests]


def is_listed(name: str, country: str | None, listed: SanctionsList, threshold: int) -> bool:
    """Whether a name is, or may be, one of the list."""
    words = words_of(name)
    text = " ".join(words)
    return any(
        likeness(words, one.words) >= _needed(words, one, country, threshold)
        for one in listed.names
        # Far from alike whatever the order, and told so in a fraction of the time.
        if fuzz.token_set_ratio(text, one.text, score_cutoff=_FAR)
    )


def likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """How alike two names are, from 0 to 100, in whatever order their words stand."""
    if not one or not other:
        return 0.0
    if "".join(one) == "".join(other):
        return 100.0
    shorter, longer = sorted((tuple(one), tuple(other)), key=len)
    if _is_single(shorter) and len(longer) > 1:
        # A single word is too little to know somebody by, unless it is all of the other's, written apart.
        return fuzz.ratio("".join(shorter), "".join(longer))
    together = fuzz.token_sort_ratio(" ".join(one), " ".join(other))
    if len(longer) == len(shorter):
        return min(together, _word_by_word(shorter, longer)) if len(shorter) > 1 else together
    # One has a middle name that the other leaves out.
    return _word_by_word(shorter, longer)


def _is_single(words: Sequence[str]) -> bool:
    """Whether there is one word at most to know somebody by: articles such as "al" are none."""
    return sum(len(word) != 2 for word in words) < 2


def _word_by_word(shorter: Sequence[str], longer: Sequence[str]) -> float:
    """The likeness of each word with its best partner, by their lengths; each partner once."""
    left = list(longer)
    total, letters, worst = 0.0, 0, 100.0
    for word in sorted(shorter, key=len, reverse=True):
        best = max(left, key=lambda other: fuzz.ratio(word, other))
        left.remove(best)
        alike = fuzz.ratio(word, best)
        if len(word) == 1 and best.startswith(word):
            alike = 90.0  # an initial
        total += alike * len(word)
        letters += len(word)
        worst = min(worst, alike)
    # Where one word is another word altogether it is another person, however alike the rest.
    return total / letters if worst >= _SAME_WORD else min(worst, total / letters)


_SAME_WORD = 70


def _needed(words: Sequence[str], one: Listed, country: str | None, threshold: int) -> int:
    single = _is_single(words) or _is_single(one.words)
    elsewhere = country is not None and bool(one.countries) and country not in one.countries
    return max(threshold, _CLOSE) if single or elsewhere else threshold


def _is_hit(request: CheckRequest, listed: SanctionsList, is_hit: Any) -> bool:
    if any(agent.bic is not None and agent.bic[:8] in listed.bics for agent in _agents(request)):
        return True
    return any(is_hit(name, country) for name, country in _names(request))


def _names(request: CheckRequest) -> Iterator[tuple[str, str | None]]:
    parties: Iterable[Party | Agent | None] = (
        request.debtor,
        request.creditor,
        request.ultimate_debtor,
        request.ultimate_creditor,
        *_agents(request),
    )
    for one in parties:
        if one is not None and one.name:
            yield one.name, one.country


def _agents(request: CheckRequest) -> tuple[Agent, Agent]:
    return request.debtor_agent, request.creditor_agent


def _listed(entry: Any, number: int) -> Iterator[Listed]:
    countries = frozenset(_texts(entry, "countries", number))
    for name in _texts(entry, "names", number):
        words = words_of(name)
        if not words:
            raise Malformed(f"sanctions list: entries[{number}].names", "names with letters")
        yield Listed(words, countries, " ".join(words))


def _texts(entry: Any, name: str, number: int) -> list[str]:
    values = entry.get(name, []) if isinstance(entry, Mapping) else None
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise Malformed(f"sanctions list: entries[{number}].{name}", "a list of texts")
    return values
