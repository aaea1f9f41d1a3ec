"""What the bill counts is what is deployed, and the document says what the bill says."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.bench import cost

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "cost.md").read_text()


def row(name: str) -> list[str]:
    """The cells of the document's line of this name."""
    [line] = re.findall(rf"^\| {re.escape(name)} \|.*$", DOCUMENT, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


def number(cell: str) -> float:
    return float(cell.replace(",", "").strip("*"))


def counted(name: str) -> Any:
    functions = {
        step: {"invocations": 1, "messages": 1, "gb_seconds": 0.0, "log_bytes": 0}
        for step in ("record_timeline", "deduplicate_visa")
    }
    units = {"events": 1, "event bytes": 1000, "event TransactionPosted": 1}
    return next(line for line in cost.bill(units, 1, functions) if line.name == name)


def test_events_are_paid_for_as_long_as_the_archive_keeps_them() -> None:
    days = re.search(r'variable "archive_days" {.*?default += (\d+)', variables(), re.DOTALL)
    assert days is not None
    line = counted("archive, as long as kept")
    assert line.units == counted("archive").units * int(days[1]) / 30
    _, units, _, _, note = row("archive, as long as kept")
    assert number(units) == round(number(row("archive")[1]) * int(days[1]) / 30)
    assert note == line.note


def test_every_metric_that_a_function_tells_is_on_the_bill() -> None:
    assert {"LedgerImbalance", "ChangedTransactions", "ReversalsWithoutEffect"} <= cost.custom_metrics()
    [line] = [line for line in cost.idle(Counter()) if line.name == "metrics"]
    assert line.units == len(cost.custom_metrics()) == number(row("metrics")[1])


def test_a_month_without_payments_adds_up() -> None:
    [table] = re.findall(r"## A month without payments\n(.*?)\n## ", DOCUMENT, re.DOTALL)
    rows = re.findall(r"^\| (\w+) \| ([\d,]+) \| ([\d.]+) \|", table, re.MULTILINE)
    dollars = {name: number(units) * cost.prices()["idle"][name]["price"] for name, units, _ in rows}
    assert set(dollars) == {line.name for line in cost.idle(Counter())}
    assert {name: round(sum_, 2) for name, sum_ in dollars.items()} == {
        name: number(told) for name, _, told in rows
    }
    assert round(sum(dollars.values()), 2) == number(row("**in all**")[2])


def variables() -> str:
    return (ROOT / "source" / "variables.tf").read_text()
