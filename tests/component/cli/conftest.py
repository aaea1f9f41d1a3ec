"""A deployment as the command sees it: tables, queues and a bus in memory, functions in this process."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from postbus.adapters.dynamodb_claims import DynamoDbClaims
from postbus.adapters.dynamodb_items import typed
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
from postbus.adapters.record_schemas import record_schema
from postbus.adapters.sqs_parking import SqsParking
from postbus.cli.app import app
from postbus.cli.deployment import Deployment
from postbus.cli.desk import Desk
from postbus.domain.event import Event
from postbus.domain.inbound import SOURCES, RecordSchema
from postbus.functions.deduplicate.handler import build as deduplicate
from postbus.runtime.clients import now
from tests.component.iso20022.conftest import create_table as create_messages
from tests.component.ledger.worlds import create_tables
from tests.component.timeline.conftest import create_table as create_timeline
from tests.fakes.approvals import ALICE

REGION = "eu-central-1"
EXAMPLES = Path(__file__).parents[3] / "events" / "records"

PROCESSORS = ("enrich", "posting", "timeline")
STEPS = ("receive", "process")
TABLES = (*SOURCES, "ledger", "balances", "claims", "accounts", "timeline", "iso20022")


class Functions:
    """The Lambda client: each function is a Python function of this process."""

    def __init__(self) -> None:
        self.known: dict[str, Callable[[Any], Any]] = {}
        self.started: list[tuple[str, Any]] = []

    def invoke(self, FunctionName: str, Payload: bytes, InvocationType: str = "") -> Any:  # noqa: N803
        payload = json.loads(Payload)
        if InvocationType == "Event":
            self.started.append((FunctionName, payload))
            return {"StatusCode": 202}
        logging.disable()  # a function's log is not the command's answer
        try:
            answer = self.known[FunctionName](payload)
        except Exception as error:  # noqa: BLE001 - as Lambda tells it
            told = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(told)}
        finally:
            logging.disable(logging.NOTSET)
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@dataclass
class Answer:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


class World:
    """One deployment, an operator's shell, and a look at what is on the bus."""

    def __init__(self, deployment: Deployment, file: Path) -> None:
        self.deployment = deployment
        self.file = file
        self.functions = Functions()
        deployment._clients["lambda"] = self.functions
        dynamodb = self.client("dynamodb")
        self.outcomes = DynamoDbOutcomes(dynamodb, "ledger")
        self.timeline = DynamoDbTimeline(dynamodb, "timeline")
        for source in SOURCES:
            self.functions.known[f"postbus-deduplicate-{source}"] = deduplicate(
                SOURCES[source],
                RecordSchema(record_schema(source)),
                DynamoDbClaims(dynamodb, "claims", now),
                SqsParking(self.client("sqs"), deployment.one("queues", f"quarantine-{source}")),
                now,
                timedelta(days=1),
            )

    def client(self, service: str) -> Any:
        return self.deployment.client(service)

    def run(self, *words: str) -> Answer:
        result = CliRunner().invoke(app, list(words), obj=Desk(lambda: self.deployment))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def ask(self, *words: str) -> Any:
        """The JSON answer of a command that must succeed."""
        answer = self.run(*words, "--json")
        assert answer.exit_code == 0, answer
        return answer.json

    def on_the_bus(self) -> list[Event]:
        """What was published since the last look, in no order."""
        found = []
        while messages := self._receive(self._heard):
            found += [Event.from_bus(json.loads(message["Body"])) for message in messages]
        return found

    def send(self, kind: str, name: str, body: Any, **attributes: str) -> None:
        self.client("sqs").send_message(
            QueueUrl=self.deployment.one(kind, name),
            MessageBody=body if isinstance(body, str) else json.dumps(body),
            MessageAttributes={
                key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
            },
        )

    def bodies(self, kind: str, name: str) -> list[str]:
        """What is in a queue; takes it out."""
        found = []
        while messages := self._receive(self.deployment.one(kind, name)):
            found += [message["Body"] for message in messages]
        return found

    def _receive(self, url: str) -> Any:
        sqs = self.client("sqs")
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    @property
    def _heard(self) -> str:
        return str(self.client("sqs").get_queue_url(QueueName="heard")["QueueUrl"])

    def put_record(self, example: str = "purchase", source: str = "visa", **changes: Any) -> str:
        """Write a record; the id of its transaction."""
        record = json.loads((EXAMPLES / source / "v1" / "examples" / f"{example}.json").read_text())
        record = {**record, "home_region": REGION, **changes}
        record = {name: value for name, value in record.items() if value is not None}
        self.client("dynamodb").put_item(TableName=source, Item=typed(record))
        return f"{source}-{record[SOURCES[source].key]}"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_ENDPOINT_URL", "POSTBUS_DEPLOYMENT", "POSTBUS_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("postbus.adapters.sqs_dead_letters._WAIT_SECONDS", 0)  # queues here have one part
    with mock_aws():
        names = deploy()
        file = tmp_path / "deployment.json"
        file.write_text(json.dumps(names))
        yield World(Deployment(names), file)


