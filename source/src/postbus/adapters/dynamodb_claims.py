"""Claims on identities and fingerprints, each one conditional put.

Times are text, which sorts as they do: a number of milliseconds has as many digits as a card number.
A claim's ``binds_until`` is compared with the time of the event that wants the key.  ``expires_at`` is when
the table's TTL may delete the item: a week later than that or than now, for a record may be processed long
after its time and be followed by its duplicate only then.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.adapters.several import KeptThreads
from postbus.domain.duplicates import Claim
from postbus.domain.event import format_time, parse_time

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_GRACE = timedelta(days=7)


class DynamoDbClaims:
    """The duplicate store on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._threads = KeptThreads()

    def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
        """See ``ports.ClaimStore``; keys that differ are claimed at the same time, and one that
        is repeated, as look-ups of thousands of references are, is made once."""
        per_key: dict[str, list[int]] = defaultdict(list)
        for index, claim in enumerate(wanted):
            per_key[claim.key].append(index)

        def in_order(indices: list[int]) -> list[tuple[int, Claim]]:
            runs = groupby(indices, lambda index: wanted[index])
            claimed = ((self._claim(claim), run) for claim, run in runs)
            return [(index, standing) for standing, run in claimed for index in run]

        made = self._threads.each(in_order, per_key.values())
        standing = dict(pair for pairs in made for pair in pairs)
        return [standing[index] for index in range(len(wanted))]

    def _claim(self, wanted: Claim) -> Claim:
        condition = "attribute_not_exists(claim_key) OR binds_until <= :event_time"
        values: Any = {":event_time": {"S": format_time(wanted.event_time)}}
        if wanted.instead_of is not None:
            condition += " OR transaction_id = :instead_of"
            values[":instead_of"] = {"S": wanted.instead_of}
        try:
            with answering("claims table"):
                self._client.put_item(
                    TableName=self._table,
                    Item=self._item(wanted),
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return _claim_of(error.response["Item"])  # type: ignore[typeddict-item]
        return wanted

    def _item(self, claim: Claim) -> dict[str, Any]:
        delete_after = max(claim.expires_at, self._clock()) + _GRACE
        return {
            "claim_key": {"S": claim.key},
            "transaction_id": {"S": claim.transaction_id},
            "content_hash": {"S": claim.content_hash},
            "event_time": {"S": format_time(claim.event_time)},
            "binds_until": {"S": format_time(claim.expires_at)},
            "expires_at": {"N": str(int(delete_after.timestamp()))},
        }


def _claim_of(item: Mapping[str, Any]) -> Claim:
    return Claim(
        key=item["claim_key"]["S"],
        transaction_id=item["transaction_id"]["S"],
        content_hash=item["content_hash"]["S"],
        event_time=parse_time(item["event_time"]["S"]),
        expires_at=parse_time(item["binds_until"]["S"]),
    )
