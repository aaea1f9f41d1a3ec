"""The two steps by their entry points, with the settings they are deployed with."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
from postbus.adapters.lambda_checks import LambdaLiquidity
from postbus.adapters.no_liquidity import NoLiquidity
from postbus.adapters.s3_documents import S3Documents
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.workflow import StepName
from postbus.functions.process_message import handler as process_message
from postbus.functions.receive_message import handler as receive_message
from postbus.runtime.clients import caller, client
from postbus.runtime.config import Config, ConfigurationMissing
from postbus.runtime.entry import step_function
from tests.fakes.messages import CLIENT, begun
from tests.fakes.processing import World, pacs_008, transfer

REGION = "eu-central-1"


@pytest.fixture
def queues(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    client.cache_clear()
    caller.cache_clear()
    sqs, s3 = boto3.client("sqs", region_name=REGION), boto3.client("s3", region_name=REGION)
    urls = {
        name: sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        for name in ("receive", "process", "decide", "release", "dead")
    }
    for bucket in ("incoming", "outgoing"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    settings = {
        "ISO20022_TABLE": "iso20022", "INCOMING_BUCKET": "incoming", "OUTGOING_BUCKET": "outgoing",
        "LARGEST_MESSAGE_BYTES": "4194304", "DEADLINE_SECONDS": "none=900,other=60,pacs.008=30",
        "ACCOUNTS_TABLE": "accounts", "CLAIMS_TABLE": "claims", "CREDIT_TRANSFERS_TABLE": "credit_transfers",
        "CHECK_FUNCTIONS": "identity,screening,fraud",
        "LIQUIDITY_FUNCTION": "liquidity", "CHECK_TIMEOUT_SECONDS": "5",
        "CLIENTS": '{"client-acme": {"agents": ["*"]}}',
        "QUEUE_URL": urls["receive"], "DEAD_LETTER_QUEUE_URL": urls["dead"],
        "STEP_QUEUE_URLS": ",".join(f"{step}={urls[step]}" for step in ("process", "decide", "release")),
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(f"POSTBUS_{name}", value)
    yield urls
    client.cache_clear()
    caller.cache_clear()


def record(transaction_id: str, step: StepName) -> dict[str, Any]:
    body = {"transaction_id": transaction_id, "step": step.value, "attempt": 1}
    return {
        "messageId": "m-1",
        "receiptHandle": "r-1",
        "body": json.dumps(body),
        "attributes": {"MessageGroupId": transaction_id, "ApproximateReceiveCount": "1"},
    }


@pytest.mark.parametrize(
    ("body", "following"), [(pacs_008(transfer(1)), StepName.PROCESS), (b"garbage", StepName.RELEASE)]
)
def test_a_message_is_received_and_its_next_step_queued(
    queues: dict[str, str], dynamodb: Any, body: bytes, following: StepName
) -> None:
    store = DynamoDbMessages(dynamodb, "iso20022")
    head = begun(store)
    document = S3Documents(client("s3"), "incoming").put("a.xml", body)
    store.attach(head.transaction_id, CLIENT, document, head.deadline)
    handler = step_function(StepName.RECEIVE, receive_message.bind)
    answer = handler({"Records": [record(head.transaction_id, StepName.RECEIVE)]}, None)
    assert answer == {"batchItemFailures": []}
    received = store.head(head.transaction_id)
    assert received is not None
    assert received.status is Status.ACTC
    (message,) = client("sqs").receive_message(QueueUrl=queues[following])["Messages"]
    assert json.loads(message["Body"])["step"] == following


def test_a_step_that_is_not_told_where_the_next_one_goes_does_not_begin(
    queues: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTBUS_STEP_QUEUE_URLS")
    handler = step_function(StepName.RECEIVE, receive_message.bind)
    with pytest.raises(ConfigurationMissing, match="POSTBUS_STEP_QUEUE_URLS"):
        handler({"Records": []}, None)


def test_processing_finds_all_it_needs_in_its_settings(queues: dict[str, str]) -> None:
    assert callable(process_message.bind(Config.from_environment()))


def test_every_check_of_the_settings_is_asked_in_their_order(
    queues: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: list[object] = []
    monkeypatch.setattr(
        "postbus.functions.process_message.examination.Examination",
        lambda **ports: bound.extend(ports["checks"]),
    )
    monkeypatch.setattr("postbus.adapters.lambda_checks.LambdaCheck", lambda _client, name: name)
    process_message.bind(Config.from_environment())
    assert bound == ["identity", "screening", "fraud"]


@pytest.mark.parametrize(("name", "port"), [("liquidity", LambdaLiquidity), ("none", NoLiquidity)])
def test_funds_are_reserved_where_the_balances_are_kept_here(
    queues: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str, port: type
) -> None:
    bound: list[object] = []
    monkeypatch.setattr(
        "postbus.functions.process_message.submission.Submission",
        lambda **ports: bound.append(ports["liquidity"]),
    )
    monkeypatch.setenv("POSTBUS_LIQUIDITY_FUNCTION", name)
    process_message.bind(Config.from_environment())
    assert isinstance(bound[0], port)


def test_without_balances_here_every_transfer_goes_to_the_ledger_that_has_them() -> None:
    world = World(liquidity=NoLiquidity())  # type: ignore[arg-type]
    assert world.through(pacs_008(transfer(1, amount="9000000.00"))).status is Status.ACSP
    assert len(world.transfers.records) == 1
