"""A ruleset is refused where it could fail quietly, and is the same version wherever its content is."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.errors import Malformed
from postbus.domain.rules import PLAIN_FACTS
from postbus.domain.ruleset import Ruleset, differing


def bundle() -> dict[str, Any]:
    """One table of one row: a purchase above ten is held."""
    row = {"_id": "big", "kind": '"purchase"', "minor": "> 10"}
    row |= {"id": '"big"', "code": '"BIG"', "severity": '"hold"', "text": '"Much."'}
    content = {
        "hitPolicy": "collect",
        "inputs": [{"id": "kind", "field": "kind"}, {"id": "minor", "field": "billing.minor"}],
        "outputs": [{"id": name, "field": name} for name in ("id", "code", "severity", "text")],
        "rules": [row],
    }
    nodes = [
        {"id": "in", "type": "inputNode", "content": {}},
        {"id": "table", "type": "decisionTableNode", "content": content},
        {"id": "out", "type": "outputNode", "content": {}},
    ]
    edges = [{"sourceId": "in", "targetId": "table"}, {"sourceId": "table", "targetId": "out"}]
    example = {"when": "eleven", "facts": {"billing": {"minor": 11}}, "finds": ["big"]}
    return {"tables": {"size": {"nodes": nodes, "edges": edges}}, "examples": {"size": [example]}}


def content_of(data: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = data["tables"]["size"]["nodes"][1]["content"]
    return content


def test_a_table_says_what_each_row_asks_and_finds() -> None:
    (table,) = Ruleset.parse(bundle()).tables
    (row,) = table.rows
    assert (table.name, row.id) == ("size", "big")
    assert row.cells == {"kind": '"purchase"', "billing.minor": "> 10"}
    assert row.finding.to_data() == {"id": "big", "code": "BIG", "severity": "hold", "text": "Much."}


def change_row(**cells: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: content_of(data)["rules"][0].update(cells)


def change_table(**options: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: content_of(data).update(options)


FAULTS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("only the first hit counts", change_table(hitPolicy="first"), "size.hitPolicy"),
    ("the input is part of the output", change_table(passThrough=True), "size"),
    ("it loops over a list", change_table(executionMode="loop"), "size"),
    ("it judges only a part", change_table(inputField="billing"), "size"),
    ("it answers elsewhere", change_table(outputPath="found"), "size"),
    (
        "facts are checked by a schema of its own",
        lambda data: data["tables"]["size"]["nodes"][0]["content"].update(schema='{"required": ["x"]}'),
        "without a schema",
    ),
    ("no rows", change_table(rules=[]), "size.rules"),
    ("rows that are none", change_table(rules="all"), "size.rules"),
    ("a row without an id", change_row(_id=""), r"size.rules\[0\]"),
    ("a fact nobody gives", change_table(inputs=[{"id": "kind", "field": "kund"}]), "size.inputs"),
    ("a condition on no fact", change_table(inputs=[{"id": "kind"}]), "size.inputs"),
    ("an output too few", change_table(outputs=[{"id": "id", "field": "id"}]), "size.outputs"),
    ("a cell that is no text", change_row(minor=10), "text in every cell"),
    ("a text that is computed", change_row(text='"Much: " + string(billing.minor)'), r"\.text"),
    ("a text without quotes", change_row(text="Much"), r"\.text"),
    ("a text like a card number", change_row(text=json.dumps("See " + "1234 " * 4)), r"\.text"),
    ("a text like one with other signs", change_row(text=json.dumps("See " + "1234_/" * 4)), r"\.text"),
    ("an unknown severity", change_row(severity='"stop"'), "finding.severity"),
    ("an empty text", change_row(text='""'), "finding.text"),
    ("a finding's id in capitals", change_row(id='"Big"'), r"\.id"),
    ("a code in small letters", change_row(code='"big"'), r"\.code"),
    ("two nodes more", lambda data: data["tables"]["size"]["nodes"].append({"id": "x"}), "size"),
    ("no output", lambda data: data["tables"]["size"]["nodes"].pop(), "size.nodes"),
    ("a table that leads nowhere", lambda data: data["tables"]["size"]["edges"].pop(), "size.edges"),
    ("a table that is no table", lambda data: data["tables"].update(size=[]), "size"),
    ("no examples", lambda data: data["examples"].clear(), "ruleset.examples"),
    ("no tables", lambda data: (data["tables"].clear(), data["examples"].clear()), "ruleset"),
    ("something else in it", lambda data: data.update(version="1"), "ruleset"),
    (
        "a name that is a path",
        lambda data: [part.update({"../a": part.pop("size")}) for part in data.values()],
        "ruleset.tables",
    ),
    (
        "an example of a fact nobody gives",
        lambda data: data["examples"]["size"][0]["facts"].update(colour="red"),
        "colour",
    ),
    (
        "an example of a fact of another type",
        lambda data: data["examples"]["size"][0]["facts"]["billing"].update(minor="11"),
        "minor",
    ),
    (
        "an example that finds nothing said",
        lambda data: data["examples"]["size"][0].pop("finds"),
        "example 1",
    ),
]


@pytest.mark.parametrize(("change", "named"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_ruleset_that_could_fail_quietly_is_refused(
    change: Callable[[dict[str, Any]], Any], named: str
) -> None:
    data = bundle()
    change(data)
    with pytest.raises(Malformed, match=named):
        Ruleset.parse(data)


@pytest.mark.parametrize("data", [None, [], "rules", {"tables": [], "examples": []}])
def test_what_is_no_ruleset_at_all_is_refused(data: Any) -> None:
    with pytest.raises(Malformed):
        Ruleset.parse(data)


def test_one_finding_id_is_one_severity() -> None:
    data = bundle()
    rows = content_of(data)["rules"]
    rows.append({**rows[0], "_id": "bigger", "severity": '"refuse"'})
    with pytest.raises(Malformed, match="one table, code and severity for big"):
        Ruleset.parse(data)


@given(st.permutations(["tables", "examples"]), st.booleans())
def test_the_version_is_of_the_content_and_not_of_its_order(names: list[str], sort: bool) -> None:
    data = bundle()
    again = json.loads(json.dumps({name: data[name] for name in names}, sort_keys=sort))
    assert Ruleset.parse(again).version == Ruleset.parse(data).version


def test_another_threshold_is_another_version() -> None:
    data = bundle()
    changed = copy.deepcopy(data)
    content_of(changed)["rules"][0]["minor"] = "> 11"
    assert Ruleset.parse(changed).version != Ruleset.parse(data).version


def test_an_example_differs_from_an_ordinary_purchase_only_where_it_says() -> None:
    facts = differing({"billing": {"minor": 7}, "account": {"holds": ["LEGAL"]}}, "example")
    assert facts["billing"] == {"minor": 7, "currency": "EUR"}
    assert facts["account"]["holds"] == ["LEGAL"]
    assert PLAIN_FACTS["billing"]["minor"] != 7
    unchanged = {name: value for name, value in facts.items() if name not in ("billing", "account")}
    assert unchanged == {name: PLAIN_FACTS[name] for name in unchanged}
