"""No reservation: the funds are kept elsewhere, and whoever books there decides whether there are enough."""

from collections.abc import Mapping, Sequence

from postbus.domain.iso20022.workflow import Reservation
from postbus.domain.money import Money


class NoLiquidity:
    """``ports_iso20022.Liquidity`` where an external posting system is the ledger."""

    def reserve(self, account_token: str, amounts: Mapping[str, Money]) -> Mapping[str, Reservation]:
        return dict.fromkeys(amounts, Reservation.RESERVED)

    def release(self, pipeline_ids: Sequence[str]) -> None: ...
