"""The same deliveries to both ledgers end in the same books, so what is proven of one holds for the other."""

import boto3
from hypothesis import HealthCheck, given, settings
from moto import mock_aws

from postbus.adapters.dynamodb_books import LedgerBooks
from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.domain.money import Money
from postbus.functions.post.handler import build
from tests.component.ledger.worlds import TableWorld, create_tables
from tests.fakes.approvals import ALICE, BOB, CAROL, NOON
from tests.fakes.ledger import InMemoryLedger
from tests.unit.domain.test_posting_properties import Story, rich, stories


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_both_ledgers_end_in_the_same_books(story: Story) -> None:
    books = rich()
    with mock_aws():
        client = boto3.client(
            "dynamodb",
            region_name="eu-central-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        create_tables(client)
        ledger = DynamoDbLedger(client, "ledger", "balances")
        tables = TableWorld(ledger, DynamoDbOutcomes(client, "ledger"), client)
        for holder in (ALICE, BOB, CAROL):
            ledger.fund(holder, Money(10**9, holder.currency), f"funding-{holder.account_id}", NOON)
        posts = [build(each, lambda: NOON, 72) for each in (InMemoryLedger(books), ledger)]
        for batch in [*story.deliveries, story.approvals]:
            expected, found = (post(batch) for post in posts)
            assert found == expected
        assert tables.rows() == {k: (minor, books.available[k]) for k, minor in books.balances.items()}
        report = LedgerBooks(client, "ledger", "balances").verify()
        assert (report.wrong, report.unconfirmed) == ({}, ())
