"""The accounts a transfer is booked on."""

from dataclasses import replace

import pytest

from postbus.domain.iso20022 import accounts
from postbus.domain.iso20022.instructions import Accounts
from postbus.domain.iso20022.messages import Agent, Reason, Transfer
from postbus.domain.iso20022.workflow import AccountKeyKind, FoundAccount
from tests.fakes.messages import EVERYTHING
from tests.unit.domain.iso20022.own_messages import own_message

PAIN = "pain.001.001.09"


def resolve(transfer: Transfer) -> Accounts | Reason:
    found = {
        key: (FoundAccount(key.value, transfer.amount.currency, "open"),)
        for key in accounts.keys_of(transfer)
    }
    return accounts.resolve(transfer, found, own_agents=(), mandate=EVERYTHING)


@pytest.mark.parametrize("method", ["TRF", "TRA"])
def test_a_transfer_is_booked_on_the_accounts_it_names(method: str) -> None:
    for transfer in own_message(PAIN, {"<PmtMtd>TRF": f"<PmtMtd>{method}"}).message.transfers:
        keys = {key.value for key in accounts.keys_of(transfer)}
        assert isinstance(found := resolve(transfer), Accounts)
        assert {found.debtor_token, found.creditor_token} <= keys


def test_a_cheque_is_booked_on_no_account() -> None:
    for transfer in own_message(PAIN, {"<PmtMtd>TRF": "<PmtMtd>CHK"}).message.transfers:
        assert isinstance(refused := resolve(transfer), Reason)
        assert refused.code == "AG03"


def naming(side: str, currency: str) -> Transfer:
    """A transfer in euros that says of one of its accounts which currency it is kept in."""
    transfer = own_message("pacs.008.001.08").message.transfers[0]
    assert transfer.amount.currency == "EUR"
    account = getattr(transfer, side)
    return replace(
        transfer, creditor_agent=Agent(bic="MILLNL2A"), **{side: replace(account, currency=currency)}
    )


@pytest.mark.parametrize("side", ["debtor_account", "creditor_account"])
@pytest.mark.parametrize(("currency", "booked"), [("EUR", True), ("USD", False)])
def test_of_the_accounts_under_one_iban_none_but_the_one_that_is_named_is_booked(
    side: str, currency: str, booked: bool
) -> None:
    transfer = naming(side, currency)
    found = {
        key: tuple(FoundAccount(f"{key.value}-{each}", each, "open") for each in ("USD", "EUR"))
        for key in accounts.keys_of(transfer)
    }
    resolved = accounts.resolve(transfer, found, own_agents=(), mandate=EVERYTHING)
    if booked:
        assert isinstance(resolved, Accounts)
    else:
        assert isinstance(resolved, Reason)
        assert resolved.code == "AM03"


@pytest.mark.parametrize("side", ["debtor_account", "creditor_account"])
def test_the_currency_of_an_account_that_is_kept_elsewhere_is_its_agents_affair(side: str) -> None:
    transfer = naming(side, "USD")
    found = {
        key: (FoundAccount(key.value, "EUR", "open"),)
        for key in accounts.keys_of(transfer)
        if key.kind is AccountKeyKind.BIC
    }
    assert isinstance(accounts.resolve(transfer, found, own_agents=(), mandate=EVERYTHING), Accounts)
