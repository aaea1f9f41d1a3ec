"""Which failures of an AWS call mean "no answer".

Everything else a call raises is an answer, and only the adapter that asked knows what it means.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from postbus.domain.errors import Unavailable

# Codes by which the services used here say "not now".  A business condition is never among them.
NOT_NOW = frozenset(
    {
        "InternalException",
        "InternalFailure",
        "InternalServerError",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


def code_of(error: ClientError) -> str:
    """The service's error code, such as ``ConditionalCheckFailedException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_not_now(error: ClientError) -> bool:
    """Whether a service's error says that it could not answer now."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in NOT_NOW or status >= 500


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turn "no answer" into ``Unavailable``; let every answer through, errors included.

    Args:
        what: the dependency, in the operator's words, for the message.
    """
    try:
        yield
    except ClientError as error:
        if is_not_now(error):
            raise Unavailable(f"{what} did not answer: {code_of(error)}") from error
        raise
    except (BotoConnectionError, HTTPClientError) as error:
        raise Unavailable(f"{what} did not answer: {type(error).__name__}") from error
