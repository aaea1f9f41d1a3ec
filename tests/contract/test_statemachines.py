"""The workflows: valid, every state reachable, every task caught, no business in them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "statemachines").glob("*.asl.json"))
RULES = ROOT / "statemachines" / "business_rules.asl.json"
TIME_OUT = ROOT / "statemachines" / "time_out.asl.json"

# What Terraform fills in, by the name of the variable.
VALUES = {
    "evaluate_rules_arn": "arn:aws:lambda:eu-central-1:000000000000:function:postbus-evaluate-rules",
    "check_conversion_arn": "arn:aws:lambda:eu-central-1:000000000000:function:postbus-check-conversion",
    "time_out_arn": "arn:aws:lambda:eu-central-1:000000000000:function:postbus-time-out-messages",
    "bus_name": "postbus",
    "parking_queue_url": "https://sqs.eu-central-1.amazonaws.com/000000000000/postbus-parking",
}

# An Express execution ends after five minutes, uncaught; what it parks must be parked before.
EXPRESS_SECONDS = 300


def rendered(file: Path) -> dict[str, Any]:
    """As Terraform's templatefile makes it; a variable that is not among VALUES fails, as it would there."""
    text = file.read_text()
    assert "%{" not in text, "Terraform takes that for a directive"
    definition: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)\}", lambda name: VALUES[name[1]], text))
    return definition


def states(file: Path) -> dict[str, dict[str, Any]]:
    return dict(rendered(file)["States"])


def successors(state: dict[str, Any]) -> Iterator[str]:
    for holder in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from (holder[name] for name in ("Next", "Default") if name in holder)


def tasks(file: Path) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in states(file).items() if state["Type"] == "Task"}


