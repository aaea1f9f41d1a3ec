"""What a million payments cost on AWS, counted from a run, times list prices, line by line.

The counting proxy (``tests.bench.meter``) stands between the functions and the emulator, so that every
DynamoDB unit, event and queue request is one that was really asked for.  What the services do by themselves
is derived from what was counted, by the rules named in the lines below.
"""

import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.settings import ROOT
from local.terraform import SOURCE

MILLION = 1_000_000
FIREHOSE_ROUNDING = 5 * 1024
PRICES = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill of a million payments."""

    name: str
    units: float
    unit: str
    dollars: float
    note: str
    timeline: bool = False


def prices() -> dict[str, Any]:
    return tomllib.loads(PRICES.read_text())


def variable_default(name: str) -> str:
    """The default of a Terraform variable: what a deployment to AWS has."""
    text = (SOURCE / "variables.tf").read_text()
    found = re.search(rf'variable "{name}" {{[^}}]*?\n  default += (\S+)', text)
    if found is None:
        raise SystemExit(f"variables.tf: {name} has no default")
    return found[1]


def bill(
    counted: Mapping[str, float], payments: int, functions: Mapping[str, Mapping[str, float]]
) -> list[Line]:
    """The lines of the bill for a million payments.

    Args:
        counted: the meter's units for ``payments`` payments.
        functions: by function ``invocations``, ``messages``, ``gb_seconds``, ``log_bytes`` of that run.
    """
    price = prices()
    lines: list[Line] = []

    def line(name: str, key: str, units: float, note: str, timeline: bool = False) -> None:
        units = units / payments * MILLION
        dollars = units * price[key]["price"] / price[key]["per"]
        lines.append(Line(name, units, price[key]["unit"], dollars, note, timeline))

    def total(prefix: str, *, timeline: bool | None = None) -> float:
        return sum(
            units
            for name, units in counted.items()
            if name.startswith(prefix) and (timeline is None or ("timeline" in name) is timeline)
        )

    # The pipe's and the workflow's events do not pass the meter; the timeline is told of every event once.
    events = functions["record_timeline"]["messages"]
    event_bytes = events * counted["event bytes"] / counted["events"]
    line("bus events", "events", events, "every event, as the timeline was told of them")
    batches = sum(part["invocations"] for name, part in functions.items() if name.startswith("deduplicate"))
    line("pipe", "pipe", batches, "one request a batch")
    line("archive", "archive", event_bytes, "each event once, of the mean size measured")
    kept = int(variable_default("archive_days"))
    line("archive, as long as kept", "archive_storage", event_bytes * kept / 30, f"archive_days = {kept}")
    executions = counted.get("event TransactionEnriched", 0)
    line("workflow", "workflow", executions, "one execution for each enriched payment")
    evaluated = functions.get("evaluate_rules", {}).get("gb_seconds", 0.0)
    seconds = executions * 0.1 * max(1, math.ceil(evaluated / max(executions, 1) * 10))
    line("workflow duration", "workflow_duration", seconds * 0.0625, "64 MB, rounded up to 100 ms each")
    for timeline in (False, True):
        chosen = {name: part for name, part in functions.items() if (name == "record_timeline") is timeline}
        label = "timeline functions" if timeline else "functions"
        line(
            label,
            "functions",
            sum(part["invocations"] for part in chosen.values()),
            "batches as they fell",
            timeline,
        )
        line(
            f"{label}' time",
            "function_duration",
            sum(part["gb_seconds"] for part in chosen.values()),
            "this machine's time at the functions' memory",
            timeline,
        )
        writes = total("write ", timeline=timeline)
        line("timeline writes" if timeline else "table writes", "writes", writes, "measured sizes", timeline)
        # A rule sends each event; ten at most are received, and deleted, by one request.
        polled = [part for part in chosen.values() if part.get("queued")]
        requests = sum(
            part["messages"] + 2 * max(part["invocations"], part["messages"] / 10) for part in polled
        )
        line(
            "timeline queue" if timeline else "queues",
            "queues",
            requests + (0 if timeline else total("sqs ")),
            "one send an event; receive and delete ten",
            timeline,
        )
    line("table reads", "reads", total("read "), "measured sizes")
    line("logs", "logs", sum(part["log_bytes"] for part in functions.values()), "one line a batch, INFO")
    line("audit", "audit", events * FIREHOSE_ROUNDING, "each event rounded up to 5 KB")
    finals = (
        "event TransactionPosted",
        "event TransactionRejected",
        "event TransactionHeld",
        "event TransactionPostingFailed",
        "event TransactionVoided",
    )
    line("notifications", "notifications", sum(counted.get(name, 0) for name in finals), "one an outcome")
    line("traces", "traces", payments * 0.05, "sampled: 5 in 100")
    line(
        "encryption",
        "encryption",
        payments * 0.002,
        "an allowance: queues and tables reuse a data key for 5 minutes",
    )
    return lines


_FUNCTIONS = ROOT / "source/src/postbus/functions"
_PUBLISHED = re.compile(r'publish\("(\w+)"')
_POLLERS_A_QUEUE = 5
_POLLS_A_MINUTE = 3
_MINUTES_A_MONTH = 60 * 24 * 30
_MINUTES_BETWEEN_RUNS = 5


def custom_metrics() -> set[str]:
    """Names under which the functions that every deployment has publish metrics of their own."""
    return {
        name
        for handler in _FUNCTIONS.glob("*/handler.py")
        if handler.parent.name != "read_broker"  # only a bridge to a broker has it
        for name in _PUBLISHED.findall(handler.read_text())
    }


def idle(resources: Counter[str]) -> list[Line]:
    """What a month costs while nothing is posted, from the resources that Terraform made."""
    price = prices()["idle"]
    counts = {
        "keys": resources["aws_kms_key"],
        "alarms": resources["aws_cloudwatch_metric_alarm"],
        "dashboards": resources["aws_cloudwatch_dashboard"],
        "metrics": len(custom_metrics()),
        "secrets": resources["aws_secretsmanager_secret"],
        "polls": resources["aws_lambda_event_source_mapping"]
        * _POLLERS_A_QUEUE
        * _POLLS_A_MINUTE
        * _MINUTES_A_MONTH,
        "schedules": resources["aws_scheduler_schedule"] * _MINUTES_A_MONTH // _MINUTES_BETWEEN_RUNS,
    }
    return [
        Line(key, count, price[key]["unit"], count * price[key]["price"], "a month")
        for key, count in counts.items()
    ]


def show(lines: list[Line], idle_lines: list[Line]) -> None:
    print(f"{'per million payments':<28}{'units':>16}  {'US dollars':>10}  unit; how it was counted")
    for entry in lines:
        print(f"{entry.name:<28}{entry.units:>16,.0f}  {entry.dollars:>10.2f}  {entry.unit}; {entry.note}")
    without = sum(entry.dollars for entry in lines if not entry.timeline)
    print(f"{'before the timeline':<28}{'':>16}  {without:>10.2f}")
    print(f"{'with everything on':<28}{'':>16}  {sum(entry.dollars for entry in lines):>10.2f}\n")
    print(f"{'idle, a month':<28}{'units':>16}  {'US dollars':>10}")
    for entry in idle_lines:
        print(f"{entry.name:<28}{entry.units:>16,.0f}  {entry.dollars:>10.2f}  {entry.unit}")
    print(f"{'idle in all':<28}{'':>16}  {sum(entry.dollars for entry in idle_lines):>10.2f}")


def as_json(lines: list[Line], idle_lines: list[Line]) -> str:
    return json.dumps(
        {
            "per_million": [
                {"name": e.name, "units": e.units, "dollars": round(e.dollars, 4)} for e in lines
            ],
            "before_timeline": round(sum(e.dollars for e in lines if not e.timeline), 2),
            "with_everything": round(sum(e.dollars for e in lines), 2),
            "idle_month": round(sum(e.dollars for e in idle_lines), 2),
        }
    )
