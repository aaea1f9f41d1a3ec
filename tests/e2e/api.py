"""A client of the deployed ISO 20022 API, and the messages it sends."""

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from postbus.domain import sample
from tests.e2e.stack import DEADLINE_SECONDS, Stack, until

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
IBANS = {account["token"]: account["iban"] for account in sample.NAMED_ACCOUNTS}
BIC = "COBADEFFXXX"


@dataclass(frozen=True)
class Answer:
    """What the API answered; headers by their name in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def xml(self) -> Any:
        return etree.fromstring(self.body)

    def texts(self, name: str) -> list[str]:
        """The texts of every element of that name."""
        return [str(element.text) for element in self.xml.iter("{*}" + name)]


@dataclass
class Client:
    """One OAuth client of the deployment."""

    stack: Stack
    name: str
    _token: str = field(default="", repr=False)

    @property
    def credentials(self) -> dict[str, str]:
        secret = self.stack.deployment["iso20022"]["client_secrets"][self.name]
        stored = self.stack.client("secretsmanager").get_secret_value(SecretId=secret)
        found: dict[str, str] = json.loads(stored["SecretString"])
        return found

    def url(self, which: str) -> str:
        """A URL of the deployment; on an emulator they are paths behind its endpoint."""
        url: str = self.stack.deployment["iso20022"][which]
        return url if url.startswith("https://") else os.environ["AWS_ENDPOINT_URL"] + url

    def token(self) -> str:
        if not self._token:
            mine = self.credentials
            self._token = self.granted(mine["client_id"], mine["client_secret"], mine["scope"])
        return self._token

    def granted(self, client_id: str, client_secret: str, scope: str) -> str:
        """A fresh token for a client of the deployment's user pool."""
        login = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": scope})
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"}
        request = urllib.request.Request(self.url("token_url"), form.encode(), headers)
        with _OPENER.open(request, timeout=30) as answer:
            token: str = json.load(answer)["access_token"]
        return token

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """One call; header names are written with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        told = self.token() if token is None else token
        if told:
            sent["Authorization"] = f"Bearer {told}"
        data = body if body is not None else (b"" if method == "POST" else None)
        request = urllib.request.Request(self.url("url") + path, data, sent, method=method)
        try:
            with _OPENER.open(request, timeout=60) as answer:
                return _answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return _answer(error.code, error.headers, error.read())

    # -- what a client does --------------------------------------------------------------------------------

    def opened(self) -> str:
        answer = self.call("POST", "/v1/transactions")
        assert answer.status == 200, answer
        identifier: str = answer.data["transaction_id"]
        return identifier

    def hand_in(self, transaction_id: str, message: bytes) -> Answer:
        return self.call(
            "POST", "/v1/incoming", message, X_Transaction_Id=transaction_id, Content_Type="application/xml"
        )

    def sent(self, message: bytes) -> str:
        """Open a transaction and hand a message in under it."""
        transaction_id = self.opened()
        answer = self.hand_in(transaction_id, message)
        assert answer.status == 202, answer
        return transaction_id

    def told(self, transaction_id: str) -> Any:
        answer = self.call("GET", f"/v1/transactions/{transaction_id}")
        assert answer.status == 200, answer
        return answer.data

    def ends(self, transaction_id: str, *statuses: str, seconds: float = DEADLINE_SECONDS) -> Any:
        """What is told of a transaction, once it is in one of the statuses."""

        def probe() -> Any:
            told = self.told(transaction_id)
            return told if told["status"] in statuses else None

        return until(f"{transaction_id} is {' or '.join(statuses)}", probe, seconds)

    def outgoing(self, transaction_id: str, document: str = "") -> Answer:
        query = f"?document={document}" if document else ""
        return self.call("GET", f"/v1/outgoing{query}", X_Transaction_Id=transaction_id)

    def wants(self, transaction_id: str, what: str, body: bytes = b"") -> Answer:
        headers = {"Content_Type": "application/xml"} if body else {}
        return self.call("POST", f"/v1/transactions/{transaction_id}/{what}", body, **headers)


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)


# -- messages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Payment:
    """One transfer of a pacs.008, between two of the sample accounts."""

    amount: str = "12.34"
    currency: str = "EUR"
    debtor: str = "tok_sample_anna"
    creditor: str = "tok_sample_bruno"
    debtor_name: str = "Anna Beispiel"
    creditor_name: str = "Bruno Muster"
    creditor_iban: str = ""
    end_to_end_id: str = field(default_factory=lambda: f"E2E-{uuid.uuid4().hex[:20]}")
    uetr: str = field(default_factory=lambda: str(uuid.uuid4()))


def pacs_008(payments: Sequence[Payment], message_id: str = "", **changes: str) -> bytes:
    """A pacs.008.001.10 of these payments."""
    now = datetime.now(UTC)
    group = {
        "number": str(len(payments)),
        "created": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": message_id or f"MSG-{uuid.uuid4().hex[:24]}",
        **changes,
    }
    transfers = "".join(_transfer(payment, now) for payment in payments)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.10"><FIToFICstmrCdtTrf><GrpHdr>'
        f"<MsgId>{group['id']}</MsgId><CreDtTm>{group['created']}</CreDtTm>"
        f"<NbOfTxs>{group['number']}</NbOfTxs><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>"
        f"{transfers}</FIToFICstmrCdtTrf></Document>"
    ).encode()


def _transfer(payment: Payment, now: datetime) -> str:
    agent = f"<FinInstnId><BICFI>{BIC}</BICFI></FinInstnId>"
    address = "<PstlAdr><TwnNm>Berlin</TwnNm><Ctry>DE</Ctry></PstlAdr>"
    creditor_iban = payment.creditor_iban or IBANS[payment.creditor]
    return (
        f"<CdtTrfTxInf><PmtId><InstrId>I-{payment.end_to_end_id[:30]}</InstrId>"
        f"<EndToEndId>{payment.end_to_end_id}</EndToEndId><TxId>T-{payment.end_to_end_id[:30]}</TxId>"
        f"<UETR>{payment.uetr}</UETR></PmtId>"
        f'<IntrBkSttlmAmt Ccy="{payment.currency}">{payment.amount}</IntrBkSttlmAmt>'
        f"<IntrBkSttlmDt>{now:%Y-%m-%d}</IntrBkSttlmDt><ChrgBr>SLEV</ChrgBr>"
        f"<Dbtr><Nm>{payment.debtor_name}</Nm>{address}</Dbtr>"
        f"<DbtrAcct><Id><IBAN>{IBANS[payment.debtor]}</IBAN></Id></DbtrAcct><DbtrAgt>{agent}</DbtrAgt>"
        f"<CdtrAgt>{agent}</CdtrAgt><Cdtr><Nm>{payment.creditor_name}</Nm>{address}</Cdtr>"
        f"<CdtrAcct><Id><IBAN>{creditor_iban}</IBAN></Id></CdtrAcct></CdtTrfTxInf>"
    )


def camt_056(message_id: str, payment: Payment) -> bytes:
    """A camt.056.001.12 that asks for one payment of a message to be cancelled."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    agent = f"<Agt><FinInstnId><BICFI>{BIC}</BICFI></FinInstnId></Agt>"
    reference = f"CXL-{uuid.uuid4().hex[:24]}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.056.001.12"><FIToFIPmtCxlReq>'
        f"<Assgnmt><Id>{reference}</Id><Assgnr>{agent}</Assgnr><Assgne>{agent}</Assgne>"
        f"<CreDtTm>{now}</CreDtTm></Assgnmt><Undrlyg><TxInf><CxlId>{reference}</CxlId>"
        f"<OrgnlGrpInf><OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>pacs.008.001.10</OrgnlMsgNmId>"
        f"</OrgnlGrpInf><OrgnlEndToEndId>{payment.end_to_end_id}</OrgnlEndToEndId>"
        f"<OrgnlUETR>{payment.uetr}</OrgnlUETR>"
        "<CxlRsnInf><Rsn><Cd>CUST</Cd></Rsn></CxlRsnInf></TxInf></Undrlyg></FIToFIPmtCxlReq></Document>"
    ).encode()