@pytest.fixture(scope="session")
def validator() -> Path:
    """The pinned validator, installed beside the other caches once."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("needs node and npm on PATH, for the state machine validator")
    source, folder = Path(__file__).parent / "asl", ROOT / ".local" / "cache" / "asl-validator"
    program = folder / "node_modules" / ".bin" / "asl-validator"
    lock = (source / "package-lock.json").read_text()
    installed = folder / "package-lock.json"
    if not program.exists() or not installed.exists() or installed.read_text() != lock:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            installed.unlink(missing_ok=True)
            pytest.skip(f"npm could not install the state machine validator: {done.stderr.strip()[-300:]}")
    return program


def judged(validator: Path, definition: Any) -> subprocess.CompletedProcess[str]:
    command = ["node", str(validator), "--json-definition", json.dumps(definition)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_these_are_the_workflows() -> None:
    assert FILES == [RULES, TIME_OUT]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_is_valid_by_the_languages_own_validator(validator: Path, file: Path) -> None:
    done = judged(validator, rendered(file))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_validator_sees_a_branch_that_leads_nowhere(validator: Path, file: Path) -> None:
    broken = rendered(file)
    next(state for state in broken["States"].values() if state["Type"] == "Choice")["Default"] = "Nowhere"
    done = judged(validator, broken)
    assert done.returncode != 0
    assert "Nowhere" in done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_state_can_be_reached_and_every_end_is_meant(file: Path) -> None:
    all_states = states(file)
    reached, waiting = set(), {rendered(file)["StartAt"]}
    while waiting:
        reached |= waiting
        waiting = {name for one in waiting for name in successors(all_states[one])} - reached
    assert reached == set(all_states)
    ends = {name for name, state in all_states.items() if not list(successors(state))}
    assert ends
    assert {all_states[name]["Type"] for name in ends} <= {"Succeed", "Fail"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_task_is_caught_whatever_it_fails_of(file: Path) -> None:
    assert tasks(file)
    for name, task in tasks(file).items():
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name
        assert 0 < task["TimeoutSeconds"] < EXPRESS_SECONDS, name


def test_every_task_of_the_rules_is_retried_long_enough() -> None:
    assert len(tasks(RULES)) >= 4
    for name, task in tasks(RULES).items():
        last = task["Retry"][-1]
        assert "States.TaskFailed" in last["ErrorEquals"] or "States.ALL" in last["ErrorEquals"], name
        for retrier in task["Retry"]:
            numbers = [
                retrier[field]
                for field in ("IntervalSeconds", "BackoffRate", "MaxAttempts")
                if field in retrier
            ]
            # As text every execution would fail, and not before.
            assert all(type(number) in (int, float) for number in numbers), name
        assert last["MaxAttempts"] >= 30, name
        waits = [
            min(last["IntervalSeconds"] * last["BackoffRate"] ** tried, last["MaxDelaySeconds"])
            for tried in range(last["MaxAttempts"])
        ]
        assert 60 <= sum(waits) <= EXPRESS_SECONDS / 2, name


def test_whatever_fails_is_parked_with_its_reason_before_the_workflow_fails() -> None:
    all_states = states(RULES)
    (park,) = [name for name, task in tasks(RULES).items() if "sqs" in task["Resource"]]
    for name, task in tasks(RULES).items():
        if name != park:
            assert [catcher["Next"] for catcher in task["Catch"]] == [park], name
            assert all("error" in catcher["Assign"] for catcher in task["Catch"]), name
    arguments = all_states[park]["Arguments"]
    # The message as it came: a redrive publishes it again, with the name of its replay if it has one.
    assert arguments["MessageBody"] == "{% $string($states.context.Execution.Input) %}"
    assert "$error" in arguments["MessageAttributes"]["reason"]["StringValue"]
    assert all_states[all_states[park]["Next"]]["Type"] == "Fail"


def test_what_the_functions_say_can_never_succeed_is_parked_at_once_with_their_reason() -> None:
    all_states = states(RULES)
    asked = {name: task for name, task in tasks(RULES).items() if "lambda" in task["Resource"]}
    assert len(asked) == 2
    for name, task in asked.items():
        assert "$states.result.Payload.park" in task["Assign"]["error"]["Cause"], name
        answered = all_states[task["Next"]]
        assert [choice["Condition"] for choice in answered["Choices"]] == ["{% $error.Cause = '' %}"], name
        assert "sqs" in all_states[answered["Default"]]["Resource"], name


def test_functions_get_the_message_whole() -> None:
    payloads = [
        json.dumps(task["Arguments"]["Payload"])
        for task in tasks(RULES).values()
        if "lambda" in task["Resource"]
    ]
    assert len(payloads) == 2
    assert all("{% $states.context.Execution.Input %}" in payload for payload in payloads)


def test_it_knows_of_no_amount_currency_or_limit() -> None:
    """What it may look at is whether there is something to check; what is judged stands in ``rules/``."""
    expressions = re.findall(r"{%(.*?)%}", RULES.read_text())
    assert expressions
    about_data = [one.strip() for one in expressions if "detail" in one]
    assert about_data == ["$states.input.detail.data.facts.converted = true"]
    assert not re.search(r"amount|currency|minor|severity|threshold", " ".join(expressions))


# --- the clock --------------------------------------------------------------------------------------------


def test_four_looks_stand_15_seconds_apart_by_the_clock_and_fit_into_the_minute_that_starts_them() -> None:
    all_states = states(TIME_OUT)
    (last,) = [state for state in all_states.values() if state["Type"] == "Choice"]
    assert [choice["Condition"] for choice in last["Choices"]] == ["{% $tick < 4 %}"]
    (wait,) = [state for state in all_states.values() if state["Type"] == "Wait"]
    assert wait["Timestamp"] == (
        "{% $fromMillis($toMillis($states.context.Execution.StartTime) + 15000 * $tick) %}"
    )


def test_a_look_that_failed_is_counted_and_followed_by_the_next() -> None:
    (look,) = tasks(TIME_OUT).values()
    (caught,) = look["Catch"]
    assert "Retry" not in look
    assert caught["Next"] == look["Next"]
    assert caught["Assign"] == look["Assign"] == {"tick": "{% $tick + 1 %}"}


def test_even_looks_that_all_take_too_long_end_before_the_execution_does() -> None:
    (look,) = tasks(TIME_OUT).values()
    assert 4 * look["TimeoutSeconds"] < EXPRESS_SECONDS