def deploy() -> dict[str, Any]:
    """Everything by its name, as Terraform would make it, without what the command does not touch."""
    dynamodb, sqs, events, s3 = (
        boto3.client(one, region_name=REGION) for one in ("dynamodb", "sqs", "events", "s3")
    )
    create_tables(dynamodb)
    create_timeline(dynamodb)
    create_messages(dynamodb)
    keys = {source.name: source.key for source in SOURCES.values()}
    keys |= {"claims": "claim_key", "accounts": "token"}
    streamed = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    for table, key in keys.items():
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            **({"StreamSpecification": streamed} if table in SOURCES else {}),
        )
    dynamodb.put_item(TableName="accounts", Item=typed({"token": "tok_alice", **ALICE.to_data()}))

    def queue(name: str) -> str:
        return str(sqs.create_queue(QueueName=name)["QueueUrl"])

    def fifo(name: str) -> str:
        attributes = {"FifoQueue": "true", "DeduplicationScope": "messageGroup"}
        return str(sqs.create_queue(QueueName=f"{name}.fifo", Attributes=attributes)["QueueUrl"])

    queues = {name: queue(f"postbus-{name}") for name in PROCESSORS}
    queues |= {name: fifo(f"postbus-{name}") for name in STEPS}
    queues |= {f"quarantine-{source}": queue(f"postbus-quarantine-{source}") for source in SOURCES}
    dead = (
        *PROCESSORS,
        "business-rules",
        "bus",
        "sweep",
        "unheard-of",
        *(f"pipe-{source}" for source in SOURCES),
    )
    bus = events.create_event_bus(Name="postbus")["EventBusArn"]
    archive = events.create_archive(ArchiveName="postbus", EventSourceArn=bus, RetentionDays=30)["ArchiveArn"]
    events.put_rule(Name="heard", EventBusName="postbus", EventPattern='{"source": [{"prefix": "postbus."}]}')
    queue("heard")
    heard = f"arn:aws:sqs:{REGION}:123456789012:heard"
    events.put_targets(Rule="heard", EventBusName="postbus", Targets=[{"Id": "q", "Arn": heard}])
    routes = Path(__file__).parents[3] / "events" / "routes"
    rules = {}
    for name in ("enrich", "posting", "timeline"):
        pattern = json.dumps(json.loads((routes / f"{name}.json").read_text())["pattern"])
        rules[f"postbus-{name}"] = events.put_rule(
            Name=f"postbus-{name}", EventBusName="postbus", EventPattern=pattern
        )["RuleArn"]
    s3.create_bucket(Bucket="rulesets", CreateBucketConfiguration={"LocationConstraint": REGION})
    return {
        "name_prefix": "",
        "region": REGION,
        "bus": "postbus",
        "bus_arn": bus,
        "archive": "postbus",
        "archive_arn": archive,
        "tables": {name: name for name in TABLES},
        "queues": queues,
        "dead_letters": {
            **{name: queue(f"postbus-{name}-dead-letters") for name in dead},
            **{name: fifo(f"postbus-{name}-dead-letters") for name in STEPS},
        },
        "functions": {
            "sweep": "postbus-sweep",
            **{f"deduplicate-{source}": f"postbus-deduplicate-{source}" for source in SOURCES},
        },
        "buckets": {"rulesets": "rulesets"},
        "rules": rules,
        "ledger": "dynamodb",
    }
