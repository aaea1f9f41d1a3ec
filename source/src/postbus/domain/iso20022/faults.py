"""What a check found, in words for the sender: what was expected, line and path, no value of the message."""

from postbus.domain.iso20022.messages import Fault, Place, Reason

# ISO 20022 Max105Text.
_MOST_OF_A_LINE = 105


def fault(code: str, expected: str, place: Place, transfer: int | None = None) -> Fault:
    """The fault with its reason's lines.

    Args:
        code: ISO 20022 ExternalStatusReason1Code.
        expected: what would have been accepted; never a value of the message.
        transfer: number of the transfer it stands in; ``None`` for the whole message.
    """
    words = (expected, f"line {place.line}: {place.path}")
    return Fault(Reason(code, tuple(line for text in words for line in _lines(text))), place, transfer)


def _lines(text: str) -> list[str]:
    return [text[at : at + _MOST_OF_A_LINE] for at in range(0, len(text), _MOST_OF_A_LINE)]
