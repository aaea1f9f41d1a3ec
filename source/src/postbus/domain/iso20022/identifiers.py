"""Identifiers that carry their own proof: IBAN, BIC, LEI, country codes, clearing system members.

The schema has checked their form, blanks and letter case included; here it is whether they can exist.
"""

import re
from functools import lru_cache

import pycountry
from stdnum import lei, numdb
from stdnum.us import rtn

# ISO 3166-1 alpha-2, which FIPS 10-4 gave way to.
COUNTRIES = frozenset(country.alpha_2 for country in pycountry.countries)

# ISO 9362 and ISO 13616 use the user-assigned code of Kosovo as well.
_BIC_COUNTRIES = COUNTRIES | {"XK"}

_VALUES = {character: str(int(character, 36)) for character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_CLASSES = {"n": "[0-9]", "a": "[A-Z]", "c": "[0-9A-Za-z]"}

# Source: ISO 20022 ExternalClearingSystemIdentification1Code; only those whose form is beyond doubt.
_MEMBERS = {
    "USABA": re.compile(r"[0-9]{9}"),
    "GBDSC": re.compile(r"[0-9]{6}"),
    "IENCC": re.compile(r"[0-9]{6}"),
    "AUBSB": re.compile(r"[0-9]{6}"),
    "DEBLZ": re.compile(r"[0-9]{8}"),
}


def is_iban(text: str) -> bool:
    """Whether its check digits are right, and it has its country's structure, if that is registered.

    National check digits inside it are the account keeper's business.
    """
    digits = "".join([_VALUES.get(character, "") for character in (text[4:] + text[:4]).upper()])
    if not digits or int(digits) % 97 != 1:
        return False
    structure = _iban_structure(text[:2])
    return structure is None or structure.fullmatch(text, 4) is not None


@lru_cache(maxsize=512)
def _iban_structure(country: str) -> re.Pattern[str] | None:
    """The form of a country's BBAN, from the IBAN registry; of a country that is none, one nothing has."""
    known = numdb.get("iban").info(country)[0][1].get("bban")
    if known is None:
        return None if country in _BIC_COUNTRIES else re.compile(r"(?!)")
    parts = re.findall(r"([0-9]+)!([nac])", known)
    return re.compile("".join(f"{_CLASSES[kind]}{{{length}}}" for length, kind in parts))


def is_bic(text: str) -> bool:
    """Whether its country exists.  The prefix may hold digits, as ISO 9362 has it since 2014."""
    return text[4:6] in _BIC_COUNTRIES


@lru_cache(maxsize=4096)
def is_lei(text: str) -> bool:
    """Whether its check digits are right."""
    return bool(lei.is_valid(text))


def is_member(system: str | None, member: str) -> bool:
    """Whether a clearing system of this code can have such a member; one that is not known here, any."""
    form = _MEMBERS.get(system or "")
    if form is None:
        return True
    return form.fullmatch(member) is not None and (system != "USABA" or bool(rtn.is_valid(member)))
