"""A message on its way to its end: the front's last functions, and the pipeline they meet at the outcomes.

A function can be made to crash after any of its writes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from postbus.adapters.iso20022_schemas import of_folders
from postbus.domain.event import Event
from postbus.domain.inbound import credit_transfers
from postbus.domain.iso20022.instructions import Accounts
from postbus.domain.iso20022.messages import MessageType, Reason, Status
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import (
    AccountKey,
    AccountKeyKind,
    Child,
    ChildState,
    Decision,
    DecisionKind,
    Document,
    FoundAccount,
    Head,
    StepCall,
    StepName,
    StepResult,
    pipeline_transaction_id,
)
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.posting import PostingInstruction
from postbus.functions.collect_outcomes import handler as collect_outcomes
from postbus.functions.decide_message import handler as decide_message
from postbus.functions.release_message import handler as release_message
from postbus.functions.time_out_messages import handler as time_out_messages
from postbus.ports import Settled
from postbus.runtime.cases import Cases
from postbus.runtime.queue import Surprises
from postbus.runtime.steps import process_steps
from tests.fakes.approvals import ALICE
from tests.fakes.iso20022 import (
    InMemoryAccounts,
    InMemoryDocuments,
    InMemoryMessages,
    InMemoryNotices,
    InMemorySteps,
)
from tests.fakes.ledger import Books, InMemoryLedger, InMemoryOutcomes
from tests.fakes.messages import CLIENT, NOON, begun, entry, transaction_id

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = of_folders(
    [path for path in (ROOT / ".build/iso20022/xsd", ROOT.parent / "shared/iso20022/xsd") if path.is_dir()]
)
ID = transaction_id()
CREDITOR = "NL91ABNA0417164300"
OURS = FoundAccount("tok_creditor", "EUR", "open")

_TRANSFER = """
    <CdtTrfTxInf>
      <PmtId><InstrId>I-{number}</InstrId><EndToEndId>E2E-{number}</EndToEndId><TxId>T-{number}</TxId></PmtId>
      <IntrBkSttlmAmt Ccy="EUR">10.{number:02}</IntrBkSttlmAmt>
      <ChrgBr>SLEV</ChrgBr>
      <Dbtr><Nm>Harbour Chandlers</Nm></Dbtr>
      <DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></DbtrAcct>
      <DbtrAgt><FinInstnId><BICFI>HARBDEFF</BICFI></FinInstnId></DbtrAgt>
      <CdtrAgt><FinInstnId><BICFI>MILLNL2AXXX</BICFI></FinInstnId></CdtrAgt>
      <Cdtr><Nm>Mill Ropes</Nm></Cdtr>
      <CdtrAcct><Id><IBAN>NL91ABNA0417164300</IBAN></Id></CdtrAcct>
    </CdtTrfTxInf>"""


def pacs_008(transfers: int) -> bytes:
    """A message of at most 99 transfers of ten euros and as many cents as their number."""
    each = "".join(_TRANSFER.format(number=number) for number in range(1, transfers + 1))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08">
  <FIToFICstmrCdtTrf>
    <GrpHdr>
      <MsgId>HARBOUR-1</MsgId><CreDtTm>2026-11-21T11:59:00Z</CreDtTm><NbOfTxs>{transfers}</NbOfTxs>
      <IntrBkSttlmDt>2026-11-21</IntrBkSttlmDt><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf>
      <InstgAgt><FinInstnId><BICFI>HARBDEFF</BICFI></FinInstnId></InstgAgt>
      <InstdAgt><FinInstnId><BICFI>MILLNL2AXXX</BICFI></FinInstnId></InstdAgt>
    </GrpHdr>{each}
  </FIToFICstmrCdtTrf>
</Document>""".encode()


class Crash(Exception):
    """The function is gone; whatever it did stands."""


@dataclass
class Crashing:
    """Anything, one of whose next writes is the last that its function makes."""

    WRITES = frozenset(
        {
            "append", "put_document", "finish_children", "hold_child", "decide", "carried_out", "step_sent",
            "step_taken", "put", "tell", "send", "publish", "announced",
        }
    )  # fmt: skip

    inner: Any
    fuse: "Fuse"

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)
        if name not in self.WRITES:
            return call

        def writing(*arguments: Any, **named: Any) -> Any:
            answer = call(*arguments, **named)
            self.fuse.burn()
            return answer

        return writing


