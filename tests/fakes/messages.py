"""Client transactions to tell stories with."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from postbus.domain.iso20022.mandates import Mandate
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.workflow import (
    Child,
    ChildState,
    Document,
    Entry,
    Finished,
    Head,
    pipeline_transaction_id,
)
from postbus.domain.money import Money
from postbus.ports_iso20022 import MessageStore

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLIENT = "client-acme"
EVERYTHING = Mandate(agents=frozenset({"*"}), debtor_accounts=frozenset({"*"}))
INCOMING = Document("incoming/a.xml", "a" * 64, 1_234)
ANSWER = Document("outgoing/a.xml", "b" * 64, 2_345)


def transaction_id(number: int = 1) -> str:
    """A UUIDv4 that is the same in every run."""
    return str(UUID(int=number, version=4))


def begun(store: MessageStore, number: int = 1, **changes: Any) -> Head:
    """A transaction at ACCP, due a minute after noon."""
    head = Head(
        transaction_id=transaction_id(number),
        owner=CLIENT,
        status=Status.ACCP,
        version=1,
        opened_at=NOON,
        deadline=NOON + timedelta(minutes=1),
        home_region="eu-central-1",
    )
    head = replace(head, **changes)
    assert store.open(head, "client")
    return replace(head, due=head.deadline)


def entry(status: Status, **details: Any) -> Entry:
    return Entry(**{"status": status, "at": NOON, "by": "process", **details})


def processing(store: MessageStore, number: int = 1, children: int = 0, **changes: Any) -> Head:
    """A transaction at ACSP with so many open transfers."""
    head = begun(store, number, **changes)
    store.attach(head.transaction_id, head.owner, INCOMING, head.deadline)
    for status in (Status.ACTC, Status.ACSP):
        head = store.append(head, entry(status))
    if children:
        store.add_children(head.transaction_id, transfers(head.transaction_id, children))
    standing = store.head(head.transaction_id)
    assert standing is not None
    return standing


def transfers(owner: str, count: int, state: ChildState = ChildState.OPEN) -> list[Child]:
    return [transfer(owner, number, state) for number in range(1, count + 1)]


def transfer(owner: str, number: int, state: ChildState = ChildState.OPEN, **details: Any) -> Child:
    pipeline_id = pipeline_transaction_id(owner, number)
    return Child(
        **{
            "number": number,
            "state": state,
            "amount": Money(1_000 + number, "EUR"),
            "end_to_end_id": f"E2E-{number}",
            "pipeline_id": pipeline_id,
            "record": {"transfer": pipeline_id.removeprefix("credit_transfers-"), "lines": ["a"]},
            **details,
        }
    )


def finish(
    store: MessageStore,
    owner: str,
    number: int,
    state: ChildState,
    reasons: Sequence[Reason] = (),
    settled_at: datetime | None = None,
) -> int:
    """Finish one transfer; how many are open now."""
    one = Finished(number=number, state=state, reasons=tuple(reasons), settled_at=settled_at)
    return store.finish_children(owner, [one])
