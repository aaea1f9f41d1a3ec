"""One debtor with a thousand transfers in one batch: the hottest account there is.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 \\
        python -m tests.bench.hot_debtor [--transfers N] [--writers N] [--json]

Without an endpoint it runs in this process, on moto.  It makes tables of its own and removes them.  The run
ends by checking that it is whole: each transfer posted once, every balance the sum of its entries.
"""

import argparse
import json
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import boto3

from postbus.adapters.dynamodb_books import LedgerBooks
from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.posting import PostingInstruction
from postbus.domain.transaction import Kind
from postbus.ports import Settled
from tests.component.ledger.worlds import create_tables
from tests.fakes.approvals import ALICE, NOON, account, instruction


class Pauses:
    """Waits, and counts how often it had to: each wait is a transaction that met another writer."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, seconds: float) -> None:
        self.count += 1
        time.sleep(seconds)


def measure(client: Any, transfers: int, writers: int) -> dict[str, Any]:
    """Post the transfers through so many writers at once, and check the books."""
    tables = [f"hot-debtor-{name}-{uuid.uuid4().hex[:8]}" for name in ("ledger", "balances")]
    create_tables(client, *tables)
    calls = 0

    def count(**_: Any) -> None:
        nonlocal calls
        calls += 1

    try:
        pauses = Pauses()
        ledgers = [DynamoDbLedger(client, *tables, sleep=pauses) for _ in range(writers)]
        ledgers[0].fund(ALICE, Money(100 * transfers, "EUR"), "funding-debtor", NOON)
        batch = [
            instruction(f"T{n}", Kind.TRANSFER, 100, to=account(f"CREDITOR-{n % 500:04d}"))
            for n in range(transfers)
        ]
        client.meta.events.register("before-call.dynamodb.TransactWriteItems", count)
        began = time.monotonic()
        with ThreadPoolExecutor(writers) as pool:
            settled = sum(pool.map(_settle, ledgers, (batch[part::writers] for part in range(writers))))
        seconds = time.monotonic() - began
        report = LedgerBooks(client, *tables).verify()
        return {
            "transfers": transfers,
            "writers": writers,
            "posted": settled,
            "whole": settled == transfers and not report.wrong and report.postings == transfers + 1,
            "seconds": round(seconds, 2),
            "per_second": round(transfers / seconds, 1),
            "transactions": calls,
            "contended": pauses.count,
        }
    finally:
        for table in tables:
            client.delete_table(TableName=table)


def _settle(ledger: DynamoDbLedger, batch: list[PostingInstruction]) -> int:
    """Post until nothing is left to be tried again, as the queue does; how many are posted."""
    posted = 0
    while batch:
        answers = ledger.post(batch)
        for answer in answers:
            posted += isinstance(answer, Settled) and answer.outcomes[0].state is OutcomeState.POSTED
        batch = [
            asked for asked, answer in zip(batch, answers, strict=True) if not isinstance(answer, Settled)
        ]
    return posted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--transfers", type=int, default=1000)
    parser.add_argument("--writers", type=int, default=1, help="needs an endpoint when more than one")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        if not os.environ.get("AWS_ENDPOINT_URL"):
            from moto import mock_aws

            stack.enter_context(mock_aws())
            asked.writers = 1
        region = os.environ.get("AWS_REGION", "eu-central-1")
        result = measure(boto3.client("dynamodb", region_name=region), asked.transfers, asked.writers)
    if asked.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>13}  {value}")
    raise SystemExit(0 if result["whole"] else 1)


if __name__ == "__main__":
    main()
