"""API Gateway as a function sees it: proxy events (REST, payload 1.0), and a WSGI application in front."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

CLIENT = "client-acme"
SCOPES = "postbus/read postbus/write"


def event(
    method: str,
    resource: str,
    path: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: bytes = b"",
    client: str | None = CLIENT,
    scopes: str = SCOPES,
) -> dict[str, Any]:
    """What the gateway passes on, with every media type binary; no claims for a call without a token."""
    authorizer = {"claims": {"client_id": client, "scope": scopes, "token_use": "access"}}
    return {
        "resource": resource,
        "path": resource.format(**(path or {})),
        "httpMethod": method,
        "headers": dict(headers or {}) or None,
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()} or None,
        "queryStringParameters": dict(query or {}) or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
        "pathParameters": dict(path or {}) or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "c0ffee00-0000-4000-8000-000000000001",
            "stage": "live",
            **({"authorizer": authorizer} if client else {}),
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def application(
    handler: Callable[[Any, Any], Any], routes: Iterable[str], token: str
) -> Callable[[Mapping[str, Any], Callable[..., Any]], list[bytes]]:
    """A WSGI application that does what the gateway does: find the route, check the token, call the function.

    Args:
        routes: ``METHOD /path/{parameter}``.
        token: the only bearer token that is accepted, with both scopes; ``/v1/health`` needs none.
    """
    patterns = []
    for route in routes:
        method, _, template = route.partition(" ")
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        patterns.append((method, template, re.compile(pattern)))

    def answer(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        found = [
            (method, template, hit) for method, template, one in patterns if (hit := one.fullmatch(path))
        ]
        matching = [one for one in found if one[0] == environ["REQUEST_METHOD"]]
        if not matching:
            return _problem(start_response, 405 if found else 404)
        method, template, hit = matching[0]
        headers = {
            name[5:].replace("_", "-").title(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        is_open = template == "/v1/health"
        if not is_open and headers.get("Authorization") != f"Bearer {token}":
            return _problem(start_response, 401)
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        call = event(method, template, hit.groupdict(), headers, None, body, None if is_open else CLIENT)
        call["multiValueQueryStringParameters"] = query or None
        answered = handler(call, None)
        start_response(f"{answered['statusCode']} -", list(answered["headers"].items()))
        return [answered["body"].encode()]

    return answer


def _problem(start_response: Callable[..., Any], status: int) -> list[bytes]:
    headers = [("Content-Type", "application/problem+json")]
    if status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    if status == 405:
        headers.append(("Allow", "GET, POST"))
    start_response(f"{status} -", headers)
    title = {401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed"}[status]
    document = {"type": "about:blank", "title": title, "status": status, "detail": "-", "instance": "urn:x:1"}
    return [json.dumps(document).encode()]
