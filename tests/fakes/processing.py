"""``receive_message`` and ``process_message`` on ports in memory, as their queues would run them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from postbus.domain.iso20022.agreements import Terms
from postbus.domain.iso20022.deadlines import Deadlines
from postbus.domain.iso20022.mandates import Mandates
from postbus.domain.iso20022.messages import Fault, Status
from postbus.domain.iso20022.schemas import Schemas
from postbus.domain.iso20022.workflow import (
    AccountKey,
    AccountKeyKind,
    FoundAccount,
    Head,
    StepCall,
    StepName,
    StepResult,
)
from postbus.functions.process_message import handler as process_message
from postbus.functions.process_message.examination import Examination
from postbus.functions.process_message.requests import Requests
from postbus.functions.process_message.submission import Submission
from postbus.functions.receive_message import handler as receive_message
from postbus.runtime.steps import send_step
from tests.fakes.inbound import InMemoryClaims
from tests.fakes.iso20022 import (
    InMemoryAccounts,
    InMemoryCreditTransfers,
    InMemoryDocuments,
    InMemoryLiquidity,
    InMemoryMessages,
    InMemorySteps,
    ScriptedCheck,
)
from tests.fakes.messages import CLIENT, EVERYTHING, NOON, begun

DEBTOR, OTHER_DEBTOR = "DE89370400440532013000", "DE02120300000000202051"
CREDITOR_BIC = "MILLNL2A"
ANOTHER_CLIENT = "client-other"
DEADLINES = Deadlines({"pacs.008": 30, "other": 60, "none": 900})


class Crash(BaseException):
    """The function is killed: nothing after this happens."""


class AnySchema(Schemas):
    """Finds every document valid, for tests that are about what comes after."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)

    def validate(self, document: object) -> tuple[Fault, ...]:
        return ()


class Watched:
    """A port, each of whose calls is told before and after it is made."""

    def __init__(self, port: Any, tell: Callable[[str], None]) -> None:
        self._port, self._tell = port, tell

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._tell(f"before {name}")
            answer = found(*arguments, **named)
            if isinstance(answer, Iterator):
                answer = iter(list(answer))
            self._tell(f"after {name}")
            return answer

        return call


@dataclass
class World:
    """Everything around the two steps.

    Attributes:
        at_call: called with the number of every moment before and after a call of a port.
    """

    messages: InMemoryMessages = field(default_factory=InMemoryMessages)
    documents: InMemoryDocuments = field(default_factory=InMemoryDocuments)
    steps: InMemorySteps = field(default_factory=InMemorySteps)
    accounts: InMemoryAccounts = field(default_factory=InMemoryAccounts)
    claims: InMemoryClaims = field(default_factory=InMemoryClaims)
    identity: ScriptedCheck = field(default_factory=ScriptedCheck)
    screening: ScriptedCheck = field(default_factory=ScriptedCheck)
    fraud: ScriptedCheck = field(default_factory=ScriptedCheck)
    liquidity: InMemoryLiquidity = field(default_factory=InMemoryLiquidity)
    transfers: InMemoryCreditTransfers = field(default_factory=InMemoryCreditTransfers)
    schemas: Schemas = field(default_factory=AnySchema)
    terms: Terms = field(default_factory=Terms)
    mandates: Mandates = field(default_factory=lambda: {CLIENT: EVERYTHING, ANOTHER_CLIENT: EVERYTHING})
    at_call: Callable[[int], None] = lambda _: None
    moments: int = 0

    def __post_init__(self) -> None:
        accounts = self.accounts.accounts
        accounts[iban(DEBTOR)] = (FoundAccount("acct-debtor", "EUR", "open"),)
        accounts[iban(OTHER_DEBTOR)] = (FoundAccount("acct-other", "EUR", "open"),)
        accounts[bic(CREDITOR_BIC)] = (FoundAccount("acct-mill", "EUR", "open"),)
        self.liquidity.available = {("acct-debtor", "EUR"): 1_000_000, ("acct-other", "EUR"): 1_000_000}

    def hand_in(self, body: bytes, number: int = 1, owner: str = CLIENT) -> str:
        """A transaction with this message; its id."""
        head = begun(self.messages, number, owner=owner)
        document = self.documents.put(f"incoming/{number}.xml", body)
        self.messages.attach(head.transaction_id, owner, document, head.deadline + timedelta(minutes=5))
        return head.transaction_id

    def run(self, step: StepName, transaction_id: str, attempt: int = 1) -> StepResult:
        """Run one step once."""
        port = self._watched
        messages = port(self.messages)
        if step is StepName.RECEIVE:
            receive = receive_message.build(messages, port(self.documents), self._clock, 4_000_000, DEADLINES)
            return receive(StepCall(transaction_id, step, attempt))
        examination = Examination(
            messages=messages,
            documents=port(self.documents),
            schemas=self.schemas,
            terms=self.terms,
            accounts=port(self.accounts),
            claims=port(self.claims),
            checks=[port(self.identity), port(self.screening), port(self.fraud)],
            clock=self._clock,
            limit_bytes=4_000_000,
            mandates=self.mandates,
        )
        requests = Requests(
            messages=messages,
            claims=port(self.claims),
            outgoing=port(self.documents),
            follow=lambda one, following: send_step(one, following, self.messages, self.steps, self._clock),
            clock=self._clock,
        )
        submission = Submission(
            messages=messages,
            liquidity=port(self.liquidity),
            transfers=port(self.transfers),
            clock=self._clock,
        )
        process = process_message.build(messages, examination, requests, submission)
        return process(StepCall(transaction_id, step, attempt))

    def through(self, body: bytes, number: int = 1, owner: str = CLIENT) -> Head:
        """A message through both steps; where it stands then."""
        transaction_id = self.hand_in(body, number, owner)
        self.run(StepName.RECEIVE, transaction_id)
        if not self.head(transaction_id).reasons:
            self.run(StepName.PROCESS, transaction_id)
        return self.head(transaction_id)

    def head(self, transaction_id: str) -> Head:
        found = self.messages.head(transaction_id)
        assert found is not None
        return found

    def statuses(self, transaction_id: str) -> Sequence[Status]:
        return [entry.status for entry in self.messages.history(transaction_id)]

    @staticmethod
    def _clock() -> Any:
        return NOON

    def _watched(self, port: Any) -> Any:
        return Watched(port, self._moment)

    def _moment(self, _: str) -> None:
        self.moments += 1
        self.at_call(self.moments)


