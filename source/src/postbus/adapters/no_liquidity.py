"""No reservation: the funds are kept elsewhere, and whoever books there decides whether there are enough."""

from postbus.domain.iso20022.workflow import Reservation
from postbus.domain.money import Money


class NoLiquidity:
    """``ports_iso20022.Liquidity`` where an external posting system is the ledger."""

    def reserve(self, pipeline_id: str, account_token: str, amount: Money) -> Reservation:
        return Reservation.RESERVED

    def release(self, pipeline_id: str) -> None: ...
