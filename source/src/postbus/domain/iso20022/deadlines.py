"""How long a transaction may be open: by the definition of its message, before it has one, and otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.messages import MessageType

_WITHOUT_A_MESSAGE = "none"
_OTHERWISE = "other"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds by definition such as ``pacs.008``; ``none`` before a message came, ``other`` for the rest."""

    seconds: Mapping[str, int]

    @classmethod
    def of_text(cls, text: str) -> "Deadlines":
        """Read ``pacs.008=30,other=60,none=900``; raises Malformed where one is no number or is missing."""
        seconds = {}
        for pair in text.split(","):
            name, _, number = pair.strip().partition("=")
            if not number.isdecimal() or not int(number):
                raise Malformed("deadlines", "pairs such as pacs.008=30, in whole seconds from 1")
            seconds[name] = int(number)
        if not {_WITHOUT_A_MESSAGE, _OTHERWISE} <= seconds.keys():
            raise Malformed("deadlines", f"one for {_WITHOUT_A_MESSAGE} and one for {_OTHERWISE}")
        return cls(seconds)

    @property
    def before_a_message(self) -> timedelta:
        """From the opening of a transaction."""
        return timedelta(seconds=self.seconds[_WITHOUT_A_MESSAGE])

    @property
    def before_it_is_read(self) -> timedelta:
        """From the arrival of a message that nobody has read yet: the longest one it may turn out to have."""
        return timedelta(
            seconds=max(number for name, number in self.seconds.items() if name != _WITHOUT_A_MESSAGE)
        )

    def of(self, message_type: MessageType) -> timedelta:
        """From the arrival of a message of this type."""
        return timedelta(seconds=self.seconds.get(message_type.definition, self.seconds[_OTHERWISE]))
