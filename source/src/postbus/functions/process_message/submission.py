"""From the transfers that are kept to the records that the pipeline posts.

A return is booked after what it returns: until then it waits, open and without a record in the pipeline, so
that whoever ends its message voids it like any other.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022 import decisions
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.returns import is_return, never_returned
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.transfers import held_for
from postbus.domain.iso20022.workflow import (
    Child,
    ChildState,
    Entry,
    Finished,
    Head,
    Next,
    Reservation,
    StepName,
    StepResult,
    Took,
    transfer_of,
)
from postbus.domain.money import Money
from postbus.domain.steps import Defer
from postbus.ports import Clock, Map
from postbus.ports_iso20022 import CreditTransfers, Liquidity, MessageStore

_BY = StepName.PROCESS.value
_SHORT = Reason("AM04")

# So many are written between two looks at the status.
_RECORDS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Brings kept transfers on their way; again is no change."""

    messages: MessageStore
    liquidity: Liquidity
    transfers: CreditTransfers
    clock: Clock
    each: Map = map

    def submit(self, head: Head) -> StepResult:
        """Hold the message, or set its funds aside and write its records; nothing once it has ended."""
        if head.status in FINAL:
            return self._give_back(head)
        going = self._open(head)
        if not going:
            return Next(StepName.RELEASE)
        if head.status is Status.ACTC and (reasons := held_for(going)):
            head = self.messages.append(head, self._entry(Status.PDNG, reasons))
            return self._give_back(head) if head.status in FINAL else Took()
        if head.status is Status.PDNG:
            decided = self.messages.decisions(head.transaction_id)
            if not decisions.is_let_go_on(decided):
                return Took()
            if decisions.is_being_ended(head, [child.number for child in going], decided):
                return Defer("what was let go on is being taken back")
        going, waits = self._after_originals(head, going)
        going = self._reserve(head, going)
        result: StepResult = Next(StepName.RELEASE)
        if going:
            if head.status is not Status.ACSP:
                self.messages.append(head, self._entry(Status.ACSP))
            result = self._write_records(head, going)
        return Defer("what it returns is not booked yet") if waits else result

    def _after_originals(self, head: Head, going: Sequence[Child]) -> tuple[list[Child], bool]:
        """Those that may be booked now, and whether returns wait.  What ended unbooked is not returned."""
        returns = [child for child in going if is_return(child)]
        states = dict(
            zip((child.number for child in returns), self.each(self._original, returns), strict=True)
        )
        refused = [
            Finished(number=number, state=ChildState.REJECTED, reasons=(reason,))
            for number, state in states.items()
            if (reason := never_returned(state)) is not None
        ]
        if refused:
            self.messages.finish_children(head.transaction_id, refused)
        now = [child for child in going if states.get(child.number, ChildState.POSTED) is ChildState.POSTED]
        return now, ChildState.OPEN in states.values()

    def _original(self, child: Child) -> ChildState:
        """Where the transfer is that a return gives back."""
        found = transfer_of(child.original_transfer or "")
        original = None if found is None else self.messages.child(*found)
        if original is None:
            raise InvariantBroken(f"what return {child.number} gives back is not there any more")
        return original.state

    def _give_back(self, head: Head) -> StepResult:
        """Give back the funds of a message that ended before its transfers were on their way.

        Only what nothing was decided about is given back: what a decision voided is free already, and what
        the pipeline has it keeps.
        """
        going = self._open(head) if head.children else ()
        self._release(going)
        if going and head.status in FINAL:
            # They were kept when their message had ended already, so no decision has covered them.
            ended = [Finished(number=child.number, state=ChildState.VOIDED) for child in going]
            self.messages.finish_children(head.transaction_id, ended)
        return Took()

    def _release(self, children: Iterable[Child]) -> None:
        if found := [child.pipeline_id for child in children if child.pipeline_id is not None]:
            self.liquidity.release(found)

    def _open(self, head: Head) -> list[Child]:
        return [
            child for child in self.messages.children(head.transaction_id) if child.state is ChildState.OPEN
        ]

    def _reserve(self, head: Head, going: Sequence[Child]) -> list[Child]:
        """Set each transfer's funds aside; those for which there are none are refused, the others remain.

        Once it is ACSP that was done for every transfer, whose record may be out: none is refused here any
        more.  Only a return that has waited until now comes new, and what an earlier one has is not SHORT.
        """
        of_account: dict[str, list[Child]] = defaultdict(list)
        for child in going:
            if head.status is Status.ACSP and not is_return(child):
                continue
            of_account[_paying_account(child)].append(child)
        # Those of an account together: else they would contend for its balance; and the first shall be first.
        short = {child.number for found in self.each(self._short, of_account.values()) for child in found}
        if short:
            refused = [
                Finished(number=number, state=ChildState.REJECTED, reasons=(_SHORT,))
                for number in sorted(short)
            ]
            # An earlier call that nobody waited for may have set their funds aside in the meantime.
            self._release(child for child in going if child.number in short)
            self.messages.finish_children(head.transaction_id, refused)
        return [child for child in going if child.number not in short]

    def _short(self, children: Sequence[Child]) -> list[Child]:
        """Those of one account that there are no funds for."""
        amounts: dict[str, Money] = {}
        for child in children:
            if child.pipeline_id is None or child.amount is None:
                raise InvariantBroken(f"transfer {child.number} is open and has no amount or id")
            amounts[child.pipeline_id] = child.amount
        found = self.liquidity.reserve(_paying_account(children[0]), amounts)
        if len(found) != len(children):
            raise InvariantBroken(f"{len(found)} reservations for {len(children)} transfers")
        return [child for child in children if found[child.pipeline_id or ""] is Reservation.SHORT]

    def _write_records(self, head: Head, going: Sequence[Child]) -> StepResult:
        for start in range(0, len(going), _RECORDS_AT_ONCE):
            standing = self.messages.head(head.transaction_id)
            if standing is None or standing.status is not Status.ACSP:
                return self._give_back(standing or head)
            self.transfers.submit([_record(child) for child in going[start : start + _RECORDS_AT_ONCE]])
        standing = self.messages.head(head.transaction_id)
        all_final = standing is not None and standing.children_open == 0
        return Next(StepName.RELEASE) if all_final else Took()

    def _entry(self, status: Status, reasons: tuple[Reason, ...] = ()) -> Entry:
        at: datetime = self.clock()
        return Entry(status=status, at=at, by=_BY, reasons=reasons)


def _record(child: Child) -> Any:
    if child.record is None:
        raise InvariantBroken(f"transfer {child.number} is open and has no record")
    return child.record


def _paying_account(child: Child) -> str:
    if child.paying_account_token is None:
        raise InvariantBroken(f"transfer {child.number} is open and has no record")
    return child.paying_account_token
