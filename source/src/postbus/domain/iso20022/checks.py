"""What the synchronous checks are asked about a transfer, and what they may answer."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.messages import Agent, Party, Reason
from postbus.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """One transfer, as the checks see it.  Personal data: for the check alone.

    Attributes:
        transaction_id: of the message; with ``number`` it names the transfer.
        debtor_account_token: of the account that pays; ``creditor_account_token`` likewise.
        further_agents: between the two, before them and at their accounts; ``further_parties``: whoever else
            is named, such as who initiated it or is invoiced.
    """

    transaction_id: str
    number: int
    amount: Money
    debtor: Party
    creditor: Party
    debtor_agent: Agent
    creditor_agent: Agent
    ultimate_debtor: Party | None = None
    ultimate_creditor: Party | None = None
    debtor_account_token: str | None = None
    creditor_account_token: str | None = None
    further_agents: tuple[Agent, ...] = ()
    further_parties: tuple[Party, ...] = ()

    def everybody(self) -> Iterator[Party | Agent]:
        """Whoever the message names in this transfer."""
        named = (self.debtor, self.creditor, self.ultimate_debtor, self.ultimate_creditor)
        yield from (one for one in named if one is not None)
        yield from (self.debtor_agent, self.creditor_agent)
        yield from self.further_agents
        yield from self.further_parties

    def to_data(self) -> dict[str, Any]:
        """The shape a check's function is called with."""
        return {**asdict(self), "amount": self.amount.to_data()}

    @classmethod
    def from_data(cls, data: Any) -> "CheckRequest":
        """Read ``to_data``; raises Malformed."""
        if not isinstance(data, Mapping):
            raise Malformed("", "an object")
        try:
            return cls(
                transaction_id=str(data["transaction_id"]),
                number=int(data["number"]),
                amount=Money.from_data(data["amount"]),
                debtor=_party(data["debtor"]),
                creditor=_party(data["creditor"]),
                debtor_agent=_agent(data["debtor_agent"]),
                creditor_agent=_agent(data["creditor_agent"]),
                ultimate_debtor=_party(data["ultimate_debtor"]) if data.get("ultimate_debtor") else None,
                ultimate_creditor=_party(data["ultimate_creditor"])
                if data.get("ultimate_creditor")
                else None,
                debtor_account_token=data.get("debtor_account_token"),
                creditor_account_token=data.get("creditor_account_token"),
                further_agents=tuple(_agent(one) for one in data.get("further_agents") or ()),
                further_parties=tuple(_party(one) for one in data.get("further_parties") or ()),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            # Without the cause: its text may quote a person's data.
            raise Malformed("", "a transfer to check: see CheckRequest.to_data") from None


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing stands against it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It must not be paid."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class NeedsDecision:
    """It waits (PDNG) until an operator decides; the reason is for the operator and never tips anyone off."""

    reason: Reason


CheckAnswer = Passed | Refused | NeedsDecision


def answer_to_data(answer: CheckAnswer) -> dict[str, Any]:
    """``{"answer": "passed"}``, or ``refused`` or ``needs_decision`` with ``code`` and ``additional``."""
    match answer:
        case Passed():
            return {"answer": "passed"}
        case Refused(reason):
            return {"answer": "refused", "code": reason.code, "additional": list(reason.additional)}
        case NeedsDecision(reason):
            return {"answer": "needs_decision", "code": reason.code, "additional": list(reason.additional)}


def answer_from_data(data: Any) -> CheckAnswer:
    """Read ``answer_to_data``; raises Malformed for anything else, which is never taken for a pass."""
    match data:
        case {"answer": "passed"}:
            return Passed()
        case {"answer": "refused", "code": str(code)}:
            return Refused(Reason(code, _lines(data)))
        case {"answer": "needs_decision", "code": str(code)}:
            return NeedsDecision(Reason(code, _lines(data)))
    raise Malformed("answer", "passed, refused or needs_decision, the latter two with a code")


def _lines(data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(line) for line in data.get("additional") or ())


def _party(data: Mapping[str, Any]) -> Party:
    known = {field.name: data[field.name] for field in fields(Party) if field.name in data}
    return Party(**{**known, "address_lines": tuple(known.get("address_lines") or ())})


def _agent(data: Mapping[str, Any]) -> Agent:
    return Agent(**{field.name: data[field.name] for field in fields(Agent) if field.name in data})


def asked(event: Any) -> list[CheckRequest]:
    """What a check's function was called with, ``{"requests": [...]}``; raises Malformed."""
    match event:
        case {"requests": [*requests]}:
            return [CheckRequest.from_data(one) for one in requests]
    raise Malformed("requests", "a list of transfers to check")


def answered(answers: Iterable[CheckAnswer]) -> dict[str, Any]:
    """What it answers, ``{"answers": [...]}``, in order."""
    return {"answers": [answer_to_data(answer) for answer in answers]}
