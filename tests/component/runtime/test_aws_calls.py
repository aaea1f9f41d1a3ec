"""Which errors of a call mean "not now", and which are left to whoever asked."""

import pytest
from botocore.exceptions import ClientError, FlexibleChecksumError, IncompleteReadError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from postbus.adapters.aws_calls import answering
from postbus.domain.errors import Unavailable


def refused(code: str | None, status: int = 400) -> ClientError:
    error = {} if code is None else {"Code": code}
    return ClientError(
        {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Invoke",
    )


@pytest.mark.parametrize(
    "error",
    [
        refused("ThrottlingException"),
        refused("RequestThrottled"),
        refused("KmsThrottled"),
        refused("RequestTimeout"),
        refused("ResourceConflictException", 409),
        refused("NobodyKnows", 503),
        refused("NobodyKnows", 429),
        refused("Unknown"),
        refused(""),
        refused(None),
        ReadTimeoutError(endpoint_url="http://127.0.0.1"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        FlexibleChecksumError(error_msg="another sum"),
        ResponseParserError("no JSON"),
    ],
    ids=repr,
)
def test_what_says_nothing_or_not_now_is_no_answer(error: Exception) -> None:
    with pytest.raises(Unavailable, match="the store did not answer"), answering("the store"):
        raise error


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "ConditionalCheckFailedException",
        "NoSuchKey",
        "ResourceNotFoundException",
        "TransactionCanceledException",
        "ValidationException",
        "404",
    ],
)
def test_what_is_an_answer_or_our_own_fault_stays_what_it_is(code: str) -> None:
    with pytest.raises(ClientError, match=code), answering("the store"):
        raise refused(code)
