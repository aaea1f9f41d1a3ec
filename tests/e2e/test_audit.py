"""What the auditors find: every event, once told, and what was deleted is brought back."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from postbus.domain.event import Event
from tests.e2e.stack import Stack, until, visa_record

pytestmark = [pytest.mark.e2e, pytest.mark.needs("pipes_or_runner", "workflows")]


def kept(stack: Stack, transaction_id: str) -> dict[str, list[Event]]:
    """The transaction's events in the audit bucket, by object."""
    s3, bucket = stack.client("s3"), stack.deployment["buckets"]["audit"]
    found: dict[str, list[Event]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/"):
        for entry in page.get("Contents", ()):
            lines = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode().splitlines()
            mine = [Event.from_bus(json.loads(line)) for line in lines if transaction_id in line]
            if mine:
                found[entry["Key"]] = mine
    return found


def test_every_event_is_in_the_audit_bucket_and_a_deleted_object_is_restored(stack: Stack) -> None:
    transaction_id = stack.put_record("visa", visa_record())
    stack.tells(transaction_id, "TransactionPosted")
    told = {event.event_id: event for event in stack.story(transaction_id)}

    def whole() -> dict[str, list[Event]] | None:
        found = kept(stack, transaction_id)
        events = {event.event_id: event for events in found.values() for event in events}
        return found if events == told else None

    before = until("the audit bucket has all of it", whole)
    s3, bucket = stack.client("s3"), stack.deployment["buckets"]["audit"]
    key = next(iter(before))
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key=key)
    assert kept(stack, transaction_id) != before

    versions: Any = s3.list_object_versions(Bucket=bucket, Prefix=key)
    for marker in versions["DeleteMarkers"]:
        s3.delete_object(Bucket=bucket, Key=key, VersionId=marker["VersionId"])
    assert kept(stack, transaction_id) == before
