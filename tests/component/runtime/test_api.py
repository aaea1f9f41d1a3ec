"""The gateway's events in, its answers out; and what a caller learns when something goes wrong."""

import json
from typing import Any

import pytest

from postbus.domain.errors import InvariantBroken, Malformed, OutcomeUnknown, Unavailable
from postbus.runtime.api import Answer, Request, Route, serve
from tests.fakes.gateway import event


def asked(call: dict[str, Any], scope: str | None = "postbus/read") -> tuple[dict[str, Any], list[Request]]:
    seen: list[Request] = []

    def answer(request: Request) -> Answer:
        seen.append(request)
        return Answer.of(200, {})

    return serve(call, {"GET /v1/x": Route(answer, scope)}), seen


def failing(error: Exception) -> dict[str, Any]:
    def answer(_request: Request) -> Answer:
        raise error

    return serve(event("GET", "/v1/x"), {"GET /v1/x": Route(answer, None)})


def test_header_names_have_no_case_and_bytes_come_as_they_were_sent() -> None:
    _, (request,) = asked(event("GET", "/v1/x", headers={"X-A": "1"}, body=b"\x00\xff"))
    assert (request.headers["x-a"], request.body) == ("1", b"\x00\xff")


def test_a_body_that_came_as_text_is_utf_8() -> None:
    call = {**event("GET", "/v1/x"), "body": "ä", "isBase64Encoded": False}
    _, (request,) = asked(call)
    assert request.body == b"\xc3\xa4"


def test_a_repeated_header_is_not_one_of_its_values() -> None:
    call = event("GET", "/v1/x")
    call["multiValueHeaders"] = {"X-A": ["1", "2"], "X-B": ["1", "1"]}
    _, (request,) = asked(call)
    assert (request.headers["x-a"], request.headers["x-b"]) == ("1, 2", "1")


def test_a_body_that_is_not_what_the_event_says_is_400() -> None:
    answer, seen = asked({**event("GET", "/v1/x"), "body": "%", "isBase64Encoded": True})
    assert (answer["statusCode"], seen) == (400, [])


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (event("GET", "/v1/x", client=None), 401),
        (event("GET", "/v1/x", scopes=""), 403),
        (event("GET", "/v1/x", scopes="postbus/write postbus/reads"), 403),
        (event("POST", "/v1/x"), 404),
        (event("GET", "/v1/y"), 404),
    ],
)
def test_a_call_without_the_right_to_it_comes_to_no_route(call: dict[str, Any], status: int) -> None:
    answer, seen = asked(call)
    assert (answer["statusCode"], seen) == (status, [])
    assert answer["headers"]["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed("amount", "digits"), 400),
        (Unavailable("table secret-7 did not answer"), 503),
        (OutcomeUnknown("secret-7"), 503),
        (InvariantBroken("secret-7"), 500),
        (KeyError("secret-7"), 500),
    ],
)
def test_an_error_is_a_problem_document_that_tells_nothing_from_inside(error: Exception, status: int) -> None:
    answer = failing(error)
    problem = json.loads(answer["body"])
    assert answer["statusCode"] == problem["status"] == status
    assert {"type", "title", "status", "detail", "instance"} <= problem.keys()
    assert problem["instance"] == "urn:request:c0ffee00-0000-4000-8000-000000000001"
    assert "secret-7" not in answer["body"]
    assert ("errors" in problem) == (status == 400)
    assert ("Retry-After" in answer["headers"]) == (status == 503)


def test_no_answer_is_kept_by_anybody_on_its_way() -> None:
    answer, _ = asked(event("GET", "/v1/x"))
    assert answer["headers"]["Cache-Control"] == "no-store"
