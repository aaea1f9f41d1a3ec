"""Business rules: the facts the decision tables see, and what their findings lead to.

The judgements themselves are data (``rules/``); here is what any of them may mean for a payment, and the few
that no data can take back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from postbus.domain.conversion import Conversion
from postbus.domain.enrichment import COUNTED_KINDS
from postbus.domain.errors import Malformed
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.posting import Account
from postbus.domain.transaction import Kind, Transaction


class Severity(StrEnum):
    """What a finding does to the payment; the most severe one decides."""

    REFUSE = "refuse"
    HOLD = "hold"
    WARN = "warn"


RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found.

    Attributes:
        id: the rule's own name, which an operator waives, such as ``high-amount``.
        code: the kind of finding, such as ``HIGH_AMOUNT``.
        text: for the operator; never with a value in it that could be a card number.
    """

    id: str
    code: str
    severity: Severity
    text: str

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """Read ``{"id", "code", "severity", "text"}``; raises Malformed naming the field."""
        if not isinstance(data, Mapping):
            raise Malformed("finding", "an object")
        for name in ("id", "code", "text"):
            if not isinstance(data.get(name), str) or not data[name]:
                raise Malformed(f"finding.{name}", "non-empty text")
        if data.get("severity") not in list(Severity):
            raise Malformed("finding.severity", "one of " + ", ".join(Severity))
        return cls(data["id"], data["code"], Severity(data["severity"]), data["text"])

    def to_data(self) -> dict[str, str]:
        return {"id": self.id, "code": self.code, "severity": self.severity.value, "text": self.text}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a ruleset made of one transaction's facts.

    Attributes:
        findings: all of them, the most severe first, each once.
        ruleset: version of the ruleset.
        trace: per table the rows that were hit and the values they were hit by; ``None`` when nothing
            stands against the posting.
    """

    findings: tuple[Finding, ...]
    ruleset: str
    trace: Mapping[str, Any] | None = None


# The safeguards, under the names the tables in the tree give them.
ACCOUNT_NOT_OPEN = Finding("account-not-open", "ACCOUNT_STATUS", Severity.REFUSE, "The account is not open.")
COUNTERPARTY_NOT_OPEN = Finding(
    "counterparty-not-open", "ACCOUNT_STATUS", Severity.REFUSE, "The creditor's account is not open."
)
LEGAL_HOLD = Finding(
    "account-legal-hold",
    "ACCOUNT_HOLD",
    Severity.REFUSE,
    "The account is under a legal hold: nothing may be spent from it.",
)
OTHER_HOLD = Finding(
    "account-hold", "ACCOUNT_HOLD", Severity.HOLD, "An officer has placed a hold on the account."
)
COUNTERPARTY_LEGAL_HOLD = Finding(
    "counterparty-legal-hold",
    "ACCOUNT_HOLD",
    Severity.REFUSE,
    "The creditor's account is under a legal hold: nothing may be returned from it.",
)
COUNTERPARTY_HOLD = Finding(
    "counterparty-hold",
    "ACCOUNT_HOLD",
    Severity.HOLD,
    "An officer has placed a hold on the creditor's account, from which it is returned.",
)
CONFLICT = Finding(
    "conflict",
    "CONFLICT",
    Severity.HOLD,
    "The same authorisation id was seen before with other content; it may only be refused.",
)
DUPLICATE = Finding(
    "suspected-duplicate",
    "DUPLICATE",
    Severity.HOLD,
    "Another authorisation with the same business fingerprint came within the window.",
)

# Findings of these kinds are announced by an event of their own, besides the decision.
REMARKS = {
    "FOREIGN": "ForeignTransactionFound",
    "CONVERTED": "CurrencyConversionTransactionFound",
    "CONVERSION_OFF": "CurrencyConversionTransactionFound",
    "CONVERSION_UNCHECKED": "CurrencyConversionTransactionFound",
    "WARNED_MERCHANT_TYPE": "WarningMerchantTypeTransactionFound",
}

# An ordinary domestic purchase.  It is also the list of all facts and their types: a table may ask for
# nothing else, and its examples say only how they differ from this one.
PLAIN_FACTS: Mapping[str, Any] = {
    "source": "visa",
    "kind": "purchase",
    "amount": {"minor": 1250, "currency": "EUR"},
    "billing": {"minor": 1250, "currency": "EUR"},
    "account": {"status": "open", "type": "current", "currency": "EUR", "holds": []},
    "counterparty": {"status": "", "type": "", "currency": "", "holds": []},
    "merchant": {"id": "", "status": "", "category_code": "", "country": ""},
    "suspected_duplicate": False,
    "conflict": False,
    "foreign": False,
    "converted": False,
    "velocity_count": 1,
    "conversion": {"status": "none", "deviation_basis_points": 0},
}


def facts_of(data: Mapping[str, Any], conversion: Conversion | None = None) -> dict[str, Any]:
    """The facts the decision tables see, in the shape and types of ``PLAIN_FACTS``.

    Every fact is always there: a comparison with something absent would quietly find nothing.

    Args:
        data: of a TransactionEnriched event.
        conversion: the check of its conversion; required of a converted transaction.
    Raises:
        Malformed: names the field that is missing or not of its type.
    """
    transaction = Transaction.from_data(data.get("transaction"))
    if transaction.converted and conversion is None:
        raise Malformed("conversion", "the check of a converted transaction's rate")
    found = _mapping(data, "facts")
    counterparty = data.get("counterparty")
    merchant = _mapping(data, "merchant") if "merchant" in data else {}
    return {
        "source": transaction.source,
        "kind": transaction.kind.value,
        "amount": {"minor": transaction.amount.minor, "currency": transaction.amount.currency},
        "billing": {"minor": transaction.billing.minor, "currency": transaction.billing.currency},
        "account": _account_facts(Account.from_data(data.get("account"))),
        "counterparty": (
            PLAIN_FACTS["counterparty"]
            if counterparty is None
            else _account_facts(Account.from_data(counterparty, "counterparty"))
        ),
        "merchant": {
            "id": transaction.merchant_id or "",
            "status": merchant.get("status", ""),
            "category_code": transaction.merchant_category_code or "",
            "country": transaction.merchant_country or "",
        },
        "suspected_duplicate": "duplicate_of" in data,
        "conflict": "conflict_with" in data,
        "foreign": _of_type(found, "foreign", bool),
        "converted": transaction.converted,
        "velocity_count": _of_type(found, "velocity_count", int),
        "conversion": (
            PLAIN_FACTS["conversion"]
            if conversion is None
            else {
                "status": conversion.status,
                "deviation_basis_points": conversion.deviation_basis_points,
            }
        ),
    }


def safeguards(facts: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What is found in the facts whichever ruleset is in force, the most severe first.

    A table may say the same under the same id, or say it more severely; none can say less.  Rows are data,
    and no check of a ruleset tries it with every payment there will be.

    Args:
        facts: of ``facts_of``.
    """
    account, counterparty, kind = facts["account"], facts["counterparty"], facts["kind"]
    spends = kind in COUNTED_KINDS
    legal = "LEGAL" in account["holds"]
    # A reversal by a card scheme has no counterparty.  A return has: the account that the money leaves.
    returns = kind == Kind.REVERSAL and counterparty["status"] != ""
    has_creditor = kind == Kind.TRANSFER or returns
    returns_held = returns and bool(counterparty["holds"])
    returns_legal = returns and "LEGAL" in counterparty["holds"]
    return tuple(
        finding
        for finding, found in (
            (ACCOUNT_NOT_OPEN, account["status"] != "open"),
            (COUNTERPARTY_NOT_OPEN, has_creditor and counterparty["status"] != "open"),
            (LEGAL_HOLD, spends and legal),
            (COUNTERPARTY_LEGAL_HOLD, returns_legal),
            (COUNTERPARTY_HOLD, returns_held and not returns_legal),
            (OTHER_HOLD, spends and bool(account["holds"]) and not legal),
            (CONFLICT, facts["conflict"]),
            (DUPLICATE, facts["suspected_duplicate"]),
        )
        if found
    )


