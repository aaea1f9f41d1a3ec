"""Card numbers where none may be: find them, and mask them before anything is stored or said.

A card number is 13 to 19 digits that pass the Luhn check: one run, or groups with up to three characters
between them that are neither letters nor digits.  Runs longer than that are searched for one, with an expiry
date or a code behind it.  Not every run in every grouping is looked at: parts of longer ones, and groups of
odd lengths, count only with the first digits that card issuers have, and the identifiers and times of
``_NOT_CARDS`` not at all; else one number in ten would pass the check by chance.

Where no long number of any kind belongs, ``long_numbers`` finds them without any check.

Source: ISO/IEC 7812-1 (length, Luhn check digit); ISO 13616 (IBAN check digits).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_FEWEST, _MOST = 13, 19
_GROUPED = re.compile(r"\d+(?:[\W_]{1,3}\d+)*")
_RUN = re.compile(r"\d+")
_ISSUER = re.compile(r"[3-6]|2(?:2(?:2[1-9]|[3-9])|[3-6]|7(?:[01]|20))")
# As on cards: 4-4-4-4 and longer, 4-6-5, 4-6-4.
_ON_CARDS = re.compile(r"4(?: 4){2}(?: [1-4]){1,2}|4 6 [45]")
# Longer than this, a run is not searched: it holds something that passes the check in all likelihood.
_MOST_SEARCHED = 40

# Seconds, not minutes, whatever the text: this many characters are searched number by number, so often.
_MOST_READ = 50_000
_MOST_LOOKS = 8

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_NOT_CARDS = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"  # UUID, UETR
    r"|(?=[0-9]*[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{24})"  # digests, trace ids
    r"|20[0-9]{2}-[01][0-9]-[0-3][0-9](?:[T ][0-2][0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-][0-2][0-9]:[0-5][0-9])?)?"  # RFC 3339
    rf"|{_IBAN.pattern}"
    r")(?![0-9A-Za-z])"
)
# As on the stripe: number, separator, expiry as YYMM; a digest that happens to begin so is one in millions.
_TRACK_2 = re.compile(r"([3-6][0-9]{12,18})[dD][0-9]{2}(?:0[1-9]|1[0-2])")


def scan(text: str) -> list[str]:
    """Every card number in ``text``, as it is written there; of a run too long for one, the whole run."""
    return [text[start:end] for start, end in _spans(text)]


def long_numbers(text: str) -> list[str]:
    """Every number of 13 or more digits, however they are separated, whatever their check digit."""
    return [text[start:end] for start, end in _long_spans(text)]


def mask(text: str) -> str:
    """``text`` with each card number's digits replaced by ``*``, but for the last four.

    Of a run too long for a card number none is left: its last four may be a code or a date.  Of a text longer
    than anything that is meant to be read, no long number is left: to search it well would take too long.
    """
    if len(text) > _MOST_READ:
        return without_long_numbers(text)
    for _ in range(_MOST_LOOKS):  # again: what is left of one may have been part of another
        found = list(_spans(text))
        if not found:
            return text
        text = _starred(text, ((start, _hidden_until(text, start, end)) for start, end in found))
    return without_long_numbers(text)


def without_long_numbers(text: str) -> str:
    """``text`` with every digit of its ``long_numbers`` replaced by ``*``."""
    return _starred(text, _long_spans(text))


def places(value: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of the places in a JSON value that hold a card number, in a key or in a value."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            inner = f"{path}.{mask(str(name))}" if path else mask(str(name))
            if scan(str(name)):
                yield inner
            yield from places(member, inner)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, member in enumerate(value):
            yield from places(member, f"{path}[{index}]")
    elif isinstance(value, (str, int)) and not isinstance(value, bool) and scan(str(value)):
        yield path


def masked(value: Any) -> Any:
    """A JSON value with every card number in it masked, in keys as well; a masked number becomes text."""
    if isinstance(value, Mapping):
        safe: dict[str, Any] = {}
        for name, member in value.items():
            key = mask(str(name))
            while key in safe:  # two keys that differ in their masked digits only
                key += "'"
            safe[key] = masked(member)
        return safe
    if isinstance(value, (list, tuple)):
        return [masked(member) for member in value]
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, int) and not isinstance(value, bool) and scan(str(value)):
        return mask(str(value))
    return value


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of those before it (decimal digits of any script)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the whole text, spaces aside, is an IBAN with right check digits."""
    compact = text.replace(" ", "")
    if not _IBAN.fullmatch(compact):
        return False
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def _spans(text: str) -> Iterator[tuple[int, int]]:
    if _has_few_digits(text) or is_iban(text):
        return
    for chain in _GROUPED.finditer(_without_identifiers(text)):
        if sum(map(str.isdecimal, chain.group())) >= _FEWEST:
            yield from _in_groups([found.span() for found in _RUN.finditer(text, *chain.span())], text)


def _in_groups(groups: list[tuple[int, int]], text: str) -> Iterator[tuple[int, int]]:
    """The card numbers in groups of digits that stand together; of those that begin alike, the longest."""
    first = 0
    while first < len(groups):
        found = 0
        digits = ""
        for count, (start, end) in enumerate(groups[first : first + _MOST + 1], start=1):
            digits += text[start:end]
            if len(digits) > _MOST:
                if count == 1 and _holds_one(digits):
                    found = 1
                break
            if len(digits) < _FEWEST:
                continue
            likely = count == 1 or _ISSUER.match(digits) or _as_on_cards(groups[first : first + count])
            if likely and passes_luhn(digits):
                found = count
        if found:
            yield groups[first][0], groups[first + found - 1][1]
        first += found or 1


def _as_on_cards(groups: list[tuple[int, int]]) -> bool:
    return _ON_CARDS.fullmatch(" ".join(str(end - start) for start, end in groups)) is not None


def _holds_one(run: str) -> bool:
    """Whether some part of a run too long for a card number could be one."""
    return len(run) > _MOST_SEARCHED or any(
        _ISSUER.match(run, start) and passes_luhn(run[start : start + length])
        for start in range(len(run) - _FEWEST + 1)
        for length in range(_FEWEST, min(_MOST, len(run) - start) + 1)
    )


def _long_spans(text: str) -> Iterator[tuple[int, int]]:
    if _has_few_digits(text):
        return
    for chain in _GROUPED.finditer(_without_identifiers(text)):
        if sum(map(str.isdecimal, chain.group())) >= _FEWEST:
            yield chain.span()


def _has_few_digits(text: str) -> bool:
    """Whether the text holds no long number for sure: most fields do not, and are not searched further."""
    return len(text) < _FEWEST or sum(map(str.isdecimal, text)) < _FEWEST


def _without_identifiers(text: str) -> str:
    """The text, equally long, with identifiers that are no card numbers overwritten by letters."""

    def blank(found: re.Match[str]) -> str:
        word = found.group()
        is_plain_word_of_iban_form = _IBAN.fullmatch(word) and not is_iban(word)
        track = _TRACK_2.match(word)
        is_track = track is not None and passes_luhn(track[1])
        return word if is_plain_word_of_iban_form or is_track else "x" * len(word)

    return _NOT_CARDS.sub(blank, text)


def _hidden_until(text: str, start: int, end: int) -> int:
    digits = [position for position in range(start, end) if text[position].isdecimal()]
    return digits[-4] if len(digits) <= _MOST else end


def _starred(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces, done = [], 0
    for start, end in spans:
        pieces += [text[done:start], re.sub(r"\d", "*", text[start:end])]
        done = end
    return "".join([*pieces, text[done:]])
