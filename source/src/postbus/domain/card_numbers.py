"""Card numbers where none may be: find them, and mask them before anything is stored or said.

A card number is 13 to 19 digits that pass the Luhn check, written in one run or grouped as on a card.
Longer runs of digits are something else; so are the identifiers named in ``_NOT_CARDS``, in which one run of
digits in some hundreds would pass the check by chance.

Source: ISO/IEC 7812-1 (length, Luhn check digit); ISO 13616 (IBAN check digits).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SEPARATOR = r"[ .\u00a0\u2010-\u2015-]"
_CANDIDATE = re.compile(
    r"(?<!\d)(?:"
    r"\d{13,19}"
    rf"|\d{{4}}(?:{_SEPARATOR}\d{{4}}){{2}}{_SEPARATOR}\d{{1,4}}(?:{_SEPARATOR}\d{{1,3}})?"  # 4-4-4-4(-3)
    rf"|\d{{4}}{_SEPARATOR}\d{{6}}{_SEPARATOR}\d{{4,5}}"  # 4-6-5, 4-6-4
    r")(?!\d)"
)

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_NOT_CARDS = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"  # UUID, UETR
    r"|(?=[0-9]*[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{24})"  # digests, trace ids
    rf"|{_IBAN.pattern}"
    r")(?![0-9A-Za-z])"
)


def scan(text: str) -> list[str]:
    """Every card number in ``text``, as it is written there."""
    return [text[start:end] for start, end in _spans(text)]


def mask(text: str) -> str:
    """``text`` with each card number's digits replaced by ``*``, but for the last four."""
    pieces, done = [], 0
    for start, end in _spans(text):
        hidden = _last_four_digits_from(text, start, end)
        pieces += [text[done:start], re.sub(r"\d", "*", text[start:hidden]), text[hidden:end]]
        done = end
    return "".join([*pieces, text[done:]])


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
    if is_iban(text):
        return
    for found in _CANDIDATE.finditer(_without_identifiers(text)):
        if passes_luhn("".join(re.findall(r"\d", found.group()))):
            yield found.span()


def _without_identifiers(text: str) -> str:
    """The text, equally long, with identifiers that are no card numbers blanked out."""

    def blank(found: re.Match[str]) -> str:
        word = found.group()
        is_plain_word_of_iban_form = _IBAN.fullmatch(word) and not is_iban(word)
        return word if is_plain_word_of_iban_form else "\x00" * len(word)

    return _NOT_CARDS.sub(blank, text)


def _last_four_digits_from(text: str, start: int, end: int) -> int:
    return [position for position in range(start, end) if text[position].isdecimal()][-4]
