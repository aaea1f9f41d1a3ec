"""Where payments are, what waits, and whether something needs a person."""

from collections import Counter
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table
from rich.text import Text

from postbus.adapters.aws_calls import code_of
from postbus.adapters.sqs_dead_letters import SqsDeadLetters
from postbus.cli.dead_letters import QUARANTINE, queues_of
from postbus.cli.desk import AS_JSON, Desk, ago, desk_of
from postbus.cli.errors import CannotRun
from postbus.domain.lifecycle import State, state_of

# A look must not read a table of millions; `--all` does.
_PAGES = 20


def status(
    context: typer.Context,
    everything: bool = typer.Option(False, "--all", help="Count every outcome, however many there are."),
    verify: bool = typer.Option(False, "--verify", help="Check the ledger entry by entry, not only its sum."),
    as_json: bool = AS_JSON,
) -> None:
    """Where payments are, what waits in queues, and whether the ledger adds up."""
    desk = desk_of(context)
    with desk.progress("looking around", total=5) as so_far:
        data = _payments(desk, everything)
        so_far(1)
        data["queues"] = {
            name: _depth(desk, url)
            for name, url in desk.deployment.all("queues").items()
            if not name.startswith(QUARANTINE)
        }
        so_far(2)
        data["dead_letters"] = {name: _depth(desk, url) for name, url in queues_of(desk).items()}
        so_far(3)
        data["pipes"] = {source: _pipe(desk, source) for source in desk.deployment.sources}
        so_far(4)
        data["ledger"] = _ledger(desk, verify)
        so_far(5)
    data["attention"] = _attention(data)
    desk.show(as_json, data, *_for_people(data))


def _payments(desk: Desk, everything: bool) -> dict[str, Any]:
    now = desk.now()
    moving: Counter[str] = Counter()
    oldest = None
    for one in desk.timeline.open():
        moving[one.state.value] += 1
        if one.state is not State.HELD and (oldest is None or one.since < oldest.since):
            oldest = one
    counts, complete = desk.decided.counts(None if everything else _PAGES)
    data: dict[str, Any] = {
        "open": dict(moving),
        "outcomes": dict(counts),
        "outcomes_complete": complete,
        "oldest_open_seconds": 0.0,
    }
    if oldest is not None:
        data["oldest_open_seconds"] = round((now - oldest.since).total_seconds(), 1)
        data["oldest_open"] = oldest.transaction_id
    return data


def _depth(desk: Desk, url: str) -> dict[str, int]:
    depth = SqsDeadLetters(desk.deployment.client("sqs"), url).depth()
    return {"messages": depth.messages, "in_flight": depth.in_flight}


def _pipe(desk: Desk, source: str) -> str:
    """The state of a source's pipe, in AWS' words."""
    name = f"{desk.deployment.prefix}postbus-{source}"
    try:
        return str(desk.deployment.client("pipes").describe_pipe(Name=name)["CurrentState"])
    except ClientError as error:
        if code_of(error) == "NotFoundException":
            return "none here: a pipe runner stands in for it"
        return f"unknown: {code_of(error)}"
    except BotoCoreError as error:
        return f"unknown: {type(error).__name__}"


def _ledger(desk: Desk, verify: bool) -> dict[str, Any]:
    match desk.deployment.names.get("ledger", "dynamodb"):
        case "dynamodb":
            pass
        case "http":
            return {"kind": "http", "balanced": None}
        case unknown:
            raise CannotRun(
                f"the deployment's ledger is {unknown!r}, and this command knows dynamodb and http."
            )
    if verify:
        report = desk.books.verify()
        return {
            "kind": "dynamodb",
            "balanced": not report.wrong,
            "postings": report.postings,
            "wrong": dict(report.wrong),
            "unconfirmed": list(report.unconfirmed),
        }
    sums: Counter[str] = Counter()
    for account in desk.books.balances():
        sums[account.balance.currency] += account.balance.minor
    # Balances are read one after another: while payments are posted their sum is of no single moment.
    return {"kind": "dynamodb", "balanced": not any(sums.values()), "sum_minor": dict(sums)}


def _attention(data: dict[str, Any]) -> list[str]:
    """What someone should do, the most urgent first."""
    todo = []
    ledger = data["ledger"]
    if ledger["balanced"] is False:
        todo.append("the ledger does not sum to zero: run `./postbus ledger verify` when it is quiet")
    for name, depth in data["dead_letters"].items():
        if depth["messages"]:
            todo.append(f"{depth['messages']} dead letters in {name}: `./postbus dlq show {name}`")
    for source, state in data["pipes"].items():
        if state not in ("RUNNING", "CREATING", "STARTING") and not state.startswith("none"):
            todo.append(f"the pipe of {source} is {state}: records are kept for 24 hours only")
    if held := data["outcomes"].get("TransactionHeld", 0):
        todo.append(f"{held} payments are held: `./postbus hold list`")
    return todo


def _for_people(data: dict[str, Any]) -> list[Any]:
    payments = Table(
        "state", "how many", title="decided" if data["outcomes_complete"] else "decided (at least)"
    )
    decided: Counter[str] = Counter()
    for name, count in data["outcomes"].items():
        decided[state_of([name]) or name] += count
    for state, count in sorted(decided.items()):
        payments.add_row(state, str(count))
    moving = Table("state", "how many", title="on their way")
    for state, count in sorted(data["open"].items()):
        # What is held is counted above already: somebody decides about it, nothing moves it.
        if state != State.HELD or state not in decided:
            moving.add_row(state, str(count))
    queues = Table("queue", "waiting", "in work", title="queues")
    for name, depth in data["queues"].items():
        queues.add_row(name, str(depth["messages"]), str(depth["in_flight"]))
    dead = Table("queue", "parked", title="dead letters and quarantine")
    for name, depth in data["dead_letters"].items():
        if depth["messages"] or depth["in_flight"]:
            dead.add_row(name, str(depth["messages"] + depth["in_flight"]), style="bold")
    tables = [table for table in (payments, moving, queues, dead) if table.row_count]
    lines = []
    if "oldest_open" in data:
        lines.append(f"longest on its way: {data['oldest_open']}, for {ago(data['oldest_open_seconds'])}")
    lines += [f"pipe {source}: {state}" for source, state in data["pipes"].items()]
    balanced = {True: "sums to zero", False: "DOES NOT SUM TO ZERO", None: "kept by the external system"}
    lines.append(f"ledger ({data['ledger']['kind']}): {balanced[data['ledger']['balanced']]}")
    todo = data["attention"] or ["nothing needs attention"]
    return [*tables, *map(Text, lines), *[Text(f"• {line}", style="bold") for line in todo]]
