"""The rules in the tree: every row pinned by an example, exact to the last minor unit, and safe."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postbus.adapters import rules_folder
from postbus.adapters.zen_rules import SAFEGUARDS, ZenRuleEngine, check
from postbus.domain import rules
from postbus.domain.enrichment import MOST_COUNTED
from postbus.domain.errors import InvariantBroken, Malformed
from postbus.domain.iso20022.progress import FINDING_REASONS
from postbus.domain.rules import REMARKS, Severity
from postbus.domain.ruleset import FACT_NAMES, Ruleset, differing
from postbus.domain.transaction import Kind

FOLDER = Path(__file__).parents[2] / "rules"
RULESET = rules_folder.read(FOLDER)
ENGINE = ZenRuleEngine(lambda: RULESET)

# Beyond these no client counts exactly that reads numbers as IEEE doubles.
LARGEST_EXACT_DOUBLE = 2**53
LARGEST_AMOUNT = 10**18 - 1


def found(**changes: Any) -> set[str]:
    return {finding.id for finding in ENGINE.evaluate(differing(changes, "test")).findings}


def changed(table: str, row: int, field: str, cell: str) -> Ruleset:
    """The ruleset with one cell changed; ``field`` is a fact or an output."""
    bundle: Any = copy.deepcopy(dict(RULESET.bundle))
    content = bundle["tables"][table]["nodes"][1]["content"]
    columns = {column["field"]: column["id"] for column in (*content["inputs"], *content["outputs"])}
    content["rules"][row][columns[field]] = cell
    return Ruleset.parse(bundle)


def row_of(table: str, row_id: str) -> int:
    (rows,) = [one.rows for one in RULESET.tables if one.name == table]
    return [row.id for row in rows].index(row_id)


def test_every_example_finds_what_it_says_and_every_row_has_one() -> None:
    assert len(RULESET.tables) >= 6
    assert sum(len(table.rows) for table in RULESET.tables) >= 20
    assert check(RULESET) == []


def test_a_rule_that_refuses_a_transfer_has_a_word_of_the_standard() -> None:
    """All but what asks for a merchant, which no transfer has."""
    refusing = {
        row.finding.code
        for table in RULESET.tables
        for row in table.rows
        if row.finding.severity is Severity.REFUSE
        and not any(fact.startswith("merchant.") for fact in row.cells)
    }
    assert refusing
    assert refusing <= FINDING_REASONS.keys()


CELLS = [
    (table.name, number, field)
    for table in RULESET.tables
    for number, row in enumerate(table.rows)
    for field in row.cells
]


@pytest.mark.parametrize(("table", "row", "field"), CELLS, ids=[f"{t}-{r}-{f}" for t, r, f in CELLS])
def test_a_rule_that_never_applies_any_more_fails_the_check(table: str, row: int, field: str) -> None:
    never = {bool: "null", int: "< 0", str: '"no such thing"', list: 'contains($, "no such thing")'}
    assert check(changed(table, row, field, never[type(FACT_NAMES[field])]))


LIMITS = [
    (table.name, number, field, cell)
    for table in RULESET.tables
    for number, row in enumerate(table.rows)
    for field, cell in row.cells.items()
    if type(FACT_NAMES[field]) is int
]


@pytest.mark.parametrize(
    ("table", "row", "field", "cell"), LIMITS, ids=[f"{t}-{r}-{f}" for t, r, f, _ in LIMITS]
)
def test_a_limit_moved_by_one_fails_the_check(table: str, row: int, field: str, cell: str) -> None:
    for limit in re.finditer(r"\d+", cell):
        for moved in (int(limit[0]) - 1, int(limit[0]) + 1):
            assert check(changed(table, row, field, f"{cell[: limit.start()]}{moved}{cell[limit.end() :]}"))


@pytest.mark.parametrize("cell", [">", "> 1 and", '> "a"', ">> 1", "len($) > 0", "> billing.minr", '"EUR'])
def test_a_cell_the_engine_cannot_evaluate_fails_the_check_and_is_named(cell: str) -> None:
    """The engine itself would take it for "does not apply", without a word."""
    number = row_of("amount", "eur-card")
    problems = check(changed("amount", number, "billing.minor", cell))
    assert any("row eur-card, billing.minor" in problem for problem in problems)


@pytest.mark.parametrize(
    "cell", [f"> {MOST_COUNTED}", f"[{MOST_COUNTED + 1}..500]", f"== {MOST_COUNTED + 1}"]
)
def test_a_velocity_limit_beyond_what_is_counted_fails_the_check(cell: str) -> None:
    """No payment would ever reach it, whatever its examples say."""
    problems = check(changed("velocity", row_of("velocity", "frantic"), "velocity_count", cell))
    assert any("row frantic, velocity_count" in problem and "120" in problem for problem in problems)


def test_a_velocity_limit_that_the_counter_just_reaches_is_no_problem_of_its_own() -> None:
    cell = f"> {MOST_COUNTED - 1}"
    problems = check(changed("velocity", row_of("velocity", "frantic"), "velocity_count", cell))
    assert not any("velocity_count" in problem for problem in problems)


@pytest.mark.parametrize("limit", [LARGEST_EXACT_DOUBLE, LARGEST_EXACT_DOUBLE + 1, LARGEST_AMOUNT - 1])
def test_amounts_are_compared_exactly_beyond_what_a_double_can_tell_apart(limit: int) -> None:
    strict = changed("amount", row_of("amount", "eur-card"), "billing.minor", f"> {limit}")
    engine = ZenRuleEngine(lambda: strict)

    def held(minor: int) -> bool:
        facts = differing({"billing": {"minor": minor}}, "test")
        return any(finding.id == "high-amount" for finding in engine.evaluate(facts).findings)

    assert [held(minor) for minor in (limit - 1, limit, limit + 1)] == [False, False, True]


@given(minor=st.integers(1, LARGEST_AMOUNT))
@settings(max_examples=200, deadline=None)
def test_any_amount_is_judged_as_integers_are_compared(minor: int) -> None:
    assert ("high-amount" in found(billing={"minor": minor})) == (minor > 1_000_000)


def test_all_findings_are_found_the_most_severe_first_and_each_once() -> None:
    facts = differing(
        {
            "billing": {"minor": 10**9},
            "merchant": {"status": "blocked", "category_code": "7995"},
            "suspected_duplicate": True,
            "foreign": True,
            "velocity_count": 1_000,
        },
        "test",
    )
    findings = ENGINE.evaluate(facts).findings
    ranks = [list(Severity).index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks)
    ids = [finding.id for finding in findings]
    assert len(set(ids)) == len(ids)
    assert set(ids) >= {
        "blocked-merchant",
        "suspected-duplicate",
        "high-amount",
        "frantic-hour",
        "warned-merchant-type",
        "foreign",
    }


def test_a_trace_is_kept_where_something_stands_against_it_and_names_the_row_and_its_facts() -> None:
    assert ENGINE.evaluate(differing({"foreign": True}, "test")).trace is None
    trace = ENGINE.evaluate(differing({"billing": {"minor": 1_000_001}}, "test")).trace
    by = {"kind": "purchase", "billing.currency": "EUR", "billing.minor": 1_000_001}
    assert trace == {"amount": [{"row": "eur-card", "by": by}]}


@pytest.mark.parametrize(("what", "changes", "least"), SAFEGUARDS, ids=[one[0] for one in SAFEGUARDS])
def test_what_no_ruleset_may_let_through_is_not_let_through(
    what: str, changes: dict[str, Any], least: Severity
) -> None:
    findings = ENGINE.evaluate(differing(changes, what)).findings
    assert findings
    assert list(Severity).index(findings[0].severity) <= list(Severity).index(least)


@pytest.mark.parametrize(
    ("table", "row"), [("suspicion", "duplicate"), ("suspicion", "conflict"), ("account", "not-open")]
)
def test_a_ruleset_without_its_safeguards_neither_passes_nor_judges(table: str, row: str) -> None:
    weak = changed(table, row_of(table, row), "severity", '"warn"')
    assert any(problem.startswith("safeguard") for problem in check(weak))
    with pytest.raises(InvariantBroken, match="safeguard"):
        ZenRuleEngine(lambda: weak).evaluate(differing({}, "test"))


NARROWINGS = [
    ("kind", '"purchase"'),
    ("billing.minor", "< 5000"),
    ("amount.minor", "> 10"),
    ("billing.currency", '"EUR"'),
    ("source", '"visa"'),
    ("foreign", "false"),
]


def narrowed(table: str, row: str, field: str, cell: str) -> Ruleset:
    """The ruleset with a column added to a table, in which one row asks for more than it did."""
    bundle: Any = copy.deepcopy(dict(RULESET.bundle))
    content = bundle["tables"][table]["nodes"][1]["content"]
    content["inputs"].append({"id": "in-added", "name": "Added", "field": field})
    content["rules"][row_of(table, row)]["in-added"] = cell
    return Ruleset.parse(bundle)


@pytest.mark.parametrize(("field", "cell"), NARROWINGS, ids=[field for field, _ in NARROWINGS])
@pytest.mark.parametrize("row", ["duplicate", "conflict"])
def test_a_safeguard_narrowed_to_some_payments_fails_the_check(row: str, field: str, cell: str) -> None:
    problems = check(narrowed("suspicion", row, field, cell))
    assert any(problem.startswith("safeguard") for problem in problems)


def test_the_tables_in_the_tree_say_what_stands_whatever_they_say() -> None:
    said = {row.finding for table in RULESET.tables for row in table.rows}
    assert said >= {
        rules.ACCOUNT_NOT_OPEN,
        rules.COUNTERPARTY_NOT_OPEN,
        rules.LEGAL_HOLD,
        rules.OTHER_HOLD,
        rules.COUNTERPARTY_LEGAL_HOLD,
        rules.COUNTERPARTY_HOLD,
        rules.CONFLICT,
        rules.DUPLICATE,
    }


ACCOUNT_FACTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["open", "blocked", "closed", ""]),
        "holds": st.lists(st.sampled_from(["LEGAL", "FRAUD_REVIEW"]), max_size=2),
    }
)


@given(
    account=ACCOUNT_FACTS,
    counterparty=ACCOUNT_FACTS,
    kind=st.sampled_from([kind.value for kind in Kind]),
    conflict=st.booleans(),
    duplicate=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_under_the_tables_in_the_tree_nothing_is_left_for_the_safeguards_to_add(
    account: dict[str, Any], counterparty: dict[str, Any], kind: str, conflict: bool, duplicate: bool
) -> None:
    changes = {
        "account": account,
        "counterparty": counterparty,
        "kind": kind,
        "conflict": conflict,
        "suspected_duplicate": duplicate,
    }
    facts = differing(changes, "test")
    evaluation = ENGINE.evaluate(facts)
    assert rules.safeguarded(evaluation, facts) is evaluation
    assert {finding.id for finding in rules.safeguards(facts)} <= {one.id for one in evaluation.findings}


def test_every_remark_has_a_rule_that_leads_to_it() -> None:
    codes = {row.finding.code for table in RULESET.tables for row in table.rows}
    assert codes >= REMARKS.keys()


def test_the_engine_takes_up_another_ruleset_when_it_is_in_force() -> None:
    in_force = [RULESET]
    engine = ZenRuleEngine(lambda: in_force[0])
    facts = differing({"billing": {"minor": 500}}, "test")
    assert engine.evaluate(facts).ruleset == RULESET.version
    in_force[0] = changed("amount", row_of("amount", "eur-card"), "billing.minor", "> 499")
    evaluation = engine.evaluate(facts)
    assert evaluation.ruleset == in_force[0].version
    assert [finding.id for finding in evaluation.findings] == ["high-amount"]


def test_every_finding_is_pinned_by_an_example_and_no_other_is() -> None:
    ids = {row.finding.id for table in RULESET.tables for row in table.rows}
    said = {one for examples in RULESET.examples.values() for example in examples for one in example.finds}
    assert said == ids


def copied(folder: Path) -> Path:
    (folder / "examples").mkdir(parents=True)
    for path in FOLDER.rglob("*.json"):
        (folder / path.relative_to(FOLDER)).write_text(path.read_text())
    return folder


def test_a_folder_is_read_as_it_is(tmp_path: Path) -> None:
    assert rules_folder.read(copied(tmp_path / "rules")).version == RULESET.version
    assert rules_folder.packaged().version == RULESET.version


def test_a_table_that_is_not_listed_is_noticed(tmp_path: Path) -> None:
    folder = copied(tmp_path / "rules")
    (folder / "forgotten.json").write_text("{}")
    with pytest.raises(Malformed, match="forgotten"):
        rules_folder.read(folder)


@pytest.mark.parametrize("file", ["ruleset.json", "amount.json", "examples/amount.json"])
@pytest.mark.parametrize("content", [None, "{", "[1]", json.dumps("rules")])
def test_a_damaged_folder_names_the_file_or_the_table(tmp_path: Path, file: str, content: str | None) -> None:
    path = copied(tmp_path / "rules") / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(Malformed, match=path.stem):
        rules_folder.read(tmp_path / "rules")


def test_every_fact_a_table_may_ask_for_is_explained() -> None:
    explained = (FOLDER / "README.md").read_text()
    assert [name for name in FACT_NAMES if f"`{name}`" not in explained] == []
    assert f"counted as far as {MOST_COUNTED} |" in explained
