"""Requests nobody thought of, made from the contract, against the real function on services in memory."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import schemathesis
import yaml
from botocore.config import Config
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from schemathesis import GenerationMode

from postbus.functions.serve_iso20022 import handler
from postbus.runtime import clients
from postbus.runtime.api import serve
from postbus.runtime.config import Config as Settings
from tests.component.iso20022.conftest import create_table
from tests.fakes.gateway import application

ROOT = Path(__file__).parents[3]
REGION = "eu-central-1"
TOKEN = "a.b.c"
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "iso20022.openapi.yaml").read_text("utf-8"))
ROUTES = [f"{method.upper()} {path}" for path, item in CONTRACT["paths"].items() for method in item]
# Where nothing is asked for, nothing can be wrong.
FAULTY = [route for route in ROUTES if "/health" not in route]
GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
STEPS = ("receive", "process", "decide", "release")


@pytest.fixture(scope="module")
def deployed() -> Iterator[Any]:
    """The function as deployed: its own binding, with a table, buckets and queues behind it."""
    names = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in names.items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        clients.client.cache_clear()
        create_table(boto3.client("dynamodb"))
        s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
        for bucket in ("incoming", "outgoing"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        sqs = boto3.client("sqs")
        queues = {
            step: sqs.create_queue(QueueName=f"{step}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
            for step in STEPS
        }
        urls = ",".join(f"{step}={url}" for step, url in queues.items())
        values = {
            "ISO20022_TABLE": "iso20022", "INCOMING_BUCKET": "incoming", "OUTGOING_BUCKET": "outgoing",
            "STEP_QUEUE_URLS": urls, "DEADLINE_SECONDS": "other=60,none=600", "HOME_REGION": REGION,
            "LARGEST_MESSAGE_BYTES": str(20 * 1024 * 1024),
        }  # fmt: skip
        routes = handler.bind(Settings({f"POSTBUS_{name}": value for name, value in values.items()}))
        yield application(lambda event, _context: serve(event, routes), routes, TOKEN)
        clients.client.cache_clear()


@pytest.fixture(scope="module")
def contract(deployed: Any) -> Any:
    schema = schemathesis.openapi.from_dict({**CONTRACT, "servers": [{"url": "http://localhost"}]})
    schema.app = deployed
    return schema


@pytest.mark.parametrize(
    ("route", "mode"), [*((one, GOOD) for one in ROUTES), *((one, BAD) for one in FAULTY)]
)
def test_every_request_gets_an_answer_of_the_contract(contract: Any, route: str, mode: Any) -> None:
    method, _, path = route.partition(" ")
    operation = contract[path][method]
    opened = [_opened(contract)]

    @settings(
        max_examples=int(os.environ.get("POSTBUS_FUZZ_EXAMPLES", "10")),
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
    def ask(case: Any, is_known: bool) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {TOKEN}"}
        if is_known and mode is GOOD:
            # Otherwise hardly a call would come further than to a transaction that is not there.
            _name(case, opened[0])
        answer = case.call()
        assert answer.status_code < 500, answer.text
        case.operation.validate_response(answer)

    ask()


def _name(case: Any, transaction_id: str) -> None:
    if "transaction_id" in (case.path_parameters or {}):
        case.path_parameters["transaction_id"] = transaction_id
    elif "X-Transaction-Id" in case.headers:
        case.headers["X-Transaction-Id"] = transaction_id


def _opened(contract: Any) -> str:
    case = contract["/v1/transactions"]["POST"].Case(headers={"Authorization": f"Bearer {TOKEN}"})
    return str(case.call().json()["transaction_id"])


def test_a_message_comes_through_the_functions_own_binding_to_its_queue(contract: Any) -> None:
    own, named = _opened(contract), {"Authorization": f"Bearer {TOKEN}"}
    for _ in range(2):
        taken = contract["/v1/incoming"]["POST"].Case(
            headers={**named, "X-Transaction-Id": own}, body=b"<Document/>", media_type="application/xml"
        )
        assert taken.call().status_code == 202
    told = contract["/v1/transactions/{transaction_id}"]["GET"].Case(
        headers=named, path_parameters={"transaction_id": own}
    )
    assert told.call().json()["message"]["length_bytes"] == len(b"<Document/>")
    (queue,) = boto3.client("sqs").list_queues(QueueNamePrefix="receive")["QueueUrls"]
    bodies = []
    while (
        messages := boto3.client("sqs")
        .receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        .get("Messages")
    ):
        bodies += [json.loads(message["Body"]) for message in messages]
    assert bodies.count({"transaction_id": own, "step": "receive", "attempt": 1}) == 1
    deep = contract["/v1/health/deep"]["GET"].Case(headers=named).call()
    assert deep.json()["dependencies"] == [
        "incoming messages", "outgoing messages", "queue of decide", "queue of process", "queue of receive",
        "queue of release", "transactions",
    ]  # fmt: skip
