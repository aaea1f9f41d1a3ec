"""Structured logs: identifiers and counts, never a body, a token or a person's data."""

from functools import cache

from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    """The function's logger; its service name and level come from the environment (``POWERTOOLS_*``)."""
    return Logger(log_uncaught_exceptions=False, use_rfc3339=True)
