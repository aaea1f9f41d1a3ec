"""Where does each event go?  The patterns Terraform deploys, against every example of the catalogue."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs import generate
from docs.generate import ANNOUNCED_BY_COMMAND, documents, examples, inbound_pipe, reached, routes
from postbus.domain.lifecycle import FACTS, FINAL_STATES, State
from postbus.domain.patterns import compile_pattern, matches

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "source" / "src" / "postbus" / "functions"
ROUTES = routes()
EXAMPLES = examples()
FIRST_TIME = {
    name: message
    for name, message in EXAMPLES.items()
    if "replay-name" not in message and "replay" not in message["detail"]["metadata"]
}
KEEPS_REPLAYS_OUT = {"archive", "audit", "notify-outcomes"}

each_route = pytest.mark.parametrize("name", ROUTES)
each_first_time = pytest.mark.parametrize("message", FIRST_TIME.values(), ids=FIRST_TIME.keys())


def test_there_are_routes_and_examples_to_test() -> None:
    assert {"enrich", "business-rules", "posting", "timeline"} | KEEPS_REPLAYS_OUT <= ROUTES.keys()
    assert len(FIRST_TIME) > len(FACTS)


@pytest.mark.parametrize("path", documents(), ids=[str(path.relative_to(ROOT)) for path in documents()])
def test_a_generated_document_says_what_the_code_says(path: Path) -> None:
    assert path.read_text() == documents()[path], "run `make docs` and review the difference"


@each_route
def test_every_route_takes_some_example(name: str) -> None:
    assert any(name in reached(message) for message in EXAMPLES.values())


@each_first_time
def test_every_event_is_archived_audited_and_on_the_timeline(message: dict[str, Any]) -> None:
    assert {"archive", "audit", "timeline"} <= set(reached(message))


@each_first_time
def test_a_replayed_event_reaches_the_processors_and_nobody_who_was_told_before(
    message: dict[str, Any],
) -> None:
    by_the_archive = {**message, "replay-name": "r"}
    metadata = {**message["detail"]["metadata"], "replay": "r"}
    descended = {**message, "detail": {**message["detail"], "metadata": metadata}}
    expected = [name for name in reached(message) if name not in KEEPS_REPLAYS_OUT]
    assert reached(by_the_archive) == reached(descended) == expected


@each_first_time
def test_the_same_words_from_a_stranger_reach_nobody(message: dict[str, Any]) -> None:
    assert reached({**message, "source": "somebody.else"}) == []


@each_first_time
def test_no_event_is_processed_by_two_steps(message: dict[str, Any]) -> None:
    assert len([name for name in reached(message) if "leads_to" in ROUTES[name]]) <= 1


@each_route
def test_a_route_names_only_facts_under_their_own_source(name: str) -> None:
    pattern = ROUTES[name]["pattern"]
    for event_type in pattern.get("detail-type", ()):
        assert matches({"source": pattern["source"]}, {"source": FACTS[event_type].source})


@each_route
def test_routing_is_on_outcomes_never_on_what_a_payment_is(name: str) -> None:
    pattern = ROUTES[name]["pattern"]
    assert pattern.keys() <= {"source", "detail-type", "replay-name", "detail"}
    assert pattern.get("detail", {}).keys() <= {"metadata"}


def test_every_end_of_a_transfer_is_collected_and_that_it_is_held() -> None:
    ends = [name for name, fact in FACTS.items() if fact.state in FINAL_STATES]
    held = [name for name, fact in FACTS.items() if fact.state is State.HELD]
    assert sorted(ROUTES["collect"]["pattern"]["detail-type"]) == sorted(held + ends)


def test_every_fact_is_announced_by_a_step_or_a_command() -> None:
    announced = {event for route in ROUTES.values() for event in route.get("leads_to", ())}
    announced |= {event for events in ANNOUNCED_BY_COMMAND.values() for event in events}
    announced |= set(inbound_pipe("eu-west-1")["leads_to"])
    assert announced == FACTS.keys()


def test_a_step_that_says_not_what_it_takes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    route = {
        "why": "",
        "target": "function x",
        "leads_to": ["TransactionPosted"],
        "pattern": {"source": ["x"]},
    }
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "settle.json").write_text(json.dumps(route))
    monkeypatch.setattr(generate, "EVENTS", tmp_path)
    with pytest.raises(ValueError, match=r"routes/settle\.json: .*detail-type"):
        generate.routes.__wrapped__()


# --- what is deployed -------------------------------------------------------------------------------------


def test_terraform_deploys_every_route_and_no_pattern_of_its_own() -> None:
    """Every pattern a rule, archive or pipe is given is one of these files, read by the root module."""
    root = "\n".join(path.read_text() for path in sorted((ROOT / "source").glob("*.tf")))
    assert set(re.findall(r'local\.routes\["([\w-]+)"\]\.patterns?\b', root)) == {"inbound-pipe", *ROUTES}

    modules = {path: path.read_text() for path in (ROOT / "source").glob("modules/*/*.tf")}
    given = [value for text in modules.values() for value in re.findall(r"\bevent_pattern\s*=\s*(.+)", text)]
    assert len(given) >= 5
    assert set(given) <= {"jsonencode(var.pattern)", "jsonencode(var.archive_pattern)"}
    filters = [value for text in modules.values() for value in re.findall(r"filters\s*=\s*(.+)", text)]
    assert filters == ["[for pattern in var.patterns : { pattern = jsonencode(pattern) }] }"]


@pytest.mark.parametrize("name", [*ROUTES, "inbound-pipe"])
def test_a_target_is_there_and_says_what_it_leads_to(name: str) -> None:
    route = ROUTES.get(name) or inbound_pipe("eu-west-1")
    kind, _, target = route["target"].partition(" ")
    if kind == "function":
        says = ast.get_docstring(ast.parse((FUNCTIONS / target / "handler.py").read_text())) or ""
    elif kind == "workflow":
        assert (ROOT / "statemachines" / f"{target}.asl.json").is_file()
        says = ast.get_docstring(ast.parse((FUNCTIONS / "evaluate_rules" / "handler.py").read_text())) or ""
    else:
        assert "leads_to" not in route
        says = ""
    for event_type in route.get("leads_to", ()):
        assert f"{event_type} v1" in says


def test_every_step_is_a_package_for_import_contracts_see_no_other() -> None:
    steps = {path.parent for path in FUNCTIONS.glob("*/handler.py")}
    assert len(steps) > 20
    assert {step.name for step in steps if not (step / "__init__.py").is_file()} == set()


# --- the pipe's filter ------------------------------------------------------------------------------------


def change(name: str, new: dict[str, Any] | None, old: dict[str, Any] | None = None) -> dict[str, Any]:
    """A record of the input table's stream."""
    images = {"NewImage": new, "OldImage": old}
    return {"eventName": name, "dynamodb": {key: image for key, image in images.items() if image is not None}}


