"""A ruleset: decision tables as data, with the examples that pin what they find.

Tables are in the JSON of the GoRules editor.  Of all it can express, a table here is one decision table
that collects the findings of every row it hits; whatever could fail quietly while judging is refused here.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from postbus.domain.card_numbers import long_numbers
from postbus.domain.errors import Malformed
from postbus.domain.rules import PLAIN_FACTS, Finding

_NODE_KINDS = ("inputNode", "decisionTableNode", "outputNode")
_OUTPUTS = ("id", "code", "severity", "text")
# Letters only: an id is quoted in texts and logs, where digits might pass for a card number.
_FINDING_ID = re.compile(r"[a-z]+(-[a-z]+)*")
_CODE = re.compile(r"[A-Z]+(_[A-Z]+)*")
_LONGEST_ID = 64
_LONGEST_TEXT = 300
_NAME = re.compile(r"[a-z]+(_[a-z]+)*")


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of a table.

    Attributes:
        id: the editor's id of the row, unique in its table.
        cells: by name of the fact, the condition in the engine's language; a fact without one matches any.
        finding: what it finds when every cell matches.
    """

    id: str
    cells: Mapping[str, str]
    finding: Finding


@dataclass(frozen=True, slots=True)
class Table:
    """One decision table: the editor's document, and what it says."""

    name: str
    document: Mapping[str, Any]
    node_id: str
    rows: tuple[Row, ...]

    @classmethod
    def parse(cls, name: str, document: Any) -> Self:
        """Read a decision model of one input, one table and one output.

        Raises:
            Malformed: names the table and what is wrong in it.
        """
        if not isinstance(document, Mapping):
            raise Malformed(name, "a decision model, as the editor saves it")
        nodes = {kind: _one(name, document, kind) for kind in _NODE_KINDS}
        if len(document["nodes"]) != len(nodes):
            raise Malformed(name, "one input, one decision table, one output and no other node")
        if any((nodes[kind].get("content") or {}).get("schema") for kind in ("inputNode", "outputNode")):
            raise Malformed(name, "an input and an output without a schema: facts are checked before")
        start, node, end = (node.get("id") for node in nodes.values())
        edges = [(edge.get("sourceId"), edge.get("targetId")) for edge in _list(name, document, "edges")]
        if len(edges) != 2 or set(edges) != {(start, node), (node, end)}:
            raise Malformed(f"{name}.edges", "input to table, table to output")
        content = nodes["decisionTableNode"].get("content", {})
        if content.get("hitPolicy") != "collect":
            raise Malformed(f"{name}.hitPolicy", "collect, so that every rule is evaluated")
        if any(content.get(option) for option in ("inputField", "outputPath", "passThrough")) or (
            content.get("executionMode", "single") != "single"
        ):
            raise Malformed(name, "a table without input field, output path, pass-through or loop")
        inputs = {str(one.get("id")): str(one.get("field")) for one in _list(name, content, "inputs")}
        for field in inputs.values():
            if field not in FACT_NAMES:
                raise Malformed(f"{name}.inputs", f"one of {', '.join(FACT_NAMES)}; not {field!r}")
        outputs = {str(one.get("field")): str(one.get("id")) for one in _list(name, content, "outputs")}
        if sorted(outputs) != sorted(_OUTPUTS):
            raise Malformed(f"{name}.outputs", "exactly " + ", ".join(_OUTPUTS))
        rows = tuple(
            _row(f"{name}.rules[{index}]", rule, inputs, outputs)
            for index, rule in enumerate(_list(name, content, "rules"))
        )
        if not rows or len({row.id for row in rows}) != len(rows):
            raise Malformed(f"{name}.rules", "at least one row, each with an _id of its own")
        return cls(name, document, str(node), rows)


@dataclass(frozen=True, slots=True)
class Example:
    """What a table must find in certain facts.

    Attributes:
        when: the case, in words.
        facts: how they differ from ``PLAIN_FACTS``.
        finds: ids of the findings, all of them.
    """

    when: str
    facts: Mapping[str, Any]
    finds: frozenset[str]

    @classmethod
    def parse(cls, where: str, data: Any) -> Self:
        if not isinstance(data, Mapping) or set(data) != {"when", "facts", "finds"}:
            raise Malformed(where, "an object with when, facts and finds")
        if not isinstance(data["facts"], Mapping) or not isinstance(data["finds"], list):
            raise Malformed(where, "facts as an object and finds as a list")
        return cls(str(data["when"]), differing(data["facts"], where), frozenset(data["finds"]))


