"""Sample accounts, merchants and rates, so that there is something to post to."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.adapters.dynamodb_records import DynamoDbRecords
from postbus.cli.desk import AS_JSON, Changing, desk_of
from postbus.domain import sample
from postbus.domain.money import Money
from postbus.domain.posting import Account

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

app = typer.Typer(help=__doc__, no_args_is_help=True)


@app.callback()
def data() -> None:
    """Made-up reference data, for a deployment to be tried with."""


@app.command(cls=Changing)
def load(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """Write made-up accounts, merchants and rates, and fund the named accounts; again changes nothing."""
    desk = desk_of(context)
    deployment = desk.deployment
    with desk.progress("loading the sample"):
        counts = load_sample(
            deployment.client("dynamodb"),
            deployment.all("tables"),
            int(deployment.names["posting_shards"]),
            desk.now(),
        )
    text = Text("Loaded " + ", ".join(f"{number} {name}" for name, number in counts.items()) + ".")
    desk.show(as_json, counts, text)


def load_sample(
    client: "DynamoDBClient", tables: Mapping[str, str], shards: int, decided_at: datetime
) -> dict[str, int]:
    """Write the sample's reference data and fund its named accounts; again changes nothing.

    Args:
        tables: names by role, as in the deployment.
        shards: of the ledger's internal accounts.
        decided_at: booking time of the opening balances.
    Returns:
        How many of each there are.
    Raises:
        Unavailable: a table did not answer; run it again.
    """
    loads = {"accounts": sample.accounts(), "merchants": sample.merchants(), "rates": sample.rates()}
    for name, records in loads.items():
        DynamoDbRecords(client, tables[name]).write(records)
    ledger = DynamoDbLedger(client, tables["ledger"], tables["balances"], shards)
    for record in sample.NAMED_ACCOUNTS:
        account = Account.from_data({name: record[name] for name in record if name != "holds"})
        opening = Money(sample.OPENING_BALANCE.minor, account.currency)
        ledger.fund(account, opening, f"funding-{account.account_id}", decided_at)
    return {name: len(records) for name, records in loads.items()}
