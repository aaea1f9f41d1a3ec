"""The accounts a transfer is booked on."""

import pytest

from postbus.domain.iso20022 import accounts
from postbus.domain.iso20022.instructions import Accounts
from postbus.domain.iso20022.mandates import EVERYTHING
from postbus.domain.iso20022.messages import Reason, Transfer
from postbus.domain.iso20022.workflow import FoundAccount
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
