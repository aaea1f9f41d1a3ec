"""The transfers of a message as its transaction keeps them: each with its record, its refusal or its hold.

A transfer that is kept open with reasons is held: somebody has to decide before anything of its message is
sent on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from postbus.domain.iso20022.messages import (
    Fault,
    Message,
    Reason,
    Return,
    Transfer,
    Unreadable,
    quoted,
)
from postbus.domain.iso20022.progress import UNSPECIFIED
from postbus.domain.iso20022.workflow import Child, ChildState, pipeline_transaction_id


@dataclass(slots=True)
class Findings:
    """What was found about a message's transfers so far, by number.

    Attributes:
        whole: why nothing of the message may go on.
        refused: why a transfer is refused.
        held: what has to be decided about a transfer.
        records: what the pipeline is to be given for each that goes on.
        settlement_agents: the BIC of whose settlement account each of these transfers is booked to; ``None``
            where it is a customer's.
    """

    whole: tuple[Reason, ...] = ()
    refused: dict[int, tuple[Reason, ...]] = field(default_factory=dict)
    held: dict[int, tuple[Reason, ...]] = field(default_factory=dict)
    records: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    settlement_agents: dict[int, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> "Findings":
        found = cls()
        for one in faults:
            if one.transfer is None:
                found.whole += (one.reason,)
            else:
                found.refuse(one.transfer, one.reason)
        return found

    def refuse(self, number: int, reason: Reason) -> None:
        self.refused[number] = (*self.refused.get(number, ()), reason)

    def hold(self, number: int, reason: Reason) -> None:
        self.held[number] = (*self.held.get(number, ()), reason)

    def goes_on(self, number: int) -> bool:
        """Whether nothing stands against a transfer, or only what is to be decided."""
        return not self.whole and number not in self.refused


def children(message: Message, transaction_id: str, found: Findings) -> list[Child]:
    """Every transfer and return of a message in its order, those that could not be read among them."""
    every: list[Transfer | Return | Unreadable] = [*message.transfers, *message.returns, *message.unreadable]
    return [_child(one, transaction_id, found) for one in sorted(every, key=lambda one: one.number)]


def held_for(children: Iterable[Child]) -> tuple[Reason, ...]:
    """What has to be decided about a message: the reasons of its open transfers, each once."""
    held = [reason for child in children if child.state is ChildState.OPEN for reason in child.reasons]
    return tuple(dict.fromkeys(held))


def _child(one: Transfer | Return | Unreadable, transaction_id: str, found: Findings) -> Child:
    known = {
        **_quoted(one),
        "amount": None if isinstance(one, Unreadable) else one.amount,
        "creditor_agent": one.creditor_agent if isinstance(one, Transfer) else None,
    }
    record = found.records.get(one.number)
    if not found.goes_on(one.number) or record is None:
        reasons = found.refused.get(one.number) or found.whole or (UNSPECIFIED,)
        return Child(state=ChildState.REJECTED, reasons=reasons, **known)
    return Child(
        state=ChildState.OPEN,
        reasons=found.held.get(one.number, ()),
        pipeline_id=pipeline_transaction_id(transaction_id, one.number),
        record=record,
        settlement_agent=found.settlement_agents.get(one.number),
        **known,
    )


def _quoted(one: Transfer | Return | Unreadable) -> dict[str, Any]:
    if not isinstance(one, Return):
        return quoted(one)
    # A status of a return quotes what it returns.
    return {
        "number": one.number,
        "end_to_end_id": one.original_end_to_end_id,
        "instruction_id": one.original_instruction_id,
        "transaction_id": one.original_transaction_id,
        "uetr": one.original_uetr,
        "instructing_agent": one.instructing_agent,
        "instructed_agent": one.instructed_agent,
        "requested_date": one.requested_date,
    }
