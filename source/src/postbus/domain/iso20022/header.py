"""What a message says it is, before anything else of it is looked at."""

from postbus.domain.iso20022.elements import children, descend, token
from postbus.domain.iso20022.xml import Document

# ISO 20022 Max35Text.
_MOST_OF_AN_ID = 35

# Where a message keeps its id: most in their group header, cancellations in their assignment.
_PLACES = (("GrpHdr", "MsgId"), ("Assgnmt", "Id"))


def message_id(document: Document) -> str | None:
    """Its ``MsgId`` as an answer can quote it; ``None`` for a message without one, or with no such id."""
    for body in children(document.root).values():
        for place in _PLACES:
            found = token(descend(body, *place))
            if found and len(found) <= _MOST_OF_AN_ID:
                return found
    return None
