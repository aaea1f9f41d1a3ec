"""What a camt.056 that comes under a transaction wants of it."""

from collections.abc import Sequence

from postbus.domain.iso20022.messages import Message, Reference
from postbus.domain.iso20022.originals import matching
from postbus.domain.iso20022.workflow import Child


def concerned(request: Message, message_id: str, children: Sequence[Child]) -> tuple[int, ...] | Reference:
    """Which transfers of a message a camt.056 is about: their numbers, empty for all of them.

    Args:
        request: with at least one reference.
        message_id: of the message that was sent under the transaction.
        children: of that message.
    Returns:
        The numbers, or the first reference that is about something else.
    """
    numbers: set[int] = set()
    for reference in request.references:
        found = matching(children, reference)
        if reference.original_message_id not in (None, message_id) or not found:
            return reference
        numbers |= {child.number for child in found}
    return () if len(numbers) == len(children) else tuple(sorted(numbers))
