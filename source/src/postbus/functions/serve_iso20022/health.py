"""Whether the API answers, and whether what it needs does."""

from collections.abc import Callable

from postbus.functions.serve_iso20022.front import Front
from postbus.runtime.api import Answer, Problem, Request
from postbus.runtime.health import silent


def shallow(_request: Request) -> Answer:
    """``GET /v1/health``: open to all, and says nothing but that somebody is there."""
    return Answer.of(200, {"status": "up"})


def deep(front: Front) -> Callable[[Request], Answer]:
    """``GET /v1/health/deep``: the table, both buckets and every queue."""

    def look(_request: Request) -> Answer:
        down = silent(front.dependencies)
        if down:
            raise Problem(503, f"No answer from: {', '.join(down)}.", "down", headers={"Retry-After": "5"})
        return Answer.of(200, {"status": "up", "dependencies": sorted(front.dependencies)})

    return look
