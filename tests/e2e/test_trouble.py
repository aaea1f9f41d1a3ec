"""The last look at a run: whatever was made to fail in it was foreseen by the functions it happened to."""

import json
from datetime import datetime

import pytest

from tests.e2e.faults import log_lines
from tests.e2e.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.needs("pipes_or_runner", "workflows")]

# What a function says where it did not get its way: an error nobody had in mind, a right it lacks.
UNFORESEEN = ("unexpected", "not deferred", "not parked")


def test_no_function_met_what_nobody_had_foreseen(stack: Stack, began: datetime) -> None:
    told = [
        (function, line)
        for function in stack.deployment["functions"]
        for line in log_lines(stack, function, began)
        if line.startswith("{") and json.loads(line).get("message") in UNFORESEEN
    ]
    assert told == []