@dataclass
class Fuse:
    """How many more writes there are before the next crash; ``None`` for no crash."""

    left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Crash


@dataclass
class Bus:
    events: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        self.events += events
        return {}


@dataclass
class Overtaken(InMemoryDocuments):
    """Documents during whose next ``put`` something else happens."""

    meanwhile: Callable[[], None] | None = None

    def put(self, key: str, body: bytes, content_type: str = "application/xml") -> Document:
        happening, self.meanwhile = self.meanwhile, None
        if happening is not None:
            happening()
        return super().put(key, body, content_type)


class NoQueue:
    """What a step's queue must never be asked for here."""

    def park(self, message: Mapping[str, Any], reason: str) -> None:
        raise AssertionError(reason)

    def defer(self, seconds: Mapping[str, int]) -> None:
        """It comes back."""


class Ending:
    """One message of so many transfers, in ACSP with its records written, unless told otherwise."""

    def __init__(
        self,
        transfers: int = 2,
        status: Status = Status.ACSP,
        reasons: tuple[Reason, ...] = (),
        kept: bool = True,
        message: bool = True,
    ) -> None:
        self.now = NOON
        self.fuse = Fuse()
        self.store = InMemoryMessages()
        self.documents = Overtaken()
        self.steps = InMemorySteps()
        self.notices = InMemoryNotices()
        self.books = Books()
        self.outcomes = InMemoryOutcomes(self.books)
        self.bus = Bus()
        self.collected = 0
        accounts = InMemoryAccounts({AccountKey(AccountKeyKind.IBAN, CREDITOR): (OURS,)})
        store, outcomes, bus, steps = map(self._crashing, (self.store, self.outcomes, self.bus, self.steps))
        documents = self._crashing(self.documents)
        cases = Cases(store, documents, documents, SCHEMAS)
        self._store, self._steps = store, steps
        self._functions: dict[StepName, Callable[[StepCall], StepResult]] = {
            StepName.DECIDE: decide_message.build(cases, outcomes, bus, steps, self.clock),
            StepName.RELEASE: release_message.build(
                cases, accounts, self._crashing(self.notices), steps, self.clock
            ),
        }
        self._collect = collect_outcomes.build(store, steps, outcomes, self.clock)
        self._look = time_out_messages.build(store, steps, self.clock, timedelta(minutes=10))
        self._begin(transfers, status, reasons, kept, message)

    def _crashing(self, inner: Any) -> Any:
        return Crashing(inner, self.fuse)

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def _begin(
        self, transfers: int, status: Status, reasons: tuple[Reason, ...], kept: bool, message: bool
    ) -> None:
        head = begun(self.store)
        if message:
            document = self.documents.put("incoming/1.xml", pacs_008(transfers))
            self.store.attach(ID, CLIENT, document, NOON + timedelta(minutes=1))
            self.store.describe(ID, MessageType.of("pacs.008.001.08"), "HARBOUR-1")
        between = [one for one in (Status.ACTC, status) if one is not Status.ACCP]
        for one in dict.fromkeys(between if status is not Status.ACCP else []):
            head = self.store.append(head, entry(one, reasons=reasons if one is status else ()))
        if kept and message and status is not Status.ACCP:
            self.store.add_children(ID, [self.child(number) for number in range(1, transfers + 1)])

    def child(self, number: int) -> Child:
        accounts = Accounts("tok_debtor", OURS.token)
        record: dict[str, Any] = {
            "transfer": pipeline_transaction_id(ID, number).removeprefix("credit_transfers-"),
            "status": "APPROVED",
            "debtor_account_token": accounts.debtor_token,
            "creditor_account_token": accounts.creditor_token,
            "instructed_amount": str(1_000 + number),
            "instructed_currency": "EUR",
            "requested_execution_date_time": "2026-11-21T12:00:00Z",
            "home_region": "eu-central-1",
            "end_to_end_id": f"E2E-{number}",
        }
        return Child(
            number=number,
            state=ChildState.OPEN,
            amount=credit_transfers.to_transaction(record).amount,
            end_to_end_id=f"E2E-{number}",
            instruction_id=f"I-{number}",
            transaction_id=f"T-{number}",
            pipeline_id=pipeline_transaction_id(ID, number),
            record=record,
        )

    # -- the pipeline ------------------------------------------------------------------------------------

    def pipeline(self, number: int, state: OutcomeState) -> Outcome:
        """Decide a transfer there, if it is not decided yet, and announce what stands."""
        child = self.child(number)
        assert child.record is not None
        transaction = credit_transfers.to_transaction(child.record)
        cause = Event.first(
            "TransactionPostingApproved",
            transaction.transaction_id,
            "test",
            self.clock(),
            {"transaction": transaction.to_data()},
        )
        event_type = {
            OutcomeState.POSTED: "TransactionPosted",
            OutcomeState.VOIDED: "TransactionPostingFailed",
            OutcomeState.HELD: "TransactionHeld",
            OutcomeState.SENDING: "TransactionPostingApproved",
        }[state]
        data: dict[str, Any] = {"transaction": transaction.to_data()}
        if state is OutcomeState.VOIDED:
            data["reason"] = {"code": "INSUFFICIENT_FUNDS", "text": "short"}
        wanted = Outcome.of(cause, state, event_type, transaction.content_hash, self.clock(), data)
        standing = self.outcomes.decide(wanted)
        if standing.state is not OutcomeState.SENDING:
            self.bus.publish([standing.announcement()])
        return standing

    def reversed_unseen(self, number: int, minor: int | None = None) -> None:
        """Let the ledger have a return that names a transfer it has not seen.

        Args:
            minor: what the return takes back; ``None`` for what the transfer is of.
        """
        record = self.child(number).record
        assert record is not None
        back = {**record, "transfer": f"return-{number}", "original_transfer": record["transfer"]}
        if minor is not None:
            back["instructed_amount"] = str(minor)
        transaction = credit_transfers.to_transaction(back)
        cause = Event.first(
            "TransactionPostingApproved", transaction.transaction_id, "test", self.clock(), {}
        )
        instruction = PostingInstruction(cause, transaction, ALICE, None, self.clock())
        (answer,) = InMemoryLedger(self.books).post([instruction])
        assert isinstance(answer, Settled)
        self.bus.publish([outcome.announcement() for outcome in answer.outcomes])

    # -- what comes from outside -------------------------------------------------------------------------

    def wants(self, kind: DecisionKind, by: str = CLIENT, key: str = "", **details: Any) -> None:
        """Keep a decision and send its step, as the API does."""
        decision = Decision(key=key or str(kind), kind=kind, by=by, at=self.clock(), **details)
        self.store.decide(ID, decision)
        attempt = self.store.step_sent(self.head, StepName.DECIDE, self.clock(), again=True)
        assert attempt is not None
        self.steps.send(ID, StepName.DECIDE, attempt)

    def tick(self, minutes: float = 0) -> dict[str, int]:
        self.now += timedelta(minutes=minutes)
        return self._look({"tick": 0})

    def collect(self, *events: Event) -> None:
        self._collect(events)

    def run(self, step: StepName) -> None:
        """Run a step as its queue's function does, whether or not it was sent; a crash leaves it undone."""
        attempt = self.head.steps[step].attempt if step in self.head.steps else 1
        record = {
            "messageId": "1",
            "receiptHandle": "1",
            "body": json.dumps(StepCall(ID, step, attempt).to_data()),
            "attributes": {"MessageGroupId": ID},
        }
        function = self._functions[step]
        store, surprises = self._store, Surprises()  # as a process would that starts anew after a crash
        process_steps(
            [record], step, function, store, self._steps, NoQueue(), self.clock, surprises=surprises
        )

    def settle(self) -> None:
        """Let everything that waits come through, until nothing moves any more."""
        for _ in range(50):
            before = (len(self.steps.sent), self.collected, self.head.version)
            if self.collected < len(self.bus.events):
                events = self.bus.events[self.collected :]
                with suppress(Crash):
                    self.collect(*events)
                    self.collected += len(events)
            for _, step, _ in list(self.steps.sent):
                if step in self._functions:
                    self.run(step)
            if before == (len(self.steps.sent), self.collected, self.head.version):
                return
        raise AssertionError("it never comes to rest")

    # -- what stands -------------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        head = self.store.head(ID)
        assert head is not None
        return head

    @property
    def ends(self) -> list[Status]:
        return [one.status for one in self.store.history(ID) if one.status in FINAL]

    def message(self, name: str) -> bytes:
        return self.documents.bodies[self.head.documents[name].key]
