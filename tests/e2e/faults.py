"""Ways to make a deployed part fail and come back, by its public settings only."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from tests.e2e.stack import Stack

# Nothing listens on the discard port of this machine: a call there is refused at once.
NOWHERE = "http://127.0.0.1:9"


@contextmanager
def environment(stack: Stack, function: str, **changes: str) -> Iterator[None]:
    """Run the function with other settings, and put its own back whatever happens."""
    functions = stack.client("lambda")
    name = stack.deployment["functions"][function]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def configure(variables: dict[str, str]) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        functions.get_waiter("function_updated_v2").wait(FunctionName=name)

    configure({**before, **changes})
    try:
        yield
    finally:
        configure(before)


def log_lines(stack: Stack, function: str, since: datetime) -> Iterator[str]:
    """What the function has logged since then."""
    functions = stack.client("lambda")
    name = stack.deployment["functions"][function]
    configured = functions.get_function_configuration(FunctionName=name).get("LoggingConfig", {})
    pages = (
        stack.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=configured.get("LogGroup") or f"/aws/lambda/{name}",
            startTime=int(since.timestamp() * 1000),
        )
    )
    return (event["message"] for page in pages for event in page["events"])


def logged(stack: Stack, function: str, word: str) -> int:
    """How often a word stands in what the function logged within the last minute."""
    return sum(word in line for line in log_lines(stack, function, datetime.now(UTC) - timedelta(minutes=1)))


@contextmanager
def granted(stack: Stack, function: str, action: str, resource: str) -> Iterator[None]:
    """Let the function's role do one thing more; it matters where the target enforces roles."""
    configuration = stack.client("lambda").get_function_configuration(
        FunctionName=stack.deployment["functions"][function]
    )
    role = configuration["Role"].rpartition("/")[2]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}],
    }
    iam = stack.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="for-a-test", PolicyDocument=json.dumps(policy))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="for-a-test")


@contextmanager
def workflow_that_dies(stack: Stack) -> Iterator[None]:
    """Every execution fails at once and uncaught, as one does that the service ends."""
    dies = '{"StartAt": "Die", "States": {"Die": {"Type": "Fail", "Error": "Killed", "Cause": "a test"}}}'
    with _workflow(stack, lambda _definition: dies):
        yield


@contextmanager
def bus_that_refuses_an_entry_once(stack: Stack) -> Iterator[None]:
    """The workflow's first sending holds one more entry, which every bus refuses: nobody is AWS."""
    foreign = {"Source": "aws.nobody", "DetailType": "Refused", "Detail": "{}"}
    first = f"$sendings = 0 ? $append($entries, {json.dumps(foreign)}) : $entries"

    def edited(definition: str) -> str:
        machine = json.loads(definition)
        machine["States"]["Announce"]["Arguments"]["Entries"] = "{% " + first + " %}"
        return json.dumps(machine)

    with _workflow(stack, edited):
        yield


@contextmanager
def _workflow(stack: Stack, edited: Callable[[str], str]) -> Iterator[None]:
    """Another definition for the executions that start meanwhile."""
    states = stack.client("stepfunctions")
    arn = stack.deployment["workflow_arn"]
    before = states.describe_state_machine(stateMachineArn=arn)["definition"]
    states.update_state_machine(stateMachineArn=arn, definition=edited(before))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=before)
