"""What the ISO 20022 front and its bridge to a broker need from outside, in the domain's words.

Every method may raise ``Unavailable``.  A store that did not answer has not said no.  Duplicate references
are claimed through ``ports.ClaimStore``.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Protocol

from postbus.domain.iso20022.brokered import (
    Accepted,
    Delivery,
    NotOurs,
    Outgoing,
    Publication,
    Refused,
    StillOpen,
)
from postbus.domain.iso20022.checks import CheckAnswer, CheckRequest
from postbus.domain.iso20022.messages import MessageType, Reason
from postbus.domain.iso20022.notices import Notice
from postbus.domain.iso20022.workflow import (
    AccountKey,
    Child,
    Decision,
    Document,
    Entry,
    Finished,
    FoundAccount,
    Head,
    Reservation,
    StepName,
)
from postbus.domain.money import Money


class Attached(Enum):
    """What came of attaching a message to a transaction.

    STORED: it is the transaction's message now.  SAME: it was already.  CONFLICT: another one is, or none can
    be any more.  NOT_FOUND: the client has no such transaction.
    """

    STORED = "stored"
    SAME = "same"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"


class MessageStore(Protocol):
    """Every client transaction: its head, its history, its message's transfers and the decisions about it."""

    def open(self, head: Head, by: str) -> bool:
        """Begin a transaction under an id the caller drew: status ACCP, version 1, its history's first entry.

        Returns:
            Whether it was begun; not if the id is taken.
        """
        ...

    def head(self, transaction_id: str) -> Head | None:
        """Where it stands now (a strongly consistent read)."""
        ...

    def history(self, transaction_id: str) -> Sequence[Entry]:
        """Every status it ever had, the first one first (strongly consistent)."""
        ...

    def attach(self, transaction_id: str, owner: str, incoming: Document, deadline: datetime) -> Attached:
        """Make a stored message the transaction's own, once, while it is ACCP."""
        ...

    def describe(self, transaction_id: str, message_type: MessageType, message_id: str) -> None:
        """Keep what the attached message says it is; again is no change."""
        ...

    def refuse(self, transaction_id: str, reasons: Sequence[Reason]) -> None:
        """Keep why a message is refused whole, none of its transfers having been kept, for the release.

        Only while it is ACTC; later it is no change.
        """
        ...

    def append(
        self,
        head: Head,
        entry: Entry,
        documents: Mapping[str, Document] | None = None,
        deadline: datetime | None = None,
    ) -> Head:
        """Move on to a new status, if the transaction still stands as ``head`` says and the table allows it.

        Status, history, documents and ``due`` change together or not at all.  A final status takes the
        transaction off the index of open ones.

        Args:
            head: what the new status was decided from.
            documents: by name, written before this call; only the winner's are ever found.
            deadline: a new one.
        Returns:
            The head that stands now: the new status at ``head.version + 1``, or whatever somebody else made
            of it in the meantime.
        Raises:
            InvariantBroken: the status table has no way from ``head.status`` to the new one.
        """
        ...

    def put_document(self, transaction_id: str, name: str, document: Document) -> None:
        """Name a document beside the answer itself, such as a credit notification; the last one stands."""
        ...

    def add_children(self, transaction_id: str, children: Sequence[Child]) -> Head:
        """Keep the transfers of a message, thousands of them, and count the open ones.

        May be repeated after a failure, by several at once, with other content: of each child the first one
        written stands, so read ``children`` afterwards.  Once all are kept nothing is added any more.

        Returns:
            The head, with ``children`` and ``children_open``.
        """
        ...

    def children(self, transaction_id: str) -> Iterator[Child]:
        """Its transfers in the order of the message, page by page (strongly consistent)."""
        ...

    def child(self, transaction_id: str, number: int) -> Child | None:
        """One transfer as it stands now (strongly consistent)."""
        ...

    def finish_children(self, transaction_id: str, finished: Sequence[Finished]) -> int:
        """Set final states, of each child the first one told, and count them off in the same write.

        A hundred or so go into one write.  Whoever is told 0 asks for the release, also on redelivery; of
        several that finish at the same time at least one is told 0, and nobody before the last child is
        final.

        Returns:
            How many children are open now, whether these were finished by this call or before.
        Raises:
            InvariantBroken: there is no such child, or not all are kept yet; or one says that it was booked
                and the other that it was not.  Such a one is not finished, but others beside it may be.
        """
        ...

    def hold_child(self, transaction_id: str, number: int, at: datetime) -> None:
        """Keep when the pipeline held an open child, the first time; of any other child, nothing."""
        ...

    def decide(self, transaction_id: str, decision: Decision) -> Decision:
        """Keep a decision to be carried out; the first one under its key stands, and is returned."""
        ...

    def decisions(self, transaction_id: str) -> Sequence[Decision]:
        """All of them, the earliest first (strongly consistent)."""
        ...

    def carried_out(self, transaction_id: str, key: str, verdict: str) -> None:
        """What came of a decision; the first verdict stands."""
        ...

    def step_sent(self, head: Head, step: StepName, at: datetime, again: bool = False) -> int | None:
        """Record that a step is about to be sent (``Head.sending``).

        Returns:
            The attempt to send; ``None`` when the step was taken already and nothing is to be sent.
        """
        ...

    def step_taken(self, transaction_id: str, step: StepName, attempt: int, at: datetime) -> None:
        """Record that a step's function has begun with it; of an earlier attempt than the last, nothing."""
        ...

    def step_parked(self, transaction_id: str, step: StepName, attempt: int, reason: str) -> None:
        """Record why a step went to its dead-letter queue, for the operator's list."""
        ...

    def timed_out(self, transaction_id: str, due: datetime) -> None:
        """Take it off the index of overdue ones: what comes of this time-out is told.

        Args:
            due: as its head had it; of one that has been given more time since, nothing.
        """
        ...

    def overdue(self, now: datetime) -> Iterator[str]:
        """Ids of all transactions whose time is over (``Head.due``), the longest overdue first.

        What waits for an operator alone is not among them.  Eventually consistent: whoever acts on one reads
        its head first.
        """
        ...

    def unfinished(self) -> Iterator[Head]:
        """All open transactions, in no order: for the operator's lists of pending, stuck and parked ones.

        Each as it stands now; which ones, eventually consistent.
        """
        ...


