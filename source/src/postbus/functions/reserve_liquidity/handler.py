"""Set the funds of an account's transfers aside in the ledger, or give them back.

{"reserve": {"account_token", "amounts": [{"pipeline_id", "amount"}, ...]}}
    ->  {"reservations": ["RESERVED" | "SHORT" | "DECIDED", ...]}, in the same order
{"release": [pipeline_id, ...]}
    ->  {}
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from postbus.domain.errors import Malformed
from postbus.domain.money import Money
from postbus.ports_iso20022 import Liquidity
from postbus.runtime.entry import request_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(liquidity: Liquidity) -> Callable[[Any], Any]:
    """Bind the function to its port."""

    def reserve_or_release(event: Any) -> Any:
        match event:
            case {"reserve": {"account_token": str(token), "amounts": [*listed]}}:
                amounts = _amounts(listed)
                found = liquidity.reserve(token, amounts)
                return {"reservations": [found[pipeline_id].value for pipeline_id in amounts]}
            case {"release": [*pipeline_ids]} if all(isinstance(one, str) for one in pipeline_ids):
                liquidity.release(pipeline_ids)
                return {}
        raise Malformed("", "reserve with account_token and amounts, or release with pipeline ids")

    return reserve_or_release


def _amounts(listed: Sequence[Any]) -> dict[str, Money]:
    amounts: dict[str, Money] = {}
    for one in listed:
        match one:
            case {"pipeline_id": str(pipeline_id), "amount": amount} if pipeline_id not in amounts:
                amounts[pipeline_id] = Money.from_data(amount)
            case _:
                raise Malformed("reserve.amounts", "pipeline_id and amount, each transfer once")
    return amounts


def bind(config: "Config") -> Callable[[Any], Any]:
    from postbus.adapters.dynamodb_directory import DynamoDbDirectory
    from postbus.adapters.dynamodb_ledger import DynamoDbLedger
    from postbus.adapters.ledger_liquidity import LedgerLiquidity
    from postbus.runtime.clients import client

    dynamodb = client("dynamodb")
    tables = config.text("LEDGER_TABLE"), config.text("BALANCES_TABLE")
    return build(
        LedgerLiquidity(
            DynamoDbLedger(dynamodb, *tables, config.integer("SHARDS", 64)),
            DynamoDbDirectory(dynamodb, config.text("ACCOUNTS_TABLE"), "token"),
        )
    )


lambda_handler = request_function(bind)
