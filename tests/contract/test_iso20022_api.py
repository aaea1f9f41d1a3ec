"""The ISO 20022 API's contract, and what is held against it: the function's routes, and the gateway's."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from postbus.domain.iso20022.client_requests import incoming_key, upload_key
from postbus.functions.serve_iso20022.handler import build
from tests.component.serve_iso20022.conftest import Api

ROOT = Path(__file__).parents[2]
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "iso20022.openapi.yaml").read_text("utf-8"))
MODULE = (ROOT / "source" / "modules" / "iso20022_api" / "main.tf").read_text("utf-8")
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in CONTRACT["paths"].items()
    for method, operation in item.items()
}


def test_the_contract_is_valid_openapi_3_1() -> None:
    assert CONTRACT["openapi"].startswith("3.1")
    validate(CONTRACT)


def test_the_function_serves_the_contracts_routes_and_no_others() -> None:
    assert set(build(Api().front())) == set(OPERATIONS)


def test_the_gateway_knows_the_contracts_routes_and_no_others() -> None:
    listed = re.findall(r'"((?:GET|POST|PUT|DELETE|PATCH) v1/[^"]*)"', MODULE)
    assert {route.replace(" ", " /", 1) for route in listed} == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_route_needs_the_scope_the_contract_says(name: str) -> None:
    (security,) = OPERATIONS[name].get("security", CONTRACT["security"]) or [{}]
    scopes = security.get("oauth2", [None])
    assert scopes == [build(Api().front())[name].scope]


@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_refused_is_told_in_a_problem_document(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        if "$ref" in response:
            response = CONTRACT["components"]["responses"][response["$ref"].rpartition("/")[2]]
        media_types = set(response["content"])
        assert (media_types == {"application/problem+json"}) == (int(status) >= 400), status


def test_where_uploads_lie_is_what_the_store_soon_deletes() -> None:
    store = (ROOT / "source/modules/iso20022_store/main.tf").read_text(encoding="utf-8")
    place = upload_key("transaction").partition("/")
    assert f'for prefix in ["{place[0]}{place[1]}"]' in store
    assert not incoming_key("transaction", "ab" * 32).startswith(place[0])


def test_what_examples_refer_to_is_there() -> None:
    for example in CONTRACT["components"]["examples"].values():
        if "externalValue" in example:
            assert (ROOT / "docs" / example["externalValue"]).is_file()
