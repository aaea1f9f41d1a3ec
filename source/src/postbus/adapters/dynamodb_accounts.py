"""Accounts by IBAN, other identification or the agent's BIC: indexes of the accounts table.

====================  ==============  ======================================================================
index                 attribute       of an account
====================  ==============  ======================================================================
``iban``              ``iban``        several where one IBAN stands for an account in each currency
``other_id``          ``other_id``    ``Othr/Id``, as messages write it
``agent_bic``         ``agent_bic``   settlement accounts only: the agent's BIC, 8 characters or 11
====================  ==============  ======================================================================

Each index carries currency and status beside the token.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from postbus.adapters.aws_calls import answering
from postbus.adapters.dynamodb_items import reference
from postbus.adapters.several import each
from postbus.domain.errors import Malformed
from postbus.domain.iso20022.workflow import AccountKey, AccountKeyKind, FoundAccount

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Index and attribute have one name.
_INDEX = {
    AccountKeyKind.IBAN: "iban",
    AccountKeyKind.OTHER: "other_id",
    AccountKeyKind.BIC: "agent_bic",
}


class DynamoDbAccounts:
    """``ports_iso20022.AccountFinder``."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def find(self, keys: Sequence[AccountKey]) -> Mapping[AccountKey, Sequence[FoundAccount]]:
        """See ``ports_iso20022.AccountFinder``; for a branch without one, its head office's.

        Raises:
            Malformed: a record lacks its token, currency or status; whoever keeps the table must act.
        """
        distinct = sorted(set(keys), key=lambda key: (key.kind, key.value))
        found = dict(zip(distinct, each(self._of, distinct), strict=True))
        return {key: accounts for key, accounts in found.items() if accounts}

    def _of(self, key: AccountKey) -> Sequence[FoundAccount]:
        for value in _spellings(key):
            if accounts := tuple(self._query(_INDEX[key.kind], value)):
                return accounts
        return ()

    def _query(self, index: str, value: str) -> Iterator[FoundAccount]:
        with answering(f"table {self._table}"):
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression="#key = :value",
                ExpressionAttributeNames={"#key": index},
                ExpressionAttributeValues={":value": {"S": value}},
            ):
                for item in page["Items"]:
                    yield _account(reference(item))


def _spellings(key: AccountKey) -> Sequence[str]:
    """What the directory may call it: for a BIC the branch, then the head office with and without XXX.

    Source: ISO 9362: a BIC of 8 characters names the head office, as XXX in the place of a branch does.
    """
    if key.kind is not AccountKeyKind.BIC:
        return (key.value,)
    office = key.value[:8]
    return tuple(dict.fromkeys((key.value, office, f"{office}XXX")))


def _account(record: Mapping[str, object]) -> FoundAccount:
    values = {}
    for name in ("token", "currency", "status"):
        value = record.get(name)
        if not isinstance(value, str) or not value:
            raise Malformed(f"account.{name}", "non-empty text")
        values[name] = value
    return FoundAccount(**values)
