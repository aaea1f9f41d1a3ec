"""AWS clients, made when a function is first invoked and kept for its life."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

# Shorter than every function's own time-out, so that a silent dependency becomes Unavailable and not a
# killed function; the queue or the workflow then retries with back-off.
_CONNECT_SECONDS = 2
_READ_SECONDS = 8


@cache
def client(service: str) -> Any:
    """The process's client of an AWS service, such as ``client("dynamodb")``."""
    import boto3
    from botocore.config import Config as ClientConfig

    return boto3.client(
        service,  # type: ignore[call-overload]
        config=ClientConfig(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "max_attempts": 3},
            tcp_keepalive=True,
            max_pool_connections=20,
        ),
    )


def now() -> datetime:
    """The clock every function is bound to."""
    return datetime.now(UTC)
