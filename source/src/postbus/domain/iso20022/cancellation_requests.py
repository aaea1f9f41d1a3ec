"""What a camt.056 that comes under a transaction wants of it."""

from collections.abc import Iterable

from postbus.domain.iso20022.messages import Message, Reference
from postbus.domain.iso20022.originals import Transfers, agrees, is_whole
from postbus.domain.iso20022.workflow import Child, Head


def concerned(request: Message, head: Head, children: Iterable[Child]) -> tuple[int, ...] | Reference:
    """Which transfers of a message a camt.056 is about: their numbers, empty for all of them.

    Args:
        request: with at least one reference.
        head: of the transaction it comes under.
        children: all of its message's.
    Returns:
        The numbers, or the first reference that is about something else.
    """
    transfers = Transfers(children)
    numbers: set[int] = set()
    whole = False
    for reference in request.references:
        if not agrees(head, reference):
            return reference
        if is_whole(reference):
            whole = True
            continue
        found = transfers.meant(reference)
        if not found:
            return reference
        numbers |= {child.number for child in found}
    return () if whole or len(numbers) == len(transfers.all) else tuple(sorted(numbers))
