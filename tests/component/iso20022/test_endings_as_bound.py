"""The last functions with AWS behind their ports, by the settings they are deployed with."""

import json
from typing import Any

import boto3
import pytest

from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
from postbus.adapters.sns_notices import SnsNotices
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.notices import Notice
from postbus.domain.iso20022.workflow import (
    CANCELLATION_ANSWER,
    OUTGOING,
    Decision,
    DecisionKind,
    Next,
    StepCall,
    StepName,
    Took,
)
from postbus.functions.collect_outcomes import handler as collect_outcomes
from postbus.functions.decide_message import handler as decide_message
from postbus.functions.release_message import handler as release_message
from postbus.functions.time_out_messages import handler as time_out_messages
from postbus.runtime import clients
from postbus.runtime.config import Config
from tests.fakes.endings import CLIENT, ID, Ending
from tests.fakes.messages import NOON, processing

SETTINGS = {
    "POSTBUS_ISO20022_TABLE": "iso20022",
    "POSTBUS_LEDGER_TABLE": "ledger",
    "POSTBUS_ACCOUNTS_TABLE": "accounts",
    "POSTBUS_INCOMING_BUCKET": "incoming",
    "POSTBUS_OUTGOING_BUCKET": "outgoing",
    "POSTBUS_BUS": "postbus",
    "POSTBUS_STEP_QUEUE_URLS": "release=https://queue/release,decide=https://queue/decide",
}


def table(client: Any, name: str, key: str, *indexes: str) -> None:
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in (key, *indexes)],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        **(
            {
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": index,
                        "KeySchema": [{"AttributeName": index, "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                    for index in indexes
                ]
            }
            if indexes
            else {}
        ),
    )


@pytest.fixture
def config(dynamodb: Any) -> Config:
    clients.client.cache_clear()
    table(dynamodb, "ledger", "transaction_id", "attention")
    table(dynamodb, "accounts", "token", "iban")
    s3 = boto3.client("s3")
    for bucket in ("incoming", "outgoing"):
        s3.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )  # fmt: skip
    boto3.client("events").create_event_bus(Name="postbus")
    topic = boto3.client("sns").create_topic(Name="statuses")["TopicArn"]
    return Config({**SETTINGS, "POSTBUS_STATUSES_TOPIC_ARN": topic})


def test_a_cancelled_message_ends_in_the_tables_and_buckets(config: Config, dynamodb: Any) -> None:
    story, store = Ending(2), DynamoDbMessages(dynamodb, "iso20022")
    boto3.client("s3").put_object(
        Bucket="incoming", Key="incoming/a.xml", Body=story.documents.bodies["incoming/1.xml"]
    )
    processing(store)
    store.add_children(ID, [story.child(1), story.child(2)])
    store.decide(ID, Decision(key="one", kind=DecisionKind.CANCELLATION, by=CLIENT, at=NOON))
    assert decide_message.bind(config)(StepCall(ID, StepName.DECIDE, 1)) == Next(StepName.RELEASE, again=True)
    assert release_message.bind(config)(StepCall(ID, StepName.RELEASE, 1)) == Took()
    head = store.head(ID)
    assert head
    assert (head.status, head.children_open) == (Status.CANC, 0)
    for name in (OUTGOING, CANCELLATION_ANSWER):
        stored = boto3.client("s3").get_object(Bucket="outgoing", Key=head.documents[name].key)
        assert b"CANC" in stored["Body"].read() or name == CANCELLATION_ANSWER
    outcomes = dynamodb.scan(TableName="ledger")["Items"]
    assert [item["state"]["S"] for item in outcomes] == ["VOIDED", "VOIDED"]
    # Announced, so that nobody need look at them any more.
    assert not any("attention" in item for item in outcomes)


def test_the_others_find_their_settings(config: Config) -> None:
    assert callable(collect_outcomes.bind(config))
    assert time_out_messages.bind(config)({"tick": 1}) == {"timed_out": 0, "sent_again": 0}


def test_a_notice_reaches_the_topic_with_what_to_filter_by(config: Config) -> None:
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    topic = config.text("STATUSES_TOPIC_ARN")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    ending = Ending(1)
    ending.wants(DecisionKind.CANCELLATION)
    ending.settle()
    SnsNotices(sns, topic).tell(Notice.of(ending.head))
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    heard = json.loads(message["Body"])
    assert json.loads(heard["Message"])["status"] == "CANC"
    assert heard["MessageAttributes"]["owner"]["Value"] == CLIENT