class Documents(Protocol):
    """Messages by key, incoming and outgoing; immutable under one key by convention of its writers."""

    def put(self, key: str, body: bytes, content_type: str = "application/xml") -> Document:
        """Store bytes; the same again is no change."""
        ...

    def find(self, key: str) -> Document | None:
        """What lies there, without its bytes; hashed by the store, not by who sent it."""
        ...

    def get(self, key: str) -> bytes | None:
        """The bytes; ``None`` if there are none under this key."""
        ...

    def copy(self, document: Document, key: str) -> Document:
        """The same bytes under another key too; again is no change.

        Raises:
            Unavailable: something else lies there now, or nothing.
        """
        ...

    def upload_url(self, key: str, length_bytes: int, sha256: str, valid_for: timedelta) -> str:
        """A presigned URL for one PUT of exactly so many bytes with exactly this hash (64 hex digits).

        The uploader must send ``Content-Length``, ``x-amz-checksum-sha256`` (base64) and ``If-None-Match: *``
        as they were signed; 412 says that it was uploaded before.
        """
        ...

    def download_url(self, key: str, valid_for: timedelta) -> str:
        """A presigned URL for GETs of what lies there."""
        ...


class Notices(Protocol):
    """Whoever wants to hear how transactions end."""

    def tell(self, notice: Notice) -> None:
        """Hand a notice over, at least once; again is the same notice, by its id."""
        ...


class Steps(Protocol):
    """The queues of the steps."""

    def send(self, transaction_id: str, step: StepName, attempt: int) -> None:
        """Queue a step; the same attempt within five minutes is the same message."""
        ...


