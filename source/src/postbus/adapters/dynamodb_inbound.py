"""An inbound source's table and its stream, read again: what the pipe reads once."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.domain.errors import PostbusError, Unavailable
from postbus.domain.inbound.source import APPROVED

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

Image = Mapping[str, Any]

# An open shard answers for ever, and now and then with nothing though more is to come.
_EMPTY_ANSWERS = 5


class Forgotten(PostbusError):
    """The stream no longer holds these records: it keeps them for 24 hours."""


class DynamoDbInbound:
    """The table of one source; images are in DynamoDB's notation."""

    def __init__(self, client: "DynamoDBClient", table: str, key: str) -> None:
        self._client = client
        self._table = table
        self._key = key

    def approved(self) -> Iterator[Image]:
        """Every approved record, in no order."""
        with answering(f"table {self._table}"):
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._table,
                ConsistentRead=True,
                FilterExpression="#status = :approved",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":approved": {"S": APPROVED}},
            )
            for page in pages:
                yield from page["Items"]

    def find(self, key: str) -> Image | None:
        """The record as it is now."""
        with answering(f"table {self._table}"):
            answer = self._client.get_item(
                TableName=self._table, Key={self._key: {"S": key}}, ConsistentRead=True
            )
        return answer.get("Item")

    def as_inserted(self, image: Image) -> dict[str, Any]:
        """The stream's record of an insertion of this image, as the pipe would hand it on."""
        key = image[self._key]["S"]
        return {
            "eventID": f"resubmitted-{key}",
            "eventName": "INSERT",
            "eventSource": "aws:dynamodb",
            "dynamodb": {"Keys": {self._key: image[self._key]}, "NewImage": dict(image)},
        }


def enters(record: Mapping[str, Any], region: str) -> bool:
    """Whether the pipe's filter lets a stream record through: newly approved, and of this region."""
    stored = record["dynamodb"]
    new, old = stored.get("NewImage") or {}, stored.get("OldImage") or {}
    return (
        record["eventName"] in ("INSERT", "MODIFY")
        and new.get("status") == {"S": APPROVED}
        and old.get("status") != {"S": APPROVED}
        and is_here(new, region)
    )


def is_here(image: Image, region: str) -> bool:
    """Whether a record is this region's; one that does not say is read here, and found malformed."""
    return image.get("home_region", {}).get("S", "") in ("", region)


def stream_records(
    client: "DynamoDBStreamsClient", stream_arn: str, shard_id: str, first: str, last: str
) -> list[dict[str, Any]]:
    """The records between two sequence numbers, both included.

    Raises:
        Forgotten: the stream does not hold them any more.
        Unavailable: it has not told them all, though it may hold them.
    """
    found: list[dict[str, Any]] = []
    try:
        with answering("stream"):
            iterator: str | None = client.get_shard_iterator(
                StreamArn=stream_arn,
                ShardId=shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=first,
            ).get("ShardIterator")
            empty = 0
            while iterator and empty < _EMPTY_ANSWERS:
                answer = client.get_records(ShardIterator=iterator)
                empty = 0 if answer["Records"] else empty + 1
                for record in answer["Records"]:
                    if int(record["dynamodb"]["SequenceNumber"]) > int(last):
                        return found
                    found.append(_as_delivered(record))
                if found and int(found[-1]["dynamodb"]["SequenceNumber"]) >= int(last):
                    return found
                iterator = answer.get("NextShardIterator")
    except ClientError as error:
        if code_of(error) in ("TrimmedDataAccessException", "ResourceNotFoundException"):
            raise Forgotten("the stream keeps records for 24 hours, and these are older") from error
        raise
    if iterator:
        raise Unavailable(f"the stream has told {len(found)} records and not yet all of them")
    if not found:
        raise Forgotten("the stream holds no such records any more")
    return found


def _as_delivered(record: Any) -> dict[str, Any]:
    """Without what is no JSON: the time as epoch seconds, as the pipe delivers it."""
    stored = dict(record["dynamodb"])
    created = stored.get("ApproximateCreationDateTime")
    if created is not None and not isinstance(created, (int, float)):
        stored["ApproximateCreationDateTime"] = created.timestamp()
    return {"eventID": record["eventID"], "eventName": record["eventName"], "dynamodb": stored}
