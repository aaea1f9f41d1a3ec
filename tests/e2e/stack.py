"""The deployed stack as the end-to-end tests see it: public interfaces only."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import boto3
from localstack_client.session import Session as EmulatorSession

from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
from postbus.domain.event import Event
from postbus.domain.inbound import SOURCES
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]

# Far above what any step takes; a wait that ends here has failed.
DEADLINE_SECONDS = 90.0


def until(what: str, probe: Callable[[], T | None], seconds: float = DEADLINE_SECONDS) -> T:
    """Ask until the answer is true-ish; fail with ``what`` when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := probe():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


@dataclass(frozen=True, eq=False)
class Stack:
    """One deployment and the clients to look at it with."""

    deployment: Mapping[str, Any]
    deployment_file: Path

    @cache  # noqa: B019 - one stack lives as long as the test run
    def client(self, service: str) -> Any:
        region = self.deployment["region"]
        if os.environ.get("AWS_ENDPOINT_URL"):
            # Its own made-up keys are turned away where the emulator enforces IAM.
            key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
            return EmulatorSession(key, secret, region_name=region).client(service)
        return boto3.client(service, region_name=region)  # type: ignore[call-overload]

    # -- the way in ----------------------------------------------------------------------------------------

    def put_record(self, source: str, record: Mapping[str, str]) -> str:
        """Write a record to a source's table; the transaction id it becomes."""
        self.client("dynamodb").put_item(
            TableName=self.deployment["tables"][source],
            Item={name: {"S": value} for name, value in record.items()},
        )
        return f"{source}-{record[SOURCES[source].key]}"

    def invoke(self, function: str, payload: Mapping[str, Any]) -> Any:
        """Call a function and read its answer; a function error fails the test with its text."""
        answer = self.client("lambda").invoke(
            FunctionName=self.deployment["functions"][function], Payload=json.dumps(payload).encode()
        )
        body = json.loads(answer["Payload"].read() or b"null")
        assert "FunctionError" not in answer, body
        return body

    def publish(self, *events: Event) -> None:
        from postbus.adapters.eventbridge_bus import EventBridgeBus

        refused = EventBridgeBus(self.client("events"), self.deployment["bus"]).publish(events)
        assert not refused, refused

    # -- what happened -------------------------------------------------------------------------------------

    @property
    def outcomes(self) -> DynamoDbOutcomes:
        return DynamoDbOutcomes(self.client("dynamodb"), self.deployment["tables"]["ledger"])

    def outcome(
        self, transaction_id: str, *states: OutcomeState, seconds: float = DEADLINE_SECONDS
    ) -> Outcome:
        """The transaction's outcome, once it is in one of the states."""

        def probe() -> Outcome | None:
            found = self.outcomes.find(transaction_id)
            return found if found and found.state in states else None

        return until(f"{transaction_id} is {' or '.join(states)}", probe, seconds)

    def scan(self, table: str) -> Iterator[dict[str, Any]]:
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.deployment["tables"][table], ConsistentRead=True)
        )
        for page in pages:
            yield from page["Items"]

    def books(self) -> str:
        """Ledger and balances, byte for byte, in a fixed order."""
        lines = [
            json.dumps(item, sort_keys=True) for table in ("ledger", "balances") for item in self.scan(table)
        ]
        return "\n".join(sorted(lines))

    def trial_balance(self) -> dict[str, int]:
        """Sum of all balances per currency; zero in each, or money was made or lost."""
        sums: dict[str, int] = {}
        for item in self.scan("balances"):
            if "currency" in item:
                currency = item["currency"]["S"]
                sums[currency] = sums.get(currency, 0) + int(item["balance_minor"]["N"])
        return sums

    def story(self, transaction_id: str) -> list[Event]:
        """The transaction's events so far, in the order of its story."""
        timeline = DynamoDbTimeline(self.client("dynamodb"), self.deployment["tables"]["timeline"])
        return list(timeline.story(transaction_id).events)

    def tells(self, transaction_id: str, event_type: str, seconds: float = DEADLINE_SECONDS) -> Event:
        """The transaction's event of that type, once the timeline has it."""

        def probe() -> Event | None:
            return next((event for event in self.story(transaction_id) if event.type == event_type), None)

        return until(f"{transaction_id} tells {event_type}", probe, seconds)

    def depth(self, url: str) -> int:
        attributes = self.client("sqs").get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(int(value) for value in attributes.values())

    def quiet(self, seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until no queue holds anything and a moment later still does not."""

        def still() -> bool:
            return all(
                self.depth(self.deployment["queues"][name]) == 0 for name in ("enrich", "posting", "timeline")
            )

        def probe() -> bool:
            if not still():
                return False
            time.sleep(1.0)  # an execution between two queues is in neither
            return still()

        until("the queues are empty", probe, seconds)

    # -- the operator --------------------------------------------------------------------------------------

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "postbus.cli", "--deployment", str(self.deployment_file), *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT / "source/src")},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def postbus(self, *arguments: str) -> Any:
        """Run the operator's command and read its JSON answer."""
        done = self.command(*arguments)
        assert done.returncode == 0, f"postbus {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)


def new_id() -> str:
    """An authorisation id of its own for each test."""
    return uuid.uuid4().hex[:12].upper()


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def visa_record(**changes: str | None) -> dict[str, str]:
    """A purchase at home that posts; name a field to change it, or ``None`` to leave it out."""
    stan = f"{uuid.uuid4().int % 1_000_000:06d}"
    record: dict[str, str | None] = {
        "auth": new_id(),
        "status": "APPROVED",
        "message_type": "0100",
        "pan_token": "tok_sample_anna",
        "pan_last_four": "1111",
        "processing_code": "000000",
        "transaction_amount": "1299",
        "transaction_currency": "EUR",
        "transmission_date_time": now_text(),
        "local_transaction_date_time": now_text()[:19],
        "system_trace_audit_number": stan,
        "retrieval_reference_number": f"R{uuid.uuid4().hex[:11].upper()}",
        "merchant_category_code": "5411",
        "merchant_country": "DE",
        "acquiring_institution_country": "DE",
        "pos_entry_mode": "051",
        "card_acceptor_terminal_id": "TERM0001",
        "card_acceptor_id": "GROCER-0001",
        "acquiring_institution_id": "400001",
        "home_region": os.environ.get("AWS_REGION", "eu-central-1"),
    }
    return {name: value for name, value in (record | changes).items() if value is not None}
