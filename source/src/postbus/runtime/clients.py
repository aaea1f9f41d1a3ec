"""AWS clients, made when a function is first invoked and kept for its life."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

# Shorter than every function's own time-out, so that a silent dependency becomes Unavailable and not a
# killed function; the queue or the workflow then retries with back-off.
_CONNECT_SECONDS = 2
_READ_SECONDS = 8

# A name of our own: the one the SDK makes up of its surroundings it makes anew, twice for each request, which
# takes a tenth of what a request costs here.
_USER_AGENT = "postbus"


@cache
def client(service: str) -> Any:
    """The process's client of an AWS service, such as ``client("dynamodb")``."""
    import boto3
    from botocore.config import Config as ClientConfig

    return boto3.client(
        service,  # type: ignore[call-overload]
        config=ClientConfig(
            user_agent=_USER_AGENT,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "max_attempts": 3},
            tcp_keepalive=True,
            max_pool_connections=20,
            # The older signature, which some regions still get, signs neither length nor hash of an upload.
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": _addressing_style()},
        ),
    )


def _addressing_style() -> Literal["path", "virtual"]:
    """How S3's addresses name a bucket.

    Unless it is told, the SDK has a presigned address begin at the global endpoint: a newer region answers
    400 there, an older one redirects to where the signature is wrong.  An emulator's address takes no bucket
    before it.
    """
    return "path" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"


@cache
def caller(timeout_seconds: int) -> Any:
    """A client that calls functions, each call once and for at most so many seconds.

    A repeat within the call would be a second check of the same transfer while the first still runs.
    """
    import boto3
    from botocore.config import Config as ClientConfig

    return boto3.client(
        "lambda",
        config=ClientConfig(
            user_agent=_USER_AGENT,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=timeout_seconds,
            retries={"total_max_attempts": 1},
            max_pool_connections=20,
        ),
    )


def now() -> datetime:
    """The clock every function is bound to."""
    return datetime.now(UTC)