@dataclass(frozen=True)
class Ruleset:
    """All tables in force together, and their examples."""

    tables: tuple[Table, ...]
    examples: Mapping[str, tuple[Example, ...]]
    bundle: Mapping[str, Any]

    @classmethod
    def parse(cls, bundle: Any) -> Self:
        """Read ``{"tables": {name: document}, "examples": {name: [example]}}``; order does not matter.

        Raises:
            Malformed: names the table and what is wrong in it.
        """
        if not isinstance(bundle, Mapping) or set(bundle) != {"tables", "examples"}:
            raise Malformed("ruleset", "an object with tables and examples")
        documents, examples = bundle["tables"], bundle["examples"]
        if not isinstance(documents, Mapping) or not isinstance(examples, Mapping) or not documents:
            raise Malformed("ruleset", "tables and examples by the name of the table, at least one")
        if set(examples) != set(documents):
            raise Malformed("ruleset.examples", "examples for each table, and for no other")
        for name in documents:
            if not _NAME.fullmatch(name):
                raise Malformed("ruleset.tables", f"names such as account or high_amount, not {name!r}")
        tables = tuple(Table.parse(name, documents[name]) for name in sorted(documents))
        kinds: dict[str, tuple[str, str, str]] = {}
        for table in tables:
            for row in table.rows:
                kind = (table.name, row.finding.code, row.finding.severity)
                if kinds.setdefault(row.finding.id, kind) != kind:
                    raise Malformed(
                        f"{table.name}.{row.id}", f"one table, code and severity for {row.finding.id}"
                    )
        parsed = {
            name: tuple(
                Example.parse(f"{name} example {index + 1}", example)
                for index, example in enumerate(_list("examples", examples, name))
            )
            for name in sorted(examples)
        }
        return cls(tables, parsed, bundle)

    @cached_property
    def version(self) -> str:
        """Derived from the content: the same tables and examples are the same version anywhere."""
        # Twelve digits at most in a row: a thirteenth might make a card number of it.
        return "r" + hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_json(self) -> str:
        return json.dumps(self.bundle, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def differing(changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """``PLAIN_FACTS`` but for these changes; raises Malformed on a name or type it does not have."""
    return _differing(PLAIN_FACTS, changes, where)


def _differing(plain: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    facts = dict(plain)
    for name, value in changes.items():
        if name not in plain or type(value) is not type(plain[name]):
            raise Malformed(f"{where}: {name}", "a fact of the same name and type as in PLAIN_FACTS")
        nested = isinstance(value, Mapping)
        facts[name] = _differing(plain[name], value, f"{where}: {name}") if nested else value
    return facts


def _leaves(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


# Every fact by its full name, such as ``billing.minor``, with its value in an ordinary purchase.
FACT_NAMES: Mapping[str, Any] = dict(_leaves(PLAIN_FACTS))


def _row(where: str, rule: Any, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Row:
    if not isinstance(rule, Mapping) or not isinstance(rule.get("_id"), str) or not rule["_id"]:
        raise Malformed(where, "a row with an _id")
    where = f"{where} ({rule['_id']})"
    cells = {field: rule.get(column, "") for column, field in inputs.items()}
    if any(not isinstance(cell, str) for cell in cells.values()):
        raise Malformed(where, "text in every cell")
    finding = Finding.from_data({name: _literal(where, name, rule.get(outputs[name])) for name in _OUTPUTS})
    if not _FINDING_ID.fullmatch(finding.id) or len(finding.id) > _LONGEST_ID:
        raise Malformed(f"{where}.id", f"small letters and hyphens, such as high-amount; not {finding.id!r}")
    if not _CODE.fullmatch(finding.code) or len(finding.code) > _LONGEST_ID:
        raise Malformed(f"{where}.code", f"capitals, such as HIGH_AMOUNT; not {finding.code!r}")
    if len(finding.text) > _LONGEST_TEXT or long_numbers(finding.text):
        raise Malformed(
            f"{where}.text", f"at most {_LONGEST_TEXT} characters, no number of 13 or more digits"
        )
    return Row(rule["_id"], {field: cell for field, cell in cells.items() if cell.strip()}, finding)


def _literal(where: str, name: str, cell: Any) -> str:
    # An expression that fails while judging would make the whole row vanish without a word.
    try:
        value = json.loads(cell)
    except (TypeError, ValueError):
        value = None
    if not isinstance(value, str):
        raise Malformed(f"{where}.{name}", 'text in double quotes, such as "high-amount"')
    return value


def _one(name: str, document: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = [node for node in _list(name, document, "nodes") if node.get("type") == kind]
    if len(found) != 1:
        raise Malformed(f"{name}.nodes", f"exactly one {kind}")
    return found[0]


def _list(where: str, container: Mapping[str, Any], field: str) -> Sequence[Mapping[str, Any]]:
    value = container.get(field)
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise Malformed(f"{where}.{field}", "a list of objects")
    return value
