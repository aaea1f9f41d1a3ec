"""Decision tables run by the GoRules zen engine.

The engine computes with exact decimals of 28 digits, so amounts go in as integers of minor units.  What it
cannot evaluate it counts as not hit, without a word; so a ruleset is checked whole before it judges.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zen

from postbus.domain.enrichment import MOST_COUNTED
from postbus.domain.errors import InvariantBroken, Malformed
from postbus.domain.rules import RANK, Evaluation, Finding, Severity, standing_against
from postbus.domain.ruleset import FACT_NAMES, Ruleset, Table, differing
from postbus.domain.transaction import Kind

# What every ruleset has to say itself, so that nobody reads in one that these may pass.  That they stand is
# not left to it: see ``rules.safeguards``.
SAFEGUARDS: tuple[tuple[str, Mapping[str, Any], Severity], ...] = (
    ("a suspected duplicate", {"suspected_duplicate": True}, Severity.HOLD),
    ("a conflict", {"conflict": True}, Severity.HOLD),
    ("a blocked account", {"account": {"status": "blocked"}}, Severity.REFUSE),
    ("a closed account", {"account": {"status": "closed"}}, Severity.REFUSE),
)

# Payments of several kinds and sizes: a row that was narrowed to some of them shows with the others.
_PAYMENTS: tuple[Mapping[str, Any], ...] = (
    {},
    *({"kind": kind.value, "counterparty": {"status": "open"}} for kind in Kind),
    *({"amount": {"minor": minor}, "billing": {"minor": minor}} for minor in (1, 10**6, 10**15)),
    {"source": "credit_transfers"},
    {"foreign": True, "converted": True, "amount": {"currency": "USD"}, "conversion": {"status": "checked"}},
    {"billing": {"currency": "USD"}, "account": {"currency": "USD"}},
    {"merchant": {"id": "M1", "status": "known", "category_code": "5411", "country": "DE"}},
    {"velocity_count": MOST_COUNTED},
)


@dataclass(frozen=True)
class _Compiled:
    ruleset: Ruleset
    decisions: tuple[tuple[Table, "zen.ZenDecision"], ...]

    @classmethod
    def of(cls, ruleset: Ruleset) -> "_Compiled":
        engine = zen.ZenEngine()
        decisions = []
        for table in ruleset.tables:
            try:
                decision = engine.create_decision(json.dumps(table.document))
                decision.validate()
            except RuntimeError as error:
                raise Malformed(table.name, f"a model the engine can read: {_first_line(error)}") from None
            decisions.append((table, decision))
        return cls(ruleset, tuple(decisions))

    def findings(self, facts: Mapping[str, Any]) -> tuple[Finding, ...]:
        found: dict[str, Finding] = {}
        for _, decision in self.decisions:
            for hit in decision.evaluate(dict(facts))["result"]:
                finding = Finding.from_data(hit)
                found.setdefault(finding.id, finding)
        return tuple(sorted(found.values(), key=lambda finding: RANK[finding.severity]))

    def evaluate(self, facts: Mapping[str, Any]) -> Evaluation:
        findings = self.findings(facts)
        # Tracing costs more than judging: only what an operator will look at is judged again with it.
        trace = self.trace(facts) if standing_against(findings) else None
        return Evaluation(findings, self.ruleset.version, trace)

    def trace(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """By table, the rows that were hit: ``{"amount": [{"row": ..., "by": {"billing.minor": ...}}]}``."""
        trace = {}
        for table, decision in self.decisions:
            node = decision.evaluate(dict(facts), {"trace": True})["trace"][table.node_id]
            hits = [
                {"row": hit["rule"]["_id"], "by": dict(hit["reference_map"])}
                for hit in node["traceData"] or ()
            ]
            if hits:
                trace[table.name] = hits
        return trace


class ZenRuleEngine:
    """Judges by the ruleset in force at the moment."""

    def __init__(self, current: Callable[[], Ruleset]) -> None:
        self._current = current
        self._compiled: _Compiled | None = None

    def evaluate(self, facts: Mapping[str, Any]) -> Evaluation:
        """See ``ports.RuleEngine``.

        Raises:
            InvariantBroken: the ruleset in force cannot judge.  Nothing is judged then, for a row that fails
                looks like a row that does not apply.
        """
        ruleset = self._current()
        if self._compiled is None or self._compiled.ruleset.version != ruleset.version:
            try:
                compiled = _Compiled.of(ruleset)
            except Malformed as error:
                raise InvariantBroken(f"ruleset {ruleset.version}: {error}") from error
            if problems := _unsafe(compiled):
                raise InvariantBroken(f"ruleset {ruleset.version}: {'; '.join(problems)}")
            self._compiled = compiled
        return self._compiled.evaluate(facts)


def check(ruleset: Ruleset) -> list[str]:
    """Everything that keeps a ruleset from being published, in words; empty when it may be.

    Every cell must evaluate, every velocity limit must be within what is counted, every example must find
    exactly what it says, every row must be hit by some example, and the safeguards must stand.
    """
    try:
        compiled = _Compiled.of(ruleset)
    except Malformed as error:
        return [str(error)]
    problems = [problem for table in ruleset.tables for problem in _cells(table)]
    for table, decision in compiled.decisions:
        alone = _Compiled(ruleset, ((table, decision),))
        unhit = {row.id for row in table.rows}
        for example in ruleset.examples[table.name]:
            hits = alone.trace(example.facts).get(table.name, [])
            unhit -= {hit["row"] for hit in hits}
            found = {row.finding.id for row in table.rows if row.id in {hit["row"] for hit in hits}}
            if found != example.finds:
                problems.append(
                    f"{table.name}: {example.when}: expected {_ids(example.finds)}, found {_ids(found)}"
                )
        problems += [f"{table.name}: no example hits the row {row}" for row in sorted(unhit)]
    return problems + _unsafe(compiled, _PAYMENTS)


def _unsafe(compiled: _Compiled, payments: Sequence[Mapping[str, Any]] = ({},)) -> list[str]:
    problems = []
    for what, changes, least in SAFEGUARDS:
        for payment in payments:
            merged = {
                **payment,
                **changes,
                "account": {**payment.get("account", {}), **changes.get("account", {})},
            }
            findings = compiled.findings(differing(merged, what))
            if not findings or RANK[findings[0].severity] > RANK[least]:
                of = f", also of {json.dumps(payment)}" if payment else ""
                problems.append(f"safeguard: {what} must lead to {least.value}{of}")
                break
    return problems


def _cells(table: Table) -> list[str]:
    """Cells that cannot be evaluated with a fact of the column's type, or that no velocity count reaches."""
    problems = []
    for row in table.rows:
        for field, cell in row.cells.items():
            try:
                zen.evaluate_unary_expression(cell, {"$": FACT_NAMES[field]})
            except RuntimeError as error:
                problems.append(f"{table.name}: row {row.id}, {field}: {cell!r}: {_first_line(error)}")
                continue
            if field == "velocity_count" and not _reached(cell):
                never = f"never holds, for no more than {MOST_COUNTED} are counted"
                problems.append(f"{table.name}: row {row.id}, {field}: {cell!r}: {never}")
    return problems


def _reached(cell: str) -> bool:
    return any(zen.evaluate_unary_expression(cell, {"$": count}) for count in range(MOST_COUNTED + 1))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _ids(ids: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(ids)) or "nothing"