def iban(value: str) -> AccountKey:
    return AccountKey(AccountKeyKind.IBAN, value)


def bic(value: str) -> AccountKey:
    return AccountKey(AccountKeyKind.BIC, value)


def transfer(number: int, amount: str = "10.00", debtor: str = DEBTOR, **other: str) -> str:
    """A CdtTrfTxInf from one of our accounts to one of the Mill Bank's."""
    parts = {
        "name": "Harbour Chandlers",
        "creditor": "Mill Ropes",
        "creditor_agent": CREDITOR_BIC,
        "uetr": f"5f1d0a3c-7a45-4b1e-9d55-0d6c0f{number:06}",
        **other,
    }
    return f"""<CdtTrfTxInf>
<PmtId><InstrId>I-{number}</InstrId><EndToEndId>E-{number}</EndToEndId><TxId>T-{number}</TxId>
<UETR>{parts["uetr"]}</UETR></PmtId>
<IntrBkSttlmAmt Ccy="EUR">{amount}</IntrBkSttlmAmt><ChrgBr>SLEV</ChrgBr>
<Dbtr><Nm>{parts["name"]}</Nm></Dbtr><DbtrAcct><Id><IBAN>{debtor}</IBAN></Id></DbtrAcct>
<DbtrAgt><FinInstnId><BICFI>HARBDEFF</BICFI></FinInstnId></DbtrAgt>
<CdtrAgt><FinInstnId><BICFI>{parts["creditor_agent"]}</BICFI></FinInstnId></CdtrAgt>
<Cdtr><Nm>{parts["creditor"]}</Nm></Cdtr>
<CdtrAcct><Id><IBAN>NL91ABNA0417164300</IBAN></Id></CdtrAcct></CdtTrfTxInf>"""


def pacs_008(*transfers: str, message_id: str = "M-1", count: int | None = None) -> bytes:
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"><FIToFICstmrCdtTrf>
<GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>2026-11-21T11:00:00Z</CreDtTm>
<NbOfTxs>{len(transfers) if count is None else count}</NbOfTxs>
<IntrBkSttlmDt>2026-11-21</IntrBkSttlmDt><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>
{"".join(transfers)}</FIToFICstmrCdtTrf></Document>""".encode()


def pacs_004(
    uetr: str,
    amount: str,
    message_id: str = "R-1",
    return_id: str = "RTR-1",
    returner: str = CREDITOR_BIC,
    original: str = "",
) -> bytes:
    """A return by the creditor's agent; ``original`` is what else it says of what it returns.

    Of several, which are of the same amount, each has its UETR, and the number of its place in its RtrId.
    """
    each = "".join(
        f"""<TxInf><RtrId>{return_id}{number or ""}</RtrId><OrgnlUETR>{one}</OrgnlUETR>{original}
<RtrdIntrBkSttlmAmt Ccy="EUR">{amount}</RtrdIntrBkSttlmAmt>
<RtrRsnInf><Rsn><Cd>AC04</Cd></Rsn></RtrRsnInf></TxInf>"""
        for number, one in enumerate(uetr.split())
    )
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.004.001.10"><PmtRtr>
<GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>2026-11-21T11:30:00Z</CreDtTm><NbOfTxs>{len(uetr.split())}</NbOfTxs>
<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf>
<InstgAgt><FinInstnId><BICFI>{returner}</BICFI></FinInstnId></InstgAgt></GrpHdr>
{each}</PmtRtr></Document>""".encode()


def camt_056(message_id: str, original: str = "", request: str = "C-1") -> bytes:
    """A cancellation request for a message, or with ``OrgnlEndToEndId``s for some of its transfers."""
    inside = "".join(f"<TxInf><OrgnlEndToEndId>{one}</OrgnlEndToEndId></TxInf>" for one in original.split())
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.056.001.08"><FIToFIPmtCxlReq>
<Assgnmt><Id>{request}</Id><Assgnr><Agt><FinInstnId><BICFI>HARBDEFF</BICFI></FinInstnId></Agt></Assgnr>
<Assgne><Agt><FinInstnId><BICFI>MILLNL2A</BICFI></FinInstnId></Agt></Assgne>
<CreDtTm>2026-11-21T11:30:00Z</CreDtTm></Assgnmt>
<Undrlyg><OrgnlGrpInfAndCxl><OrgnlMsgId>{message_id}</OrgnlMsgId>
<OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId></OrgnlGrpInfAndCxl>{inside}</Undrlyg>
</FIToFIPmtCxlReq></Document>""".encode()


def pacs_028(message_id: str) -> bytes:
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.028.001.03"><FIToFIPmtStsReq>
<GrpHdr><MsgId>Q-1</MsgId><CreDtTm>2026-11-21T11:30:00Z</CreDtTm></GrpHdr>
<OrgnlGrpInf><OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId></OrgnlGrpInf>
</FIToFIPmtStsReq></Document>""".encode()
