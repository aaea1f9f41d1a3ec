"""What X-Ray's daemon is sent of a call that fails: the error's type, and none of its words."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[3] / "source" / "src"

# In a process of its own: the recorder is one for a process, and Lambda's variables are read at its start.
TRACED = """
import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from postbus.runtime.entry import request_function

def fail(event):
    with mock_aws():
        try:
            boto3.client("sqs", region_name="eu-central-1").get_queue_url(QueueName=event["Nm"])
        except ClientError as error:
            assert "does not exist" in str(error)
    raise ValueError(event["PAN"])

try:
    request_function(lambda _config: fail)({"PAN": "4000000000000002", "Nm": "Anna-Muster"}, None)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def daemon() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)
        yield listening


def test_a_trace_tells_an_error_by_its_type_and_in_none_of_its_words(daemon: socket.socket) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "POSTBUS_TRACING": "on",
        "POWERTOOLS_SERVICE_NAME": "traced",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_LAMBDA_FUNCTION_NAME": "traced",
        "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
        "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    done = subprocess.run(
        [sys.executable, "-c", TRACED], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "Unexpected ValueError"
    sent = [daemon.recv(65_536).decode().partition("\n")[2] for _ in range(2)]
    told = [json.loads(one) for one in sent]
    errors = [error for one in told for error in one.get("cause", {}).get("exceptions", ())]
    assert {error["type"] for error in errors} == {"ValueError", "QueueDoesNotExist"}
    assert [error["message"] for error in errors if error.get("message")] == []
    assert "4000000000000002" not in "".join(sent)
