"""The funds of an account, set aside in the ledger itself: what is reserved nobody else can spend."""

from collections.abc import Mapping, Sequence

from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.domain.errors import Malformed
from postbus.domain.iso20022.workflow import Reservation
from postbus.domain.money import Money
from postbus.domain.posting import Account
from postbus.domain.settlement import SetAside
from postbus.ports import Directory

_ANSWERS = {
    SetAside.DONE: Reservation.RESERVED,
    SetAside.SHORT: Reservation.SHORT,
    # A repeat after the transfer was posted is not short of funds: it has spent them.
    SetAside.DECIDED: Reservation.DECIDED,
}


class LedgerLiquidity:
    """``ports_iso20022.Liquidity``: earmarks.  Posting uses one up, voiding lets it go, each at most once."""

    def __init__(self, ledger: DynamoDbLedger, accounts: Directory) -> None:
        self._ledger = ledger
        self._accounts = accounts

    def reserve(self, account_token: str, amounts: Mapping[str, Money]) -> Mapping[str, Reservation]:
        """See ``ports_iso20022.Liquidity``.

        Raises:
            Malformed: no account has this token, or its record lacks what the ledger needs.
        """
        account = Account.from_data(self._accounts.find([account_token], consistent=True).get(account_token))
        if any(amount.currency != account.currency for amount in amounts.values()):
            raise Malformed("amount.currency", "the account's own")
        found = self._ledger.earmark(account, amounts)
        return {pipeline_id: _ANSWERS[came] for pipeline_id, came in found.items()}

    def release(self, pipeline_ids: Sequence[str]) -> None:
        # One after the other: those of an account would contend for its balance.
        for pipeline_id in pipeline_ids:
            self._ledger.free(pipeline_id)
