"""Set the funds of a transfer aside in the ledger, or give them back.

{"reserve": {"pipeline_id", "account_token", "amount"}}  ->  {"reservation": "RESERVED" | "SHORT" | "DECIDED"}
{"release": {"pipeline_id"}}                             ->  {}
"""

from collections.abc import Callable
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
            case {
                "reserve": {"pipeline_id": str(pipeline_id), "account_token": str(token), "amount": amount}
            }:
                reservation = liquidity.reserve(pipeline_id, token, Money.from_data(amount))
                return {"reservation": reservation.value}
            case {"release": {"pipeline_id": str(pipeline_id)}}:
                liquidity.release(pipeline_id)
                return {}
        raise Malformed("", "reserve with pipeline_id, account_token and amount, or release with pipeline_id")

    return reserve_or_release


def bind(config: "Config") -> Callable[[Any], Any]:
    from postbus.adapters.dynamodb_directory import DynamoDbDirectory
    from postbus.adapters.dynamodb_ledger import DynamoDbLedger
    from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
    from postbus.adapters.ledger_liquidity import LedgerLiquidity
    from postbus.runtime.clients import client

    dynamodb = client("dynamodb")
    tables = config.text("LEDGER_TABLE"), config.text("BALANCES_TABLE")
    return build(
        LedgerLiquidity(
            DynamoDbLedger(dynamodb, *tables, config.integer("SHARDS", 64)),
            DynamoDbOutcomes(dynamodb, tables[0]),
            DynamoDbDirectory(dynamodb, config.text("ACCOUNTS_TABLE"), "token"),
        )
    )


lambda_handler = request_function(bind)
