"""Replay archived events to chosen rules: nothing is posted twice, for what was decided before stands."""

import json
import time
from collections import Counter
from datetime import datetime
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from postbus.adapters.eventbridge_archive import Archive, EventBridgeArchive
from postbus.adapters.eventbridge_bus import entry
from postbus.cli.desk import AS_JSON, Desk, ago, desk_of
from postbus.cli.errors import CannotRun, NotDone
from postbus.domain.errors import Malformed
from postbus.domain.event import format_time, parse_time
from postbus.domain.patterns import compile_pattern

_LOOKS_EVERY_SECONDS = 2.0


def replay(
    context: typer.Context,
    since: str = typer.Option(..., "--from", help="Replay what happened from then, 2026-01-31T09:30:00Z …"),
    until: str = typer.Option(..., "--to", help="… until then."),
    rule: list[str] = typer.Option(
        ..., "--rule", help="To this rule only, such as enrich or posting; repeat it for more."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be replayed, and change nothing."),
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait until it is done."),
    as_json: bool = AS_JSON,
) -> None:
    """Send archived events of a span of time again, to the rules you name."""
    desk = desk_of(context)
    begin, end = _time(since, "--from"), _time(until, "--to")
    rules = {name: _rule(desk, name) for name in dict.fromkeys(rule)}
    deployment = desk.deployment
    archive = EventBridgeArchive(
        deployment.client("events"),
        deployment.text("archive"),
        deployment.text("archive_arn"),
        deployment.text("bus_arn"),
    )
    holds = archive.describe()
    _check(desk, holds, begin, end)
    if dry_run:
        _dry_run(desk, as_json, archive, holds, begin, end, rules)
        return
    name = f"{deployment.prefix}postbus-{desk.now().strftime('%Y%m%dT%H%M%S')}"[:64]
    archive.start(name, begin, end, [arn for _, arn in rules.values()])
    data: dict[str, Any] = {
        "replay": name,
        "from": format_time(begin),
        "to": format_time(end),
        "rules": sorted(rules),
        "state": "STARTING",
    }
    if not wait:
        desk.show(as_json, data, Text(f"Replay {name} has started; the events it brings carry its name."))
        return
    span = (end - begin).total_seconds()
    with desk.progress(f"replaying {ago(span)} to {', '.join(sorted(rules))}", total=span) as so_far:
        while not (now := archive.replay(name)).is_over:
            if now.reached is not None:
                so_far(min(span, (now.reached - begin).total_seconds()))
            time.sleep(_LOOKS_EVERY_SECONDS)
    data["state"] = now.state
    desk.show(
        as_json, data, Text(f"Replay {name} is {now.state}.  `./postbus status` shows what it set moving.")
    )
    if now.state != "COMPLETED":
        raise NotDone(f"replay {name} is {now.state}: {now.reason or 'no reason given'}.")


def _time(text: str, option: str) -> datetime:
    try:
        return parse_time(text, option)
    except Malformed as error:
        raise CannotRun(f"{error}.") from None


def _check(desk: Desk, holds: Archive, begin: datetime, end: datetime) -> None:
    now = desk.now()
    if begin >= end:
        raise CannotRun(f"--to: later than --from ({format_time(begin)}), not {format_time(end)}.")
    if begin > now:
        raise CannotRun(f"--from: a time that has passed; it is {format_time(now)}.")
    if holds.keeps is not None and end < now - holds.keeps:
        raise CannotRun(f"--to: the archive keeps {holds.keeps.days} days; nothing so old is left.")


def _rule(desk: Desk, name: str) -> tuple[str, str]:
    """Full name and ARN of a rule, by its full name or the part after ``postbus-``."""
    known = desk.deployment.all("rules")
    full = name if name in known else f"{desk.deployment.prefix}postbus-{name}"
    if full not in known:
        short = sorted(one.removeprefix(f"{desk.deployment.prefix}postbus-") for one in known)
        raise CannotRun(f"--rule: one of {', '.join(short)}, not {name!r}.")
    return full, known[full]


def _dry_run(
    desk: Desk,
    as_json: bool,
    archive: EventBridgeArchive,
    holds: Archive,
    begin: datetime,
    end: datetime,
    rules: dict[str, tuple[str, str]],
) -> None:
    """Count what each rule would get, by its own pattern and the timeline's events."""
    tests = {
        name: compile_pattern(json.loads(archive.pattern(desk.deployment.bus, full)))
        for name, (full, _) in rules.items()
    }
    counts: dict[str, Counter[str]] = {name: Counter() for name in rules}
    with desk.progress("reading the timeline") as so_far:
        for read, event in enumerate(desk.timeline.everything(), start=1):
            so_far(read)
            if event.replay is None and begin <= event.occurred_at < end:
                sent = entry(event, desk.deployment.bus)
                message = {
                    "source": sent["Source"],
                    "detail-type": sent["DetailType"],
                    "detail": event.to_detail(),
                    "replay-name": "dry-run",
                }
                for name, takes in tests.items():
                    counts[name][event.type] += takes(message)
    table = Table("rule", "event", "how many")
    for name, counted in counts.items():
        rows = [(kind, number) for kind, number in sorted(counted.items()) if number] or [("nothing", 0)]
        for kind, number in rows:
            table.add_row(name, kind, str(number))
    data = {
        "from": format_time(begin),
        "to": format_time(end),
        "archive": {"name": holds.name, "state": holds.state, "events": holds.events},
        "would_replay": {name: {k: n for k, n in counted.items() if n} for name, counted in counts.items()},
    }
    desk.show(
        as_json,
        data,
        Text(f"The archive {holds.name} is {holds.state}; it counts {holds.events} events in all."),
        table,
        Text("Counted by when each event occurred; the archive goes by when the bus took it."),
    )
