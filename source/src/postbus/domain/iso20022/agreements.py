r"""What is agreed, read from a JSON document.

Every name is optional, and what is left out is not asked for unless said so (``business_checks.Agreement``):

========================================  ===============================================================
name                                      value
========================================  ===============================================================
``own_agents``                            BICs of this institution: an account there that is unknown is
                                          AC02 or AC03, not an unknown agent
``currencies``, ``charge_bearers``,       list of codes
``service_levels``, ``purposes``,
``local_instruments``,
``category_purposes``
``agreed_limits``, ``clearing_limits``    by currency, the most minor units of a transfer
``most_transfers``                        whole number; left out, 2500
``most_days_past``                        whole number
``most_days_ahead``                       whole number; left out, 1
``most_ahead_minutes``                    whole number
``holidays``                              list of ISO dates
``closed_weekdays``                       list of numbers, Monday being 0
``cut_off``                               ``HH:MM``, UTC
``structured_addresses_from``             ISO date; CBPR+ asks for it from 2026-11-14, EPC from 2026-11-15,
                                          Fedwire from 2026-11-16 (the schemes' published timelines)
``characters``                            regular expression for every text of a transfer; SWIFT's set X,
                                          which EPC's Latin set is as well:
                                          ``"[-A-Za-z0-9/?:().,'+ \r\n]*"``
``travel_rule``, ``leis_proven``,         true or false
``addresses_required``,
``members_proven``
========================================  ===============================================================
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.business_checks import Agreement


@dataclass(frozen=True, slots=True)
class Terms:
    """What messages are judged by.

    Attributes:
        own_agents: the first eight characters of the BICs that are this institution's own.
    """

    agreement: Agreement = field(default_factory=Agreement)
    own_agents: frozenset[str] = frozenset()


def terms(text: str) -> Terms:
    """Read the document; raises Malformed naming what is unknown or not of its kind."""
    try:
        data = json.loads(text)
    except ValueError:
        raise Malformed("agreement", "JSON") from None
    if not isinstance(data, dict):
        raise Malformed("agreement", "an object")
    own_agents = _codes(data.pop("own_agents", []), "own_agents")
    agreed: dict[str, Any] = {}
    for name, value in data.items():
        if name not in _READERS:
            raise Malformed(f"agreement.{name}", "one of " + ", ".join(sorted(_READERS)))
        attribute, read = _READERS[name]
        agreed[attribute] = read(value, name)
    return Terms(Agreement(**agreed), frozenset(bic[:8] for bic in own_agents))


def _codes(value: Any, name: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise Malformed(f"agreement.{name}", "a list of codes")
    return frozenset(value)


def _limits(value: Any, name: str) -> Mapping[str, int]:
    if not isinstance(value, dict) or not all(type(minor) is int and minor >= 0 for minor in value.values()):
        raise Malformed(f"agreement.{name}", "whole minor units by currency")
    return value


def _count(value: Any, name: str) -> int:
    if type(value) is not int or value < 0:
        raise Malformed(f"agreement.{name}", "a whole number")
    return value


def _minutes(value: Any, name: str) -> timedelta:
    return timedelta(minutes=_count(value, name))


def _weekdays(value: Any, name: str) -> frozenset[int]:
    if not isinstance(value, list) or not all(type(day) is int and 0 <= day <= 6 for day in value):
        raise Malformed(f"agreement.{name}", "a list of numbers from 0, Monday, to 6")
    return frozenset(value)


def _date(value: Any, name: str) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Malformed(f"agreement.{name}", "an ISO date") from None


def _dates(value: Any, name: str) -> frozenset[date]:
    return frozenset(_date(one, name) for one in _codes(value, name))


def _time(value: Any, name: str) -> time:
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError):
        raise Malformed(f"agreement.{name}", "a time such as 16:30") from None


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise Malformed(f"agreement.{name}", "true or false")
    return value


def _pattern(value: Any, name: str) -> str:
    try:
        re.compile(value)
    except (TypeError, re.error):
        raise Malformed(f"agreement.{name}", "a regular expression") from None
    return str(value)


_LISTS = (
    "currencies",
    "charge_bearers",
    "service_levels",
    "local_instruments",
    "category_purposes",
    "purposes",
)
_FLAGS = ("travel_rule", "addresses_required", "leis_proven", "members_proven")

# The attribute of each name, and how its value is read.
_READERS: Mapping[str, tuple[str, Callable[[Any, str], Any]]] = {
    **{name: (name, _codes) for name in _LISTS},
    **{name: (name, _flag) for name in _FLAGS},
    **{name: (name, _limits) for name in ("agreed_limits", "clearing_limits")},
    **{name: (name, _count) for name in ("most_transfers", "most_days_past", "most_days_ahead")},
    "most_ahead_minutes": ("most_ahead", _minutes),
    "holidays": ("holidays", _dates),
    "closed_weekdays": ("closed_weekdays", _weekdays),
    "cut_off": ("cut_off", _time),
    "structured_addresses_from": ("structured_addresses_from", _date),
    "characters": ("characters", _pattern),
}
