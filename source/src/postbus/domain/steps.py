"""What a queue-driven step answers, one result for each event it was given, in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postbus.domain.event import Event


@dataclass(frozen=True, slots=True)
class Emit:
    """Done: announce these; the message succeeds only when the bus has accepted every one of them."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now: a dependency is away.  The message comes back later, and is never given up for this."""

    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """Never as it is: to the dead-letter queue at once, with the reason; its neighbours go on."""

    reason: str


Result = Emit | Defer | Park
Step = Callable[[Sequence[Event]], Sequence[Result]]
