"""One deployed stack for all end-to-end tests, with its reference data loaded."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack named by ``POSTBUS_DEPLOYMENT``, with the sample accounts, merchants and rates in it."""
    from postbus.cli.sample import load_sample

    file = Path(os.environ["POSTBUS_DEPLOYMENT"]).resolve()
    deployed = Stack(json.loads(file.read_text()), file)
    load_sample(
        deployed.client("dynamodb"),
        deployed.deployment["tables"],
        deployed.deployment["posting_shards"],
        datetime.now(UTC),
    )
    return deployed


@pytest.fixture(scope="session", autouse=True)
def began() -> datetime:
    """When this run did."""
    return datetime.now(UTC)
