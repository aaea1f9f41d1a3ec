"""An agreement as it is written down."""

import json
from datetime import date, time, timedelta
from typing import Any

import pytest

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.agreements import Terms, terms
from postbus.domain.iso20022.business_checks import Agreement


def test_nothing_agreed_is_the_base_standard() -> None:
    assert terms("{}") == Terms(Agreement(), frozenset())


def test_everything_can_be_agreed() -> None:
    found = terms(
        json.dumps(
            {
                "own_agents": ["HARBDEFFXXX"],
                "currencies": ["EUR"],
                "agreed_limits": {"EUR": 100},
                "clearing_limits": {"EUR": 200},
                "most_transfers": 9,
                "most_days_past": 5,
                "most_days_ahead": 60,
                "most_ahead_minutes": 10,
                "holidays": ["2026-12-25"],
                "closed_weekdays": [5, 6],
                "cut_off": "16:30",
                "structured_addresses_from": "2026-11-15",
                "travel_rule": True,
                "addresses_required": True,
                "leis_proven": True,
                "members_proven": True,
                "characters": "[A-Z]*",
                "charge_bearers": ["SLEV"],
                "service_levels": ["SEPA"],
                "local_instruments": ["INST"],
                "category_purposes": ["SALA"],
                "purposes": ["GDDS"],
            }
        )
    )
    assert found.own_agents == {"HARBDEFF"}
    assert found.agreement == Agreement(
        currencies=frozenset({"EUR"}),
        agreed_limits={"EUR": 100},
        clearing_limits={"EUR": 200},
        most_transfers=9,
        most_days_past=5,
        most_days_ahead=60,
        most_ahead=timedelta(minutes=10),
        holidays=frozenset({date(2026, 12, 25)}),
        closed_weekdays=frozenset({5, 6}),
        cut_off=time(16, 30),
        structured_addresses_from=date(2026, 11, 15),
        travel_rule=True,
        addresses_required=True,
        leis_proven=True,
        members_proven=True,
        characters="[A-Z]*",
        charge_bearers=frozenset({"SLEV"}),
        service_levels=frozenset({"SEPA"}),
        local_instruments=frozenset({"INST"}),
        category_purposes=frozenset({"SALA"}),
        purposes=frozenset({"GDDS"}),
    )
    # Whatever can be agreed can be written down.
    assert all(getattr(found.agreement, name) != getattr(Agreement(), name) for name in Agreement.__slots__)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("currency", ["EUR"]),
        ("currencies", "EUR"),
        ("currencies", [1]),
        ("agreed_limits", {"EUR": 1.5}),
        ("agreed_limits", {"EUR": -1}),
        ("most_days_past", True),
        ("most_days_ahead", -1),
        ("holidays", ["25.12."]),
        ("closed_weekdays", [7]),
        ("cut_off", "half past four"),
        ("structured_addresses_from", 2026),
        ("travel_rule", "yes"),
        ("characters", "["),
        ("own_agents", "HARBDEFF"),
    ],
)
def test_what_is_not_of_its_kind_is_named(name: str, value: Any) -> None:
    with pytest.raises(Malformed, match=name):
        terms(json.dumps({name: value}))


@pytest.mark.parametrize("text", ["", "[]", "EUR"])
def test_what_is_no_document_is_no_agreement(text: str) -> None:
    with pytest.raises(Malformed):
        terms(text)
