"""How many transactions a token made within an hour: a short list of ids in the claims table.

A list and not a set, because a transaction's number is its place in it: asking again, even much later, gives
the same number, so a repeated event carries the same facts.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.domain.enrichment import MOST_COUNTED

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT = timedelta(days=8)


class DynamoDbVelocity:
    """Counts on DynamoDB, one conditional update each."""

    def __init__(self, client: "DynamoDBClient", table: str, most_counted: int = MOST_COUNTED) -> None:
        self._client = client
        self._table = table
        self._most_counted = most_counted

    def count(self, token: str, transaction_id: str, at: datetime) -> int:
        """See ``ports.VelocityCounter``; from ``most_counted`` on it stays there."""
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        # Ids may be long; six bytes tell the transactions of one token and hour apart, and keep the busiest
        # hour's item below two kilobytes.
        one = hashlib.sha256(transaction_id.encode()).hexdigest()[:12]
        try:
            with answering("claims table"):
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"claim_key": {"S": f"velocity#{token}#{hour:%Y-%m-%dT%H}"}},
                    UpdateExpression=(
                        "SET transactions = list_append(if_not_exists(transactions, :none), :these),"
                        " expires_at = :expires_at"
                    ),
                    ConditionExpression=(
                        "attribute_not_exists(transactions)"
                        " OR (NOT contains(transactions, :one) AND size(transactions) < :most)"
                    ),
                    ExpressionAttributeValues={
                        ":none": {"L": []},
                        ":these": {"L": [{"S": one}]},
                        ":one": {"S": one},
                        ":most": {"N": str(self._most_counted)},
                        ":expires_at": {"N": str(int((hour + _KEPT).timestamp()))},
                    },
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            counted = _counted(error.response["Item"])  # type: ignore[typeddict-item]
            return counted.index(one) + 1 if one in counted else self._most_counted
        return len(_counted(answer["Attributes"]))


def _counted(item: Mapping[str, Any]) -> list[str]:
    return [member["S"] for member in item["transactions"]["L"]]
