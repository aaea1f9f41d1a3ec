"""The funds of an account, set aside in the ledger itself: what is reserved nobody else can spend."""

from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.domain.errors import Malformed
from postbus.domain.iso20022.workflow import Reservation
from postbus.domain.money import Money
from postbus.domain.posting import Account
from postbus.ports import Directory, Outcomes


class LedgerLiquidity:
    """``ports_iso20022.Liquidity``: earmarks.  Posting uses one up, voiding lets it go, each at most once."""

    def __init__(self, ledger: DynamoDbLedger, outcomes: Outcomes, accounts: Directory) -> None:
        self._ledger = ledger
        self._outcomes = outcomes
        self._accounts = accounts

    def reserve(self, pipeline_id: str, account_token: str, amount: Money) -> Reservation:
        """See ``ports_iso20022.Liquidity``.

        Raises:
            Malformed: no account has this token, or its record lacks what the ledger needs.
        """
        account = Account.from_data(self._accounts.find([account_token], consistent=True).get(account_token))
        if account.currency != amount.currency:
            raise Malformed("amount.currency", "the account's own")
        if self._ledger.earmark(pipeline_id, account, amount):
            return Reservation.RESERVED
        # A repeat after the transfer was posted is not short of funds: it has spent them.
        decided = self._outcomes.find(pipeline_id) is not None
        return Reservation.DECIDED if decided else Reservation.SHORT

    def release(self, pipeline_id: str) -> None:
        self._ledger.free(pipeline_id)
