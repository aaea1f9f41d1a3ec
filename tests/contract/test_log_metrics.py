"""Figures that Terraform reads from a function's log are logged by that function, under that name."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from postbus.domain.inbound import visa
from postbus.domain.iso20022.workflow import DecisionKind, StepName
from postbus.domain.lifecycle import OutcomeState
from postbus.functions.deduplicate import handler as deduplicate
from postbus.runtime.logging import logger
from tests.fakes.endings import Ending
from tests.fakes.inbound import InMemoryClaims

MODULES = Path(__file__).resolve().parents[2] / "source" / "modules"
FILTER = re.compile(r'resource "aws_cloudwatch_log_metric_filter" "\w+" {(.*?)\n}', re.DOTALL)


def settings(name: str) -> dict[str, set[str]]:
    """This setting of each filter, by the module it stands in."""
    found: dict[str, set[str]] = {}
    for main in MODULES.glob("*/main.tf"):
        for block in FILTER.findall(main.read_text(encoding="utf-8")):
            found.setdefault(main.parent.name, set()).update(re.findall(rf'{name} += "(.*)"', block))
    return found


def takes_back_what_is_being_sent() -> None:
    ending = Ending(2)
    ending.pipeline(1, OutcomeState.SENDING)
    ending.wants(DecisionKind.CANCELLATION)
    ending.run(StepName.DECIDE)


def looks_at_an_empty_batch() -> None:
    nothing: Any = None
    deduplicate.build(visa.SOURCE, nothing, InMemoryClaims(), nothing, Ending().clock, timedelta(hours=1))([])


# Which figure, as a number above or equal to this, is logged when.
LOGGED: dict[tuple[str, str], tuple[Callable[[], None], int]] = {
    ("iso20022", "transfers_being_sent"): (takes_back_what_is_being_sent, 1),
    ("inbound_source", "oldest_record_seconds"): (looks_at_an_empty_batch, 0),
}


def test_every_filter_has_its_figure_here() -> None:
    read = {(module, value) for module, values in settings("value").items() for value in values}
    assert read == {(module, f"$.{figure}") for module, figure in LOGGED}
    patterns = {(module, one) for module, found in settings("pattern").items() for one in found}
    assert patterns == {(module, f"{{ $.{figure} = * }}") for module, figure in LOGGED}


@pytest.mark.parametrize(("module", "figure"), LOGGED)
def test_what_a_filter_reads_is_logged_as_a_number(
    module: str, figure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = StringIO()
    monkeypatch.setattr(logger().registered_handler, "stream", log)
    happens, number = LOGGED[module, figure]
    happens()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line[figure] for line in lines if figure in line] == [number]