APPROVED = {"auth": {"S": "A1"}, "status": {"S": "APPROVED"}, "home_region": {"S": "eu-west-1"}}
PENDING = {**APPROVED, "status": {"S": "PENDING"}}
DECLINED = {**APPROVED, "status": {"S": "DECLINED"}}
ELSEWHERE = {**APPROVED, "home_region": {"S": "us-east-1"}}
NO_REGION = {name: value for name, value in APPROVED.items() if name != "home_region"}
NUMBERED_REGION = {**APPROVED, "home_region": {"N": "1"}}
EMPTY_REGION = {**APPROVED, "home_region": {"S": ""}}
NO_STATUS = {name: value for name, value in APPROVED.items() if name != "status"}

CHANGES = [
    ("inserted approved", change("INSERT", APPROVED), True),
    ("inserted declined", change("INSERT", DECLINED), False),
    ("inserted pending", change("INSERT", PENDING), False),
    ("inserted without a status", change("INSERT", NO_STATUS), False),
    ("status as a number", change("INSERT", {**APPROVED, "status": {"N": "1"}}), False),
    ("status in small letters", change("INSERT", {**APPROVED, "status": {"S": "approved"}}), False),
    ("approved by an update", change("MODIFY", APPROVED, PENDING), True),
    ("approved after being declined", change("MODIFY", APPROVED, DECLINED), True),
    ("approved by an update that added the status", change("MODIFY", APPROVED, NO_STATUS), True),
    ("updated while approved", change("MODIFY", APPROVED, {**APPROVED, "auth": {"S": "A0"}}), False),
    ("declined by an update", change("MODIFY", DECLINED, PENDING), False),
    ("declined after being approved", change("MODIFY", DECLINED, APPROVED), False),
    ("removed", change("REMOVE", None, APPROVED), False),
    ("an event no stream sends", change("UPDATE", APPROVED, PENDING), False),
    ("at home elsewhere", change("INSERT", ELSEWHERE), False),
    ("approved elsewhere", change("MODIFY", ELSEWHERE, {**ELSEWHERE, "status": {"S": "PENDING"}}), False),
    ("no home region, to be quarantined", change("INSERT", NO_REGION), True),
    ("an empty home region, to be quarantined", change("INSERT", EMPTY_REGION), True),
    ("home region as a number, to be quarantined", change("INSERT", NUMBERED_REGION), True),
]  # fmt: skip


@pytest.mark.parametrize(("case", "record", "enters"), CHANGES, ids=[case for case, _, _ in CHANGES])
def test_only_what_becomes_approved_at_home_enters(case: str, record: dict[str, Any], enters: bool) -> None:
    patterns = inbound_pipe("eu-west-1")["patterns"]
    assert any(matches(pattern, record) for pattern in patterns) is enters


def test_every_pattern_of_the_pipe_lets_something_in() -> None:
    for pattern in inbound_pipe("eu-west-1")["patterns"]:
        assert any(enters and matches(pattern, record) for _, record, enters in CHANGES)


def test_a_pipe_is_given_only_operators_that_pipes_know() -> None:
    """Pipes know fewer than rules do: no anything-but of an operator, for one."""
    patterns = inbound_pipe("eu-west-1")["patterns"]
    assert patterns
    for pattern in patterns:
        compile_pattern(pattern)
        assert {name for name, argument in operators(pattern) if not isinstance(argument, dict)} <= {
            "anything-but",
            "exists",
        }


def operators(pattern: Any) -> list[tuple[str, Any]]:
    if isinstance(pattern, list):
        return [
            (name, argument) for item in pattern if isinstance(item, dict) for name, argument in item.items()
        ]
    return [found for inner in pattern.values() for found in operators(inner)]