class AccountFinder(Protocol):
    """Our accounts by what a message calls them."""

    def find(self, keys: Sequence[AccountKey]) -> Mapping[AccountKey, Sequence[FoundAccount]]:
        """The accounts under each key: one per currency it is kept in; a key that is absent is not ours.

        Eventually consistent; the pipeline looks again by token before it posts.
        """
        ...


class Check(Protocol):
    """KYC, sanctions screening or fraud: a service of its own."""

    def check(self, requests: Sequence[CheckRequest]) -> Sequence[CheckAnswer]:
        """One answer for each transfer, in order.

        Raises:
            Unavailable: no answer, or not in time.  Nobody takes that for a pass.
        """
        ...


class Liquidity(Protocol):
    """The funds of our accounts."""

    def reserve(self, account_token: str, amounts: Mapping[str, Money]) -> Mapping[str, Reservation]:
        """Set money of one account aside for transfers, atomically; the same again is no change.

        Each is answered by itself: what the account does not cover is SHORT, and leaves the money to those
        behind it.  What something is set aside for is never SHORT, whatever has changed since: its payment
        may be on its way.  Posting consumes what was set aside.

        Args:
            amounts: by pipeline id, the first to be served first; all in the account's currency.
        Returns:
            What came of each.
        """
        ...

    def release(self, pipeline_ids: Sequence[str]) -> None:
        """Give back what was set aside for transfers that never go to the pipeline; again is no change.

        Voiding a transfer in its outcome does the same by itself.
        """
        ...


class CreditTransfers(Protocol):
    """The pipeline's inbound records of credit transfers."""

    def submit(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write each record once; the same again is no change.

        Raises:
            Unavailable: not all were taken; which ones is not known.
            InvariantBroken: another record stands under a key.
        """
        ...


class SanctionsSource(Protocol):
    """The names that nobody may be paid by or to."""

    def read(self) -> bytes:
        """The list in force, JSON (``screening.SanctionsList``).

        Raises:
            InvariantBroken: there is none, and without one nothing can be passed.
        """
        ...


class MessageApi(Protocol):
    """The ISO 20022 API, as one of its clients sees it."""

    def check(self) -> None:
        """Raise ``Unavailable`` unless it can take messages now."""
        ...

    def submit(self, key: str, body: bytes) -> Accepted | Refused:
        """Hand in a message, once for each key however often it is asked.

        Args:
            key: a UUID of the message's own; the transaction is opened under it.
            body: the message, XML.
        Raises:
            Unavailable, OutcomeUnknown: anything but its taking or refusing the message; ask again.
        """
        ...

    def outgoing(self, transaction_id: str) -> Outgoing | StillOpen | NotOurs:
        """The message that answers a transaction."""
        ...


class BrokerReader(Protocol):
    """A queue of a message broker, read message by message."""

    def take(self, wait_seconds: float) -> Delivery | None:
        """The next message; it is the reader's until it is done with, or the reader closed.

        Returns:
            ``None`` when none came in time, or as many are in hand as may be.
        Raises:
            Unavailable: no connection, or it broke.  What was in hand is delivered again.
        """
        ...

    def done(self, delivery: Delivery) -> None:
        """Let the broker forget the message."""
        ...

    def refuse(self, delivery: Delivery, reason: str) -> None:
        """Put the message, whole, where refused ones wait, and only then let the broker forget it.

        Raises:
            Unavailable: it could not be put there; it is still in hand.
            OutcomeUnknown: it may be there; it is still in hand.
        """
        ...

    def close(self) -> None:
        """Tell the broker what is done, and give back the rest: it is delivered again, to anyone."""
        ...


class BrokerWriter(Protocol):
    """A place of a message broker that takes messages."""

    def publish(self, publication: Publication) -> None:
        """Hand the message over; returns only when the broker has confirmed that it is in a queue.

        Raises:
            Unavailable: refused, led to no queue, or no connection.
            OutcomeUnknown: no word in time; publish it again under the same message id.
        """
        ...
