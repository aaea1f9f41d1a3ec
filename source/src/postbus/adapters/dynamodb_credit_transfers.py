"""The input table of the ``credit_transfers`` source, written to by the ISO 20022 front."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.adapters.dynamodb_items import plain, typed
from postbus.adapters.several import each
from postbus.domain.errors import InvariantBroken

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = "transfer"


class DynamoDbCreditTransfers:
    """``ports_iso20022.CreditTransfers``: one conditional put for each record, several at the same time."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def submit(self, records: Sequence[Mapping[str, Any]]) -> None:
        each(self._put, records)

    def _put(self, record: Mapping[str, Any]) -> None:
        try:
            with answering(f"table {self._table}"):
                self._client.put_item(
                    TableName=self._table,
                    Item=typed(record),
                    ConditionExpression="attribute_not_exists(#key)",
                    ExpressionAttributeNames={"#key": _KEY},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            standing: Any = error.response.get("Item", {})
            if plain(standing) != dict(record):
                raise InvariantBroken(f"another record stands under {record[_KEY]}") from error
