"""The books: balances, the entries of a posting, and whether it all adds up."""

import typer
from rich.table import Column, Table
from rich.text import Text

from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.cli.desk import AS_JSON, Changing, Desk, desk_of
from postbus.cli.errors import CannotRun, Exit, NotDone
from postbus.cli.hold import TRANSACTION, nothing_known
from postbus.domain.errors import Malformed
from postbus.domain.money import Money

app = typer.Typer(help=__doc__, no_args_is_help=True)

BELOW_ZERO = (
    "Below zero: a card payment was promised when it was approved and is booked whatever is available, and "
    "the bank's own accounts stand against its customers'; transfers take no more than what is available."
)


def _own_books(desk: Desk) -> None:
    if desk.deployment.names.get("ledger", "dynamodb") != "dynamodb":
        raise NotDone("the books are kept by the external posting system of this deployment: ask there.")


def _figures(*headers: str) -> list[Column]:
    return [Column(header, justify="right") for header in headers]


@app.command()
def balances(
    context: typer.Context,
    account: str | None = typer.Option(None, "--account", help="Only this account id."),
    as_json: bool = AS_JSON,
) -> None:
    """Every account's balance, by currency."""
    desk = desk_of(context)
    _own_books(desk)
    with desk.progress("reading balances"):
        found = [one for one in desk.books.balances() if account in (None, one.account_id)]
    if account is not None and not found:
        raise CannotRun(f"--account: {account!r} has no balance; nothing was ever posted to it.")
    table = Table("account", *_figures("balance", "available"))
    for one in found:
        table.add_row(one.account_id, str(one.balance), str(one.available))
    data = {
        "balances": [
            {
                "account": one.account_id,
                "currency": one.balance.currency,
                "balance_minor": str(one.balance.minor),
                "available_minor": str(one.available.minor),
            }
            for one in found
        ]
    }
    below = [Text(BELOW_ZERO, style="dim")] if any(one.balance.minor < 0 for one in found) else []
    desk.show(as_json, data, table, *below)


@app.command()
def entries(context: typer.Context, transaction_id: str = TRANSACTION, as_json: bool = AS_JSON) -> None:
    """What one payment has booked."""
    desk = desk_of(context)
    _own_books(desk)
    found = desk.books.entries(transaction_id)
    if not found:
        if desk.outcomes.find(transaction_id) is None and not desk.timeline.story(transaction_id).events:
            raise CannotRun(nothing_known(desk, transaction_id))
        raise NotDone(
            f"{transaction_id} has booked nothing; `./postbus trace {transaction_id}` says where it is."
        )
    table = Table("account", *_figures("debit", "credit"))
    for entry in found:
        amounts = (str(entry.amount), "") if entry.direction == "debit" else ("", str(entry.amount))
        table.add_row(entry.account_id, *amounts)
    data = {"transaction_id": transaction_id, "entries": [entry.to_data() for entry in found]}
    desk.show(as_json, data, table)


@app.command()
def verify(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """Whether every balance is the sum of its entries and debits equal credits; right while traffic runs."""
    desk = desk_of(context)
    _own_books(desk)
    with desk.progress("going through the books"):
        report = desk.books.verify()
    table = Table("currency", *_figures("debits", "credits"))
    for currency, (debits, credits) in sorted(report.trial.items()):
        table.add_row(currency, Money(debits, currency).text(), Money(credits, currency).text())
    lines = [Text(f"{report.postings} postings.")]
    lines += [Text(f"WRONG {where}: {what}", style="bold red") for where, what in report.wrong.items()]
    if report.unconfirmed:
        lines.append(
            Text(f"Not confirmed, for they kept changing: {', '.join(report.unconfirmed)}. Run it again.")
        )
    if not report.wrong:
        lines.append(Text("Every balance looked at is the sum of its entries; debits equal credits."))
    data = {
        "postings": report.postings,
        "trial": {
            currency: {"debits_minor": str(debits), "credits_minor": str(credits)}
            for currency, (debits, credits) in report.trial.items()
        },
        "wrong": dict(report.wrong),
        "unconfirmed": list(report.unconfirmed),
    }
    desk.show(as_json, data, table, *lines)
    if report.wrong:
        raise typer.Exit(Exit.NOT_DONE)


# A limit below zero is a wrong limit, and no option.
@app.command(cls=Changing, context_settings={"ignore_unknown_options": True})
def overdraft(
    context: typer.Context,
    account: str = typer.Argument(..., help="Account id, as `ledger balances` shows it."),
    limit: str = typer.Argument(..., help="How far below zero it may go, such as 500.00; 0 ends it."),
    currency: str = typer.Argument(..., help="ISO 4217 code the account is kept in."),
    new: bool = typer.Option(False, "--new", help="It is an account that nothing was posted to so far."),
    as_json: bool = AS_JSON,
) -> None:
    """Agree how far an account may be overdrawn, in place of what was agreed before."""
    desk = desk_of(context)
    _own_books(desk)
    currency = currency.upper()
    try:
        agreed = Money.parse(limit, currency)
    except Malformed as error:
        raise CannotRun(f"{'LIMIT' if error.field == 'amount' else 'CURRENCY'}: {error.expected}") from None
    kept_in = {one.balance.currency for one in desk.books.balances() if one.account_id == account}
    if not kept_in and not new:
        raise CannotRun(f"ACCOUNT: nothing was ever posted to {account!r}; --new if that is right.")
    if kept_in and currency not in kept_in:
        raise CannotRun(f"CURRENCY: {account} is kept in {', '.join(sorted(kept_in))}.")
    tables = desk.deployment.table("ledger"), desk.deployment.table("balances")
    DynamoDbLedger(desk.deployment.client("dynamodb"), *tables).agree_overdraft(account, agreed)
    data = {"account": account, "currency": currency, "overdraft_minor": str(agreed.minor)}
    may = f"may be overdrawn by {agreed}" if agreed.minor else "may not be overdrawn any more"
    desk.show(as_json, data, Text(f"{account} {may}."))
