"""Structured logs: identifiers and counts, never a body, a token or a person's data."""

from functools import cache
from traceback import StackSummary, walk_tb

from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    """The function's logger; its service name and level come from the environment (``POWERTOOLS_*``)."""
    return Logger(log_uncaught_exceptions=False, use_rfc3339=True)


def log_unexpected(error: BaseException) -> None:
    """Tell an error nobody foresaw by its type and where it arose; its text may quote anything."""
    frames = StackSummary.extract(walk_tb(error.__traceback__), lookup_lines=False)
    where = [f"{frame.filename}:{frame.lineno}" for frame in frames]
    logger().error("unexpected", extra={"error": type(error).__name__, **_refusal(error), "frames": where})


def _refusal(error: BaseException) -> dict[str, str]:
    """What AWS refused and by which code, if it was AWS: all its errors are of one type."""
    from botocore.exceptions import ClientError

    from postbus.adapters.aws_calls import code_of

    return {"call": error.operation_name, "code": code_of(error)} if isinstance(error, ClientError) else {}
