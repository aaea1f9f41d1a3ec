"""What findings lead to: the most severe one decides, and the same input leads to the same ids."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain import rules
from postbus.domain.conversion import Conversion
from postbus.domain.errors import Malformed
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.rules import PLAIN_FACTS, Evaluation, Finding, Severity
from postbus.domain.ruleset import differing
from tests.contract.conformance import assert_conforms

EXAMPLES = Path(__file__).parents[3] / "events" / "TransactionEnriched" / "v1" / "examples"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WITHIN = Conversion("checked", "USD/EUR", "0.9213", 0)

FINDINGS = [
    Finding("suspected-duplicate", "DUPLICATE", Severity.HOLD, "Looks the same."),
    Finding("high-amount", "HIGH_AMOUNT", Severity.HOLD, "Much."),
    Finding("blocked-merchant", "BLOCKED_MERCHANT", Severity.REFUSE, "Blocked."),
    Finding("foreign", "FOREIGN", Severity.WARN, "Abroad."),
    Finding("conversion-within-tolerance", "CONVERTED", Severity.WARN, "Fine."),
    Finding("conversion-off", "CONVERSION_OFF", Severity.HOLD, "Off."),
    Finding("warned-merchant-type", "WARNED_MERCHANT_TYPE", Severity.WARN, "Betting."),
]
some_findings = st.lists(st.sampled_from(FINDINGS), unique=True).map(tuple)


def enriched(name: str = "purchase", **changes: Any) -> Event:
    message = json.loads((EXAMPLES / f"{name}.json").read_text())
    message["detail"]["data"] |= changes
    return Event.from_bus(message)


def shape(facts: Any) -> Any:
    if isinstance(facts, Mapping):
        return {name: shape(value) for name, value in facts.items()}
    return type(facts)


@given(some_findings)
def test_the_most_severe_finding_decides(findings: tuple[Finding, ...]) -> None:
    severities = {finding.severity for finding in findings}
    against = rules.standing_against(findings)
    assert bool(against) == bool(severities & {Severity.HOLD, Severity.REFUSE})
    assert not {finding.severity for finding in against} & {Severity.WARN}
    if against:
        outcome = rules.objection(enriched(), Evaluation(findings, "r1", {}), None, NOON)
        refused = Severity.REFUSE in severities
        assert outcome.state is (OutcomeState.VOIDED if refused else OutcomeState.HELD)
        assert outcome.event_type == ("TransactionRejected" if refused else "TransactionHeld")
        assert outcome.data["findings"] == [finding.to_data() for finding in findings]
        assert_conforms(outcome.announcement())


@given(some_findings, st.sets(st.sampled_from([finding.id for finding in FINDINGS])))
def test_a_waiver_lifts_a_hold_and_never_a_refusal(findings: tuple[Finding, ...], waived: set[str]) -> None:
    against = rules.standing_against(findings, frozenset(waived))
    expected = {
        finding
        for finding in findings
        if finding.severity is Severity.REFUSE
        or (finding.severity is Severity.HOLD and finding.id not in waived)
    }
    assert set(against) == expected


@given(some_findings, st.integers(0, 10**6))
def test_the_same_input_gives_the_same_ids_at_any_time(
    findings: tuple[Finding, ...], seconds_later: int
) -> None:
    event, evaluation = enriched(), Evaluation(findings, "r1")
    later = NOON + timedelta(seconds=seconds_later)
    for at in (NOON, later):
        ids = [
            one.event_id
            for one in (*rules.remarks(event, findings, at), rules.approval(event, evaluation, at))
        ]
        first = [
            one.event_id
            for one in (*rules.remarks(event, findings, NOON), rules.approval(event, evaluation, NOON))
        ]
        assert ids == first
        assert len(set(ids)) == len(ids)
    held = [rules.objection(event, evaluation, None, at).announcement().event_id for at in (NOON, later)]
    assert held[0] == held[1]


@given(some_findings)
def test_what_is_announced_is_as_the_catalogue_says(findings: tuple[Finding, ...]) -> None:
    event = enriched("foreign-atm-withdrawal")
    said = rules.remarks(event, findings, NOON)
    for one in (*said, rules.approval(event, Evaluation(findings, "r1"), NOON)):
        assert_conforms(one)
    assert len({one.type for one in said}) == len(said)
    assert {one.type for one in said} == {
        rules.REMARKS[finding.code] for finding in findings if finding.code in rules.REMARKS
    }


def test_a_replayed_transaction_leads_to_replayed_events() -> None:
    event = enriched("derived-from-a-replay")
    assert event.replay
    approval = rules.approval(event, Evaluation((), "r1"), NOON)
    assert {one.replay for one in (*rules.remarks(event, FINDINGS, NOON), approval)} == {event.replay}


def test_the_approval_carries_all_that_was_enriched() -> None:
    event = enriched()
    data = dict(rules.approval(event, Evaluation((), "r1"), NOON).data)
    assert data.pop("decision") == {"ruleset": "r1", "findings": [], "approved_by": "rules"}
    assert data == event.data


def test_a_hold_keeps_all_that_a_release_needs() -> None:
    event = enriched("foreign-atm-withdrawal", duplicate_of="visa-A1")
    outcome = rules.objection(event, Evaluation(tuple(FINDINGS[:1]), "r1", {"suspicion": []}), WITHIN, NOON)
    assert outcome.context is not None
    assert outcome.context["ruleset"] == "r1"
    assert outcome.context["trace"] == {"suspicion": []}
    again = rules.facts_of(outcome.context["enriched"], Conversion.from_data(outcome.context["conversion"]))
    assert again == rules.facts_of(event.data, WITHIN)
    assert outcome.data["duplicate_of"] == "visa-A1"
    assert outcome.data["releasable"] is True


def test_a_conflict_is_held_and_can_never_be_released() -> None:
    event = enriched(conflict_with="visa-A1")
    conflict = Finding("conflict", "CONFLICT", Severity.HOLD, "Other content.")
    outcome = rules.objection(event, Evaluation((conflict,), "r1", {}), None, NOON)
    assert outcome.data["releasable"] is False
    assert outcome.data["conflict_with"] == "visa-A1"


def test_a_rejection_by_the_rules_ends_nothing_that_was_decided_before() -> None:
    outcome = rules.objection(enriched(), Evaluation((FINDINGS[2],), "r1", {}), None, NOON)
    assert outcome.may_replace == {None}
    assert outcome.data["reason"]["code"] == "RULES_REFUSED"
    assert "blocked-merchant" in outcome.data["reason"]["text"]


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.json")))
def test_every_fact_is_always_there_and_of_its_type(name: str) -> None:
    event = enriched(name)
    facts = rules.facts_of(event.data, WITHIN if event.data["facts"]["converted"] else None)
    assert shape(facts) == shape(PLAIN_FACTS)


def test_the_facts_say_what_the_event_says() -> None:
    event = enriched("foreign-atm-withdrawal", duplicate_of="visa-A1", conflict_with="visa-A2")
    facts = rules.facts_of(event.data, Conversion("checked", "USD/EUR", "0.9", 237))
    assert facts["kind"] == "atm_withdrawal"
    assert facts["amount"] == {"minor": 10_000, "currency": "USD"}
    assert facts["billing"] == {"minor": 9_213, "currency": "EUR"}
    assert facts["suspected_duplicate"] is True
    assert facts["conflict"] is True
    assert facts["foreign"] is True
    assert facts["converted"] is True
    assert facts["conversion"] == {"status": "checked", "deviation_basis_points": 237}
    assert facts["merchant"]["category_code"] == "6011"
    transfer = rules.facts_of(enriched("credit-transfer").data)
    assert transfer["kind"] == "transfer"
    assert transfer["counterparty"]["status"] == "open"


@pytest.mark.parametrize(
    ("counterparty", "found"),
    [
        ({"status": "open"}, []),
        ({"status": "blocked"}, ["counterparty-not-open"]),
        ({"status": "closed"}, ["counterparty-not-open"]),
        ({"status": "open", "holds": ["FRAUD_REVIEW", "LEGAL"]}, ["counterparty-legal-hold"]),
        ({"status": "open", "holds": ["FRAUD_REVIEW"]}, ["counterparty-hold"]),
        # A card scheme's reversal: the other side is nobody's account.
        ({}, []),
    ],
)
def test_the_account_a_transfer_is_returned_from_is_judged_like_one_that_is_spent_from(
    counterparty: dict[str, Any], found: list[str]
) -> None:
    facts = differing({"kind": "reversal", "counterparty": counterparty}, "test")
    assert [finding.id for finding in rules.safeguards(facts)] == found


@pytest.mark.parametrize("holds", [["LEGAL"], ["FRAUD_REVIEW"]])
def test_an_account_under_a_hold_may_be_paid_and_may_have_its_money_back(holds: list[str]) -> None:
    paid = {"kind": "transfer", "counterparty": {"status": "open", "holds": holds}}
    returned_to = {"kind": "reversal", "account": {"holds": holds}, "counterparty": {"status": "open"}}
    for changes in (paid, returned_to):
        assert rules.safeguards(differing(changes, "test")) == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"transaction": None}, "transaction"),
        ({"account": None}, "account"),
        ({"facts": None}, "facts"),
        ({"facts": {"foreign": False, "velocity_count": True}}, "facts.velocity_count"),
        ({"facts": {"foreign": "no", "velocity_count": 1}}, "facts.foreign"),
        ({"merchant": None}, "merchant"),
    ],
)
def test_a_missing_fact_is_malformed_and_never_just_no_finding(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as raised:
        rules.facts_of(enriched(**changes).data)
    assert raised.value.field == field


def test_a_conversion_nobody_checked_is_never_judged() -> None:
    with pytest.raises(Malformed, match="conversion"):
        rules.facts_of(enriched("foreign-atm-withdrawal").data)


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.id)
def test_a_finding_survives_the_bus(finding: Finding) -> None:
    assert Finding.from_data(finding.to_data()) == finding


@pytest.mark.parametrize("field", ["id", "code", "severity", "text"])
def test_a_finding_that_lacks_something_names_it(field: str) -> None:
    with pytest.raises(Malformed, match=f"finding.{field}"):
        Finding.from_data({**FINDINGS[0].to_data(), field: ""})
