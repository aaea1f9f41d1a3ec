"""What an operator may decide about a payment: to release or refuse a held one, to cancel one not yet posted.

Nothing here is done yet: each function gives the outcome that is wanted, for a conditional write.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postbus.domain import enrichment, rules
from postbus.domain.conversion import RATE_MISSING, Conversion, pair_of
from postbus.domain.enrichment import Record, Rejection
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import REFUSED_BY_OPERATOR, Outcome
from postbus.domain.rules import Evaluation, Finding, Severity
from postbus.domain.transaction import Kind, Transaction

CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Command:
    """Who wants it, why, and when it was said.

    Attributes:
        operator: the caller's identity, as the cloud knows it; a claimed name beside it says it is claimed.
    """

    operator: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NotReleasable:
    """Why a held payment may not be released as asked.

    Attributes:
        reason: for the operator, with what to do about it.
        remaining: the findings that still stand against it.
    """

    reason: str
    remaining: tuple[Finding, ...] = ()


def examine(held: Outcome, account: Record | None, counterparty: Record | None) -> dict[str, Any] | Rejection:
    """A held payment's enriched data with its accounts as they are now, or why it can no longer go on."""
    enriched = _context(held)["enriched"]
    transaction = Transaction.from_data(enriched["transaction"])
    decision = enrichment.decide(
        transaction,
        account=account,
        counterparty=counterparty,
        merchant=enriched.get("merchant"),
        velocity_count=enriched["facts"]["velocity_count"],
    )
    return decision if isinstance(decision, Rejection) else {**enriched, **decision.data}


def facts(held: Outcome, enriched: Mapping[str, Any]) -> dict[str, Any]:
    """What the rules judge it by, with the check of its conversion as it was made.

    A reversal that the ledger held was never checked: it gives back what was billed, at whatever rate.
    """
    conversion = Conversion.from_data(_context(held).get("conversion"))
    transaction = Transaction.from_data(enriched["transaction"])
    if conversion is None and transaction.converted and transaction.kind is Kind.REVERSAL:
        conversion = Conversion(RATE_MISSING, pair_of(transaction))
    return rules.facts_of(enriched, conversion)


def releasable(held: Outcome) -> bool:
    """Not a conflict: of two contents under one authorisation id the ledger may ever see one."""
    return held.data.get("releasable") is True and _other_content(held) is None


def _other_content(held: Outcome) -> str | None:
    """The transaction it contradicts, as announced or as it came in."""
    enriched = (held.context or {}).get("enriched", {})
    other: str | None = held.data.get("conflict_with", enriched.get("conflict_with"))
    return other


def holding(held: Outcome, evaluation: Evaluation | None = None) -> tuple[Finding, ...]:
    """The findings it is held for, as they were and as they are now, each once."""
    found = {
        finding.id: finding
        for finding in (
            *(Finding.from_data(finding) for finding in held.data.get("findings", ())),
            *(evaluation.findings if evaluation else ()),
        )
        if finding.severity is not Severity.WARN
    }
    return tuple(found.values())


def release(
    held: Outcome,
    enriched: Mapping[str, Any] | Rejection,
    evaluation: Evaluation | None,
    waived: Collection[str],
    command: Command,
) -> Outcome | NotReleasable:
    """HELD → RELEASED: the approval of a payment whose every holding finding the operator names.

    Args:
        enriched: of ``examine``.
        evaluation: what the rules in force find in ``facts``; ``None`` only beside a Rejection.
        waived: ids of findings.
    """
    if not releasable(held):
        other = _other_content(held) or "another record"
        return NotReleasable(f"it contradicts {other}, and a conflict can only be refused")
    if isinstance(enriched, Rejection):
        return NotReleasable(f"{enriched.text} ({enriched.code}): refuse it, or mend the account first")
    assert evaluation is not None
    evaluation = rules.safeguarded(evaluation, facts(held, enriched))
    against = holding(held, evaluation)
    if unknown := sorted(set(waived) - {finding.id for finding in against}):
        return NotReleasable(f"--waive {unknown[0]}: it is not held for that", against)
    remaining = rules.standing_against(against, frozenset(waived))
    if remaining:
        refusing = [finding.id for finding in remaining if finding.severity is Severity.REFUSE]
        if refusing:
            return NotReleasable(f"{', '.join(refusing)} refuses it, which nobody can waive", remaining)
        names = " ".join(f"--waive {finding.id}" for finding in remaining)
        return NotReleasable(f"it is also held for what is not waived; to waive it too: {names}", remaining)
    warnings = [finding for finding in evaluation.findings if finding.severity is Severity.WARN]
    told = held.announcement()
    released = told.then("TransactionReleased", command.at, {})
    data = {
        **enriched,
        "decision": {
            "ruleset": evaluation.ruleset,
            "findings": [finding.to_data() for finding in (*against, *warnings)],
            "approved_by": "operator",
            "waived": sorted(finding.id for finding in against),
            "operator": command.operator,
            "reason": command.reason,
        },
    }
    return Outcome.of(
        released,
        OutcomeState.RELEASED,
        "TransactionPostingApproved",
        held.content_hash,
        command.at,
        data,
        {"held_event_id": told.event_id},
    )


def refuse(held: Outcome, command: Command) -> Outcome:
    """HELD → VOIDED."""
    return _voided(held.announcement(), held.content_hash, REFUSED_BY_OPERATOR, command)


def cancel(latest: Event, command: Command) -> Outcome:
    """Nothing decided, HELD or RELEASED → VOIDED.

    Args:
        latest: the announcement of what stands, or the last event of a transaction nothing was decided about.
    """
    return _voided(latest, Transaction.from_event(latest).content_hash, CANCELLED, command)


def _voided(cause: Event, content_hash: str, code: str, command: Command) -> Outcome:
    data = {
        "transaction": cause.data["transaction"],
        "reason": {"code": code, "text": command.reason},
        "operator": command.operator,
    }
    return Outcome.of(cause, OutcomeState.VOIDED, "TransactionVoided", content_hash, command.at, data)


def announcements(outcome: Outcome, replay: str | None = None) -> tuple[Event, ...]:
    """The events that tell of an outcome: of a release, that it was released and that it may be posted."""
    told = outcome.announcement(replay)
    held_event_id = (outcome.context or {}).get("held_event_id")
    if outcome.state is not OutcomeState.RELEASED or held_event_id is None:
        return (told,)
    decision = outcome.data["decision"]
    released = Event(
        type="TransactionReleased",
        transaction_id=outcome.transaction_id,
        event_id=outcome.causation_id,
        correlation_id=outcome.correlation_id,
        causation_id=held_event_id,
        occurred_at=outcome.decided_at,
        data={
            "transaction": outcome.data["transaction"],
            "waived": decision["waived"],
            "operator": decision["operator"],
            "reason": decision["reason"],
        },
        replay=told.replay,
    )
    return released, told


def _context(held: Outcome) -> Mapping[str, Any]:
    assert held.context is not None, "a held outcome keeps what its release needs"
    return held.context
