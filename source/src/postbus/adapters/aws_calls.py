"""Which failures of an AWS call mean "no answer".

No answer is: nothing came back, or nothing that can be read; the service says "not now"; or an error came
that names no code, by which no service means anything.  Everything else a call raises is an answer, and only
the adapter that asked knows what it means.  What no adapter knows, such as a right that is missing or a
request that is wrong, stays what it is, and loud: no waiting mends it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from postbus.domain.errors import Unavailable

# Codes by which the services used here say "not now".  A business condition is never among them.
NOT_NOW = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "InternalError",
        "InternalException",
        "InternalFailure",
        "InternalServerError",
        "KMSThrottling",
        "KMSThrottlingException",
        "KmsThrottled",
        "LimitExceededException",
        "OperationAborted",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceConflictException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)

# What botocore calls an error whose code it did not find, and what is left where nothing was said at all.
_NO_CODE = frozenset({"", "Unknown"})

# Too slow, too many: whatever the code beside them, and 5xx is the service's own fault.
_NOT_NOW_STATUS = frozenset({408, 429})

_NOTHING_TO_READ = (
    BotoConnectionError,
    HTTPClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ResponseParserError,
)


def code_of(error: ClientError) -> str:
    """The service's error code, such as ``ConditionalCheckFailedException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_not_now(error: ClientError) -> bool:
    """Whether a service's error says that it could not answer now."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in NOT_NOW | _NO_CODE or status in _NOT_NOW_STATUS or status >= 500


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
            raise Unavailable(
                f"{what} did not answer: {code_of(error) or 'an error without a code'}"
            ) from error
        raise
    except _NOTHING_TO_READ as error:
        raise Unavailable(f"{what} did not answer: {type(error).__name__}") from error
