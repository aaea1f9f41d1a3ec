"""What reading a message gives: its values, the faults met, and where in the document each thing stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lxml.etree import _Element

from postbus.domain.iso20022 import elements
from postbus.domain.iso20022.elements import descend, named
from postbus.domain.iso20022.faults import fault
from postbus.domain.iso20022.messages import (
    Agent,
    Fault,
    Message,
    Place,
    Reference,
    Return,
    Transfer,
    Unreadable,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """An element of the document and its indexed path."""

    element: _Element
    path: str

    @property
    def place(self) -> Place:
        return elements.place(self.element, self.path)

    def below(self, element: _Element, name: str) -> "Scope":
        return Scope(element, f"{self.path}/{name}")

    def find(self, steps: str) -> Place | None:
        """The place of ``Cdtr/PstlAdr/Ctry`` below, or of as much of it as there is; ``None`` for nothing.

        ``A|B`` in a step is whichever of the two there is.
        """
        found: _Element | None = None
        path = self.path
        for step in steps.split("/"):
            inside = self.element if found is None else found
            for name in step.split("|"):
                child = descend(inside, name)
                if child is not None:
                    break
            else:
                break
            found, path = child, f"{path}/{name}"
        return None if found is None else elements.place(found, path)


@dataclass(frozen=True, slots=True)
class Control:
    """The figures a message, or one PmtInf of it, gives of itself, and what is really in it.

    Attributes:
        scope: GrpHdr, or the PmtInf.
        transfers: the numbers of those it counts.
        amount_sum: of all their amounts, whatever the currency, those that could not be used included.
        currencies: of the amounts, as they stand.
        is_group: whether it is the whole message's.
    """

    scope: Scope
    transfers: Sequence[int]
    amount_sum: Decimal
    currencies: frozenset[str]
    is_group: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A message as values.

    Attributes:
        faults: what was found while reading; a transfer whose amount is at fault is ``unreadable``.
        header: GrpHdr, or Assgnmt.
        scopes: of each transfer, return or reference by number: itself, then what it inherits from.
    """

    message: Message
    faults: tuple[Fault, ...]
    header: Scope
    scopes: Mapping[int, tuple[Scope, ...]]
    controls: tuple[Control, ...] = ()

    def place(self, number: int, steps: str) -> Place:
        """Where ``steps`` of a transfer stand, in itself or where it inherits them; else where they would."""
        own, *outer = self.scopes[number]
        for scope in (own, *outer):
            found = scope.find(steps)
            if found is not None:
                return found
        first = steps.split("|")[0].split("/")[0]
        return Place(f"{own.path}/{first}", own.place.line)

    def fault(self, code: str, expected: str, number: int, steps: str) -> Fault:
        """A fault of one transfer, at the place of ``steps``."""
        return fault(code, expected, self.place(number, steps), number)

    def header_fault(self, code: str, expected: str, steps: str) -> Fault:
        """A fault of the whole message, in its header."""
        return fault(code, expected, self.header.find(steps) or self.header.place)


def accepted(reading: Reading, faults: Sequence[Fault]) -> tuple[Transfer | Return | Reference, ...]:
    """What of a message may go on: nothing if the whole is at fault, else whatever has no fault."""
    message = reading.message
    if any(found.transfer is None for found in faults):
        return ()
    bad = {found.transfer for found in faults}
    every: list[Transfer | Return | Reference] = [*message.transfers, *message.returns, *message.references]
    return tuple(one for one in every if one.number not in bad)


def sender_of(message_agent: Agent | None, each: Sequence[Transfer | Return | Unreadable]) -> Agent | None:
    """The instructing agent of the message, or else the first transfer's."""
    return message_agent or next((one.instructing_agent for one in each if one.instructing_agent), None)


def receiver_of(message_agent: Agent | None, each: Sequence[Transfer | Return | Unreadable]) -> Agent | None:
    """The instructed agent of the message, or else the first transfer's."""
    return message_agent or next((one.instructed_agent for one in each if one.instructed_agent), None)


def numbered(scope: Scope, name: str) -> list[Scope]:
    """The children of one name, each with its index in the path."""
    return [
        Scope(element, f"{scope.path}/{name}[{index}]")
        for index, element in enumerate(named(scope.element, name), start=1)
    ]
