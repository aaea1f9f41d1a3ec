"""What a client may ask of a transaction, and what follows: nothing here depends on how it was asked."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.decisions import awaits_another, is_let_go_on, is_one_too_many
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.status import FINAL, Actor, may_move
from postbus.domain.iso20022.workflow import Decision, DecisionKind, Document, Head, StepName

_TRANSACTION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_transaction_id(text: str) -> bool:
    """Whether it has the form of one: a UUIDv4 in lower case (RFC 9562)."""
    return _TRANSACTION_ID.fullmatch(text) is not None


def derived_id(client: str, key: str, number: int) -> str:
    """The transaction id for a client's idempotency key: a UUIDv4 whose random bits are a digest.

    Args:
        number: of the try, the first is 0; another one is another id.
    """
    digest = hashlib.sha256(f"{len(client)}:{client}{number}:{key}".encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def incoming_key(transaction_id: str, sha256: str) -> str:
    """Where a message lies: one place for each content, so that no body is ever put over another."""
    return f"{transaction_id}/{sha256}.xml"


def upload_key(transaction_id: str) -> str:
    """Where a transaction's upload lies until it is handed in: one place, which is filled once."""
    return f"uploads/{transaction_id}.xml"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message too large for a request: what will be uploaded.

    Attributes:
        length_bytes: from 1.
        sha256: 64 hexadecimal digits, lower case.
    """

    length_bytes: int
    sha256: str

    @classmethod
    def from_data(cls, data: Any) -> "Announcement":
        """Read ``{"length_bytes": 5000000, "sha256": "…"}``; raises Malformed naming the field."""
        if not isinstance(data, Mapping):
            raise Malformed("body", "an object with length_bytes and sha256")
        for name in data:
            if name not in ("length_bytes", "sha256"):
                raise Malformed("body", "length_bytes and sha256, no other field")
        length_bytes, sha256 = data.get("length_bytes"), data.get("sha256")
        if type(length_bytes) is not int or length_bytes < 1:
            raise Malformed("length_bytes", "a whole number from 1")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise Malformed("sha256", "64 hexadecimal digits in lower case")
        return cls(length_bytes, sha256)


# -- decisions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earlier:
    """It was asked before, and that stands."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class NotYours:
    """It cannot be decided, or not by who asks; which of the two is not said."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """So many cancellations of it were asked for that no further one is taken."""


def wanted_by_client(
    head: Head,
    kind: DecisionKind,
    at: datetime,
    kept: Sequence[Decision],
    message: Document | None = None,
    numbers: tuple[int, ...] = (),
    reasons: tuple[Reason, ...] = (),
) -> Decision | Earlier | NotYours | TooMany:
    """What a client's request means: a decision to be kept, one that is kept already, or nothing.

    A cancellation is taken whatever the status, for its answer says what came of it.  So is a rejection of
    what is held: whether the hold is a kind that outlasts it is nobody's to see from here.

    Args:
        kept: the transaction's decisions so far.
        message: the camt.056 a cancellation came with; the same one again is the same cancellation.
    """
    own = [one for one in kept if one.kind is kind and one.by == head.owner]
    if message is not None:
        again = next((one for one in own if one.message and one.message.sha256 == message.sha256), None)
        if again is not None:
            return Earlier(again)
        key = f"{kind}.{message.sha256[:32]}"
    else:
        # While nothing has changed, asked again it would come to the same.
        key = f"{kind}.{head.version}"
        bare = [one for one in own if one.message is None]
        if bare and (bare[-1].key == key or bare[-1].verdict is None or not _may_want(head, kind)):
            return Earlier(bare[-1])
    if not _may_want(head, kind):
        return NotYours()
    wanted = Decision(
        key=key, kind=kind, by=head.owner, at=at, reasons=reasons, message=message, numbers=numbers
    )
    return TooMany() if is_one_too_many(wanted, kept) else wanted


def _may_want(head: Head, kind: DecisionKind) -> bool:
    match kind:
        case DecisionKind.CANCELLATION:
            return head.incoming is not None or head.status not in FINAL
        case DecisionKind.REJECTION:
            return head.status not in FINAL
        case DecisionKind.ACCEPTANCE:
            held = head.status is Status.PDNG
            return held and may_move(head.status, Status.ACSP, Actor.CLIENT, head.reasons)
        case _:
            return False


def step_to_redrive(head: Head, decisions: Iterable[Decision]) -> StepName | None:
    """The step that takes a transaction further; ``None`` where nothing of it stands still but by design.

    Each step may run again at any time.  What is held awaits a decision, and what is final is over.  What was
    let go on and is held still, because whatever followed from it never ended, is processed again.
    """
    if head.status in FINAL:
        return None
    kept = list(decisions)
    if any(decision.verdict is None and not awaits_another(decision, head, kept) for decision in kept):
        return StepName.DECIDE
    if head.status is Status.ACSP and head.children_open == 0:
        return StepName.RELEASE
    unfinished = [
        (record.sent_at, step)
        for step, record in head.steps.items()
        if record.parked is not None or record.taken_at is None
    ]
    if unfinished:
        return max(unfinished)[1]
    match head.status:
        case Status.ACCP:
            return StepName.RECEIVE if head.incoming else None
        case Status.ACTC | Status.ACSP:
            return StepName.PROCESS
        case Status.PDNG if is_let_go_on(kept):
            return StepName.PROCESS
    return None