def safeguarded(evaluation: Evaluation, facts: Mapping[str, Any]) -> Evaluation:
    """What a ruleset made of these facts, with the safeguards among its findings where it left them out."""
    found = {finding.id: finding for finding in evaluation.findings}
    missed = {
        one.id: one
        for one in safeguards(facts)
        if one.id not in found or RANK[found[one.id].severity] > RANK[one.severity]
    }
    if not missed:
        return evaluation
    findings = sorted((found | missed).values(), key=lambda finding: RANK[finding.severity])
    # No row was hit by what is added; that nobody was looking before is no reason to show nothing.
    return replace(evaluation, findings=tuple(findings), trace=evaluation.trace or {})


def standing_against(
    findings: Iterable[Finding], waived: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """The findings that keep the payment from being posted: refusing ones always, holding ones unless waived.

    Args:
        waived: ids of the findings an operator has waived.
    """
    return tuple(
        finding
        for finding in findings
        if finding.severity is Severity.REFUSE
        or (finding.severity is Severity.HOLD and finding.id not in waived)
    )


def remarks(event: Event, findings: Iterable[Finding], at: datetime) -> list[Event]:
    """The remarks that findings give rise to, at most one of each type, told of by its first finding."""
    first: dict[str, Finding] = {}
    for finding in findings:
        if finding.code in REMARKS:
            first.setdefault(REMARKS[finding.code], finding)
    return [
        event.then(type, at, {"transaction": event.data["transaction"], "finding": finding.to_data()})
        for type, finding in first.items()
    ]


def approval(event: Event, evaluation: Evaluation, at: datetime) -> Event:
    """The approval of a transaction nothing stands against."""
    return event.then(
        "TransactionPostingApproved",
        at,
        {
            **event.data,
            "decision": {
                "ruleset": evaluation.ruleset,
                "findings": [finding.to_data() for finding in evaluation.findings],
                "approved_by": "rules",
            },
        },
    )


def objection(event: Event, evaluation: Evaluation, conversion: Conversion | None, at: datetime) -> Outcome:
    """The outcome of a transaction something stands against: VOIDED if a rule refuses it, otherwise HELD.

    Its context is what a later release needs: ``{"enriched", "conversion"?, "ruleset", "trace"}``.
    """
    transaction = Transaction.from_event(event)
    context: dict[str, Any] = {"enriched": dict(event.data)}
    if conversion is not None:
        context["conversion"] = conversion.to_data()
    context |= {"ruleset": evaluation.ruleset, "trace": evaluation.trace}
    findings = [finding.to_data() for finding in evaluation.findings]
    refusing = [finding.id for finding in evaluation.findings if finding.severity is Severity.REFUSE]
    if refusing:
        state, type = OutcomeState.VOIDED, "TransactionRejected"
        data: dict[str, Any] = {
            "transaction": event.data["transaction"],
            "reason": {"code": "RULES_REFUSED", "text": ("Refused by " + ", ".join(refusing))[:500]},
            "findings": findings,
        }
    else:
        state, type = OutcomeState.HELD, "TransactionHeld"
        links = {name: event.data[name] for name in ("duplicate_of", "conflict_with") if name in event.data}
        data = {
            "transaction": event.data["transaction"],
            "findings": findings,
            "ruleset": evaluation.ruleset,
            **links,
            # Of two contents under one authorisation id the ledger may ever see one.
            "releasable": "conflict_with" not in event.data,
        }
    return Outcome.of(event, state, type, transaction.content_hash, at, data, context)


def _account_facts(account: Account) -> dict[str, Any]:
    return {
        "status": account.status,
        "type": account.type,
        "currency": account.currency,
        "holds": list(account.holds),
    }


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise Malformed(name, "an object")
    return value


def _of_type(found: Mapping[str, Any], name: str, type_: type) -> Any:
    value = found.get(name)
    # Exactly that type: True is an int to Python, and would be one to a table.
    if type(value) is not type_:
        raise Malformed(f"facts.{name}", "true or false" if type_ is bool else "a whole number")
    return value
