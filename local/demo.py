"""The guided tour: seed, generate, follow, summarise."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from local import demo_messages
from local.progress import Step, console
from local.settings import ROOT, CannotRun, Settings
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
from postbus.cli.sample import load_sample
from postbus.domain import sample
from postbus.domain.lifecycle import State, state_of
from postbus.domain.money import Money
from postbus.domain.release import holding

# What the tour sends.  The counts follow from the shares, whatever the seed; each run takes another seed, for
# the same payments again would rightly change nothing.
MIX = {
    "count": 60,
    "foreign_rate": 0.2,
    "duplicate_rate": 0.1,
    "invalid_rate": 0.05,
    "declined_rate": 0.05,
    "held_rate": 0.05,
    "rejected_rate": 0.1,
    "warned_rate": 0.05,
    "rate_per_second": 10,
}

# Goes ahead of the mix and through every function, so that what is measured is not their first start.
FIRST = {
    "count": 8,
    "foreign_rate": 0.5,
    **dict.fromkeys(
        ("duplicate_rate", "invalid_rate", "declined_rate", "held_rate", "rejected_rate", "warned_rate"), 0
    ),
}

# For the next payment to be decided: a slow machine may take long for all of them, but not for one.
LONGEST_WAIT_SECONDS = 120

_ON_ITS_WAY = "on its way"
_COLOURS = {State.POSTED: "green", State.HELD: "yellow", State.REJECTED: "red", _ON_ITS_WAY: "cyan"}


def run(settings: Settings) -> None:
    """Show the deployed stack at work.

    Raises:
        CannotRun: payments are still on their way, and for long none has arrived.
    """
    deployment = json.loads(settings.deployment_file.read_text(encoding="utf-8"))
    clients = _Clients(settings)
    with Step("seeding accounts, merchants and rates") as step:
        counts = load_sample(
            clients("dynamodb"), deployment["tables"], deployment["posting_shards"], datetime.now(UTC)
        )
        step.done("seeded " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    with Step("a few payments go ahead and start the functions") as step:
        ahead = clients.invoke(
            deployment["functions"]["visa-mock"], {**FIRST, "seed": time.time_ns() // 10**6}
        )
        _await(clients, deployment, [one for ids in ahead["transactions"].values() for one in ids], step)
    with Step(f"visa-mock writes {MIX['count']} authorisations, {MIX['rate_per_second']} a second"):
        written = clients.invoke(
            deployment["functions"]["visa-mock"], {**MIX, "seed": time.time_ns() // 10**6}
        )
    ids = [one for kind, of_kind in written["transactions"].items() for one in of_kind]
    never_enter = {one for kind in ("declined", "invalid") for one in written["transactions"].get(kind, ())}
    states = _follow(clients, deployment, [one for one in ids if one not in never_enter])
    _summary(clients, deployment, written, states)
    _one_story(settings, states)
    if deployment.get("iso20022"):
        demo_messages.show(settings)
    _what_next(settings, clients, deployment, states)


class _Clients:
    """AWS clients turned towards the local stack, whatever the caller's environment says."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=settings.region
        )

    def __call__(self, service: str) -> Any:
        return self._session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._settings.endpoint,
            config=Config(read_timeout=180, retries={"max_attempts": 3}),
        )

    def invoke(self, function: str, payload: Mapping[str, Any]) -> Any:
        answer = self("lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise CannotRun(f"{function} failed: {body.get('errorMessage', body)}")
        return body


def _outcomes(
    clients: _Clients, deployment: Mapping[str, Any], ids: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Outcome items by transaction id, of those that have one."""
    dynamodb, table = clients("dynamodb"), deployment["tables"]["ledger"]
    wanted, found = sorted(ids), {}
    for start in range(0, len(wanted), 100):
        keys = [{"transaction_id": {"S": one}} for one in wanted[start : start + 100]]
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
        for item in answer["Responses"][table]:
            if "event_type" in item:  # else it says only what is set aside for it
                found[item["transaction_id"]["S"]] = {
                    name: value.get("S", value.get("N")) for name, value in item.items()
                }
    return found


def _state(item: Mapping[str, Any]) -> State:
    """The state that an outcome item puts its payment into."""
    state = state_of([item["event_type"]])
    assert state is not None
    return state


class Patience:
    """Waits as long as there is progress.

    Args:
        ids: of the payments that are waited for.
        clock: seconds.
    """

    def __init__(self, ids: Collection[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._ids = set(ids)
        self._clock = clock
        self._arrived = 0
        self._last_progress = clock()

    def look(self, arrived: Collection[str]) -> bool:
        """Whether all have arrived.

        Raises:
            CannotRun: not all have, and for long none was added.
        """
        if len(arrived) > self._arrived:
            self._arrived, self._last_progress = len(arrived), self._clock()
        missing = sorted(self._ids - set(arrived))
        if missing and self._clock() - self._last_progress > LONGEST_WAIT_SECONDS:
            raise CannotRun(
                f"{len(missing)} of {len(self._ids)} payments are still on their way, and for "
                f"{LONGEST_WAIT_SECONDS} s none has arrived.\n"
                "They are not lost: the stack is still up, and on a busy machine they may come yet.\n"
                f"Look with: ./postbus status\n           ./postbus trace {missing[0]}\n"
                "`make down` ends the stack."
            )
        return not missing


def _await(clients: _Clients, deployment: Mapping[str, Any], ids: list[str], step: Step) -> None:
    """Wait until each of the payments has its outcome."""
    patience = Patience(ids)
    while not patience.look(found := _outcomes(clients, deployment, ids)):
        step.update(f"{len(found)} of {len(ids)} are through")
        time.sleep(0.3)


def _follow(clients: _Clients, deployment: Mapping[str, Any], ids: list[str]) -> dict[str, dict[str, Any]]:
    """Watch the payments until each has its outcome."""
    progress = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bars = {name: progress.add_task(f"[{colour}]{name}", total=len(ids)) for name, colour in _COLOURS.items()}
    patience = Patience(ids)
    console.print(f"following {len(ids)} payments on their way to the ledger")
    last_line = time.monotonic()
    with Live(Group(progress), console=console, refresh_per_second=8, transient=True):
        while True:
            outcomes = _outcomes(clients, deployment, ids)
            counts: Counter[str] = Counter(_state(item) for item in outcomes.values())
            counts[_ON_ITS_WAY] = len(ids) - len(outcomes)
            for name, bar in bars.items():
                progress.update(bar, completed=counts[name])
            if not console.is_terminal and time.monotonic() - last_line >= 2:
                console.print("  " + ", ".join(f"{number} {name}" for name, number in sorted(counts.items())))
                last_line = time.monotonic()
            if patience.look(outcomes):
                return outcomes
            time.sleep(0.3)


def _summary(
    clients: _Clients,
    deployment: Mapping[str, Any],
    written: Mapping[str, Any],
    states: Mapping[str, dict[str, Any]],
) -> None:
    counts = Counter(_state(item) for item in states.values())
    kinds = written["counts"]
    expected = written["expected"]
    rows = [
        ("entered", len(states), "approved records; of them:"),
        (State.POSTED, counts[State.POSTED], f"expected {expected['posted']}"),
        (
            State.HELD,
            counts[State.HELD],
            f"of them {kinds.get('duplicate', 0)} suspected duplicates; an operator decides",
        ),
        (State.REJECTED, counts[State.REJECTED], "account unknown, blocked or closed"),
        ("quarantined", kinds.get("invalid", 0), "malformed records, parked with their reason"),
        ("not entered", kinds.get("declined", 0), "declined authorisations never enter"),
    ]
    table = Table(title="What became of the payments", title_justify="left")
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_column("", style="dim")
    for row in rows:
        table.add_row(row[0], str(row[1]), row[2])
    console.print(table)
    console.print(
        f"`./postbus status` counts more POSTED: {FIRST['count']} payments that went ahead, opening balances "
        f"of {len(sample.NAMED_ACCOUNTS)} accounts, transfers of ISO 20022 messages, and earlier runs",
        style="dim",
        markup=False,
    )

    sums: Counter[str] = Counter()
    for page in (
        clients("dynamodb").get_paginator("scan").paginate(TableName=deployment["tables"]["balances"])
    ):
        for item in page["Items"]:
            sums[item["currency"]["S"]] += int(item["balance_minor"]["N"])
    balance = ", ".join(f"{Money(minor, currency)}" for currency, minor in sorted(sums.items()))
    zero = not any(sums.values())
    console.print(
        f"trial balance: [{'green' if zero else 'red'}]{balance}[/] {'✓ zero' if zero else '✗ NOT ZERO'}"
    )

    seconds = sorted(_latencies(clients, deployment, states))
    if seconds:
        p95 = seconds[max(0, int(len(seconds) * 0.95) - 1)]
        console.print(
            f"latency, first event to booking: p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s"
        )
    if counts[State.POSTED] != expected["posted"] or counts[State.HELD] != expected["held"] or not zero:
        raise CannotRun("The summary is not what the generator expected: this is a fault; please report it.")


def _latencies(
    clients: _Clients, deployment: Mapping[str, Any], states: Mapping[str, dict[str, Any]]
) -> Iterable[float]:
    """Seconds from a payment's first event to its booking."""
    timeline = DynamoDbTimeline(clients("dynamodb"), deployment["tables"]["timeline"])
    for identifier, item in states.items():
        began = timeline.story(identifier).began_at
        if _state(item) is State.POSTED and began is not None:
            yield (datetime.fromisoformat(item["decided_at"]) - began).total_seconds()


def _one_story(settings: Settings, states: Mapping[str, dict[str, Any]]) -> None:
    posted = next((one for one, item in sorted(states.items()) if _state(item) is State.POSTED), None)
    if posted:
        console.print(f"\nOne payment's story: [bold]./postbus trace {posted}[/bold]")
        _postbus(settings, "trace", posted)


def _postbus(settings: Settings, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "postbus.cli", *arguments],
        env={**settings.client_environment(), "PYTHONPATH": str(ROOT / "source/src")},
        check=False,
    )


def _what_next(
    settings: Settings, clients: _Clients, deployment: Mapping[str, Any], states: Mapping[str, dict[str, Any]]
) -> None:
    held = next((one for one, item in sorted(states.items()) if _state(item) is State.HELD), "visa-…")
    outcome = DynamoDbOutcomes(clients("dynamodb"), deployment["tables"]["ledger"]).find(held)
    waive = (
        " ".join(f"--waive {finding.id}" for finding in holding(outcome)) if outcome else "--waive FINDING"
    )
    commands = (
        ("./postbus status", "where everything is"),
        (f"./postbus hold show {held}", "why a payment is held, beside its original"),
        (f"./postbus hold release {held} {waive} --reason 'looked at it'", "let it post"),
        (
            "./postbus iso20022 send events/iso20022/examples/pain.001.xml --fresh",
            "send an ISO 20022 message",
        ),
        ("./postbus ledger verify", "prove the books"),
        ("./postbus dlq list", "what waits for an operator"),
        ("make test", "everything that checks the project"),
        ("make down", "end it: nothing runs on, no data is left"),
    )
    console.print("\nTry next:")
    for command, what in commands:
        console.print(f"  [bold]{command}[/bold]  [dim]{what}[/dim]")
    if os.environ.get("POSTBUS_PORT"):
        console.print(f"(with POSTBUS_PORT={settings.port}, as now)", style="dim")
