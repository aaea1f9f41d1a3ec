"""The four ways a step can fail, sorted by who must act.

A refusal, a hold or a duplicate is none of these: it is a value, announced as an event.
"""

# A path is made of names that a sender chose, one inside the other.
_MOST_OF_A_FIELD = 200


class PostbusError(Exception):
    """Base of every error the project raises on purpose."""


class Malformed(PostbusError):
    """The input can never succeed as it is: park it with its reason; an operator acts.

    Args:
        field: dotted path of the offending field, ``""`` for the whole input; cut to 200 characters.
        expected: what would have been accepted, in words for the reader.
    """

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field[:_MOST_OF_A_FIELD] or 'input'}: {expected}")
        self.field = field[:_MOST_OF_A_FIELD]
        self.expected = expected


class Unavailable(PostbusError):
    """A dependency did not answer: try again later with the same identifiers."""


class OutcomeUnknown(PostbusError):
    """A side effect may have happened: ask, or repeat under the same idempotency key."""


class InvariantBroken(PostbusError):
    """Something that cannot happen happened: our bug; dead letter and alarm."""
