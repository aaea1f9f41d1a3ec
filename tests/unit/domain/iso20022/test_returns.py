"""Which transfer a return gives back, and why it may not."""

from dataclasses import replace
from typing import Any

import pytest

from postbus.domain.iso20022.instructions import Accounts, Returned
from postbus.domain.iso20022.mandates import Mandate
from postbus.domain.iso20022.messages import Agent, Place, Reason, Return
from postbus.domain.iso20022.returns import returned
from postbus.domain.iso20022.workflow import Child, ChildState
from postbus.domain.money import Money

BANK = Agent(bic="MILLNL2A")
RECORD = {"transfer": "T-1", "debtor_account_token": "acct-payer", "creditor_account_token": "acct-payee"}
TRANSFER = Child(
    number=1,
    state=ChildState.POSTED,
    amount=Money(1_000, "EUR"),
    record=RECORD,
    creditor_agent=BANK,
)
RETURN = Return(number=1, place=Place("/Document", 1), amount=Money(400, "EUR"), instructing_agent=BANK)
PAYEE = Mandate(debtor_accounts=frozenset({"payee"}))


def answer(child: Child = TRANSFER, one: Return = RETURN) -> Returned | Reason:
    return returned(one, (child,), PAYEE, {"acct-payee"})


@pytest.mark.parametrize("state", [ChildState.POSTED, ChildState.OPEN])
def test_what_is_booked_or_may_be_is_given_back_from_where_it_came_to(state: ChildState) -> None:
    given_back = answer(replace(TRANSFER, state=state))
    assert given_back == Returned("T-1", Money(1_000, "EUR"), Accounts("acct-payer", "acct-payee"))


@pytest.mark.parametrize("meant", [(), (TRANSFER, replace(TRANSFER, number=2))])
def test_a_return_that_means_no_transfer_or_two_gives_none_back(meant: tuple[Child, ...]) -> None:
    refused = returned(RETURN, meant, PAYEE, {"acct-payee"})
    assert isinstance(refused, Reason)
    assert refused.code == "MS03"


@pytest.mark.parametrize(
    ("of_transfer", "of_return", "code"),
    [
        ({"record": {**RECORD, "original_transfer": "T-0"}}, {}, "MS03"),
        ({"record": None, "state": ChildState.REJECTED}, {}, "MS03"),
        ({"amount": None}, {}, "MS03"),
        ({"state": ChildState.REJECTED}, {}, "MS03"),
        ({"state": ChildState.VOIDED}, {}, "MS03"),
        ({"record": {**RECORD, "creditor_account_token": "acct-another"}}, {}, "AG01"),
        ({"settlement_agent": "MILLNL2A"}, {}, "AG01"),
        ({}, {"instructing_agent": None}, "AG01"),
        ({}, {"instructing_agent": Agent(bic="HARBDEFF")}, "AG01"),
        ({}, {"original_amount": Money(999, "EUR")}, "AM09"),
        ({}, {"amount": Money(1_001, "EUR")}, "AM09"),
        ({}, {"amount": Money(400, "USD")}, "AM03"),
    ],
)
def test_what_cannot_be_given_back_is_refused_with_its_reason(
    of_transfer: dict[str, Any], of_return: dict[str, Any], code: str
) -> None:
    refused = answer(replace(TRANSFER, **of_transfer), replace(RETURN, **of_return))
    assert isinstance(refused, Reason)
    assert refused.code == code


def test_of_a_transfer_its_debtor_pays_and_of_a_return_whom_the_money_had_come_to() -> None:
    a_return = replace(TRANSFER, record={**RECORD, "original_transfer": "T-0"})
    assert [one.paying_account_token for one in (TRANSFER, a_return)] == ["acct-payer", "acct-payee"]
    assert replace(TRANSFER, record=None).paying_account_token is None
