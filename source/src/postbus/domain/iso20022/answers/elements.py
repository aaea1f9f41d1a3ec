"""What all outgoing messages are written with: elements in the order they are added, and texts that fit.

An answer quotes what others wrote.  What does not fit its element is cut, what XML cannot carry is replaced,
and what an optional element does not accept at all is left out, so that there is always an answer.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lxml import etree

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.messages import Agent, MessageType, Reason
from postbus.domain.money import Money

# What CBPR+ and the EPC's guidelines write where a reference is mandatory and there is none.
NOT_PROVIDED = "NOTPROVIDED"

BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}", re.ASCII)
UETR = re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}", re.ASCII)
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}", re.ASCII)
COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
COUNT = re.compile(r"[0-9]{1,15}", re.ASCII)
# DecimalNumber has 18 digits, 17 of them behind the point: as it stood, if it was of that form.
SUM = re.compile(r"(?=(?:\.?[0-9]){1,18}\Z)[0-9]+(?:\.[0-9]{1,17})?", re.ASCII)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"|24:00:00)(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?",
    re.ASCII,
)

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ADDITIONAL = 105


@dataclass(frozen=True, slots=True)
class Written:
    """An outgoing message as it is stored and sent.

    Attributes:
        body: XML in UTF-8.
    """

    type: MessageType
    body: bytes

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits."""
        return hashlib.sha256(self.body).hexdigest()


class Element:
    """An element that is being written.  Adding something that is absent adds nothing."""

    __slots__ = ("_node", "_space")

    def __init__(self, node: etree._Element, space: str) -> None:
        self._node = node
        self._space = space

    def add(self, name: str) -> "Element":
        """A new last child without content."""
        return Element(etree.SubElement(self._node, self._space + name), self._space)

    def text(self, name: str, value: str | None, longest: int = 35) -> None:
        """A text of at most ``longest`` characters."""
        if value:
            etree.SubElement(self._node, self._space + name).text = clean(value)[:longest]

    def required(self, name: str, value: str | None, longest: int = 35) -> None:
        """A text that must be there."""
        self.text(name, value or NOT_PROVIDED, longest)

    def matching(self, name: str, value: str | None, form: re.Pattern[str]) -> None:
        """A text that its element takes in one form only; left out when it has another."""
        if value is not None and form.fullmatch(value):
            etree.SubElement(self._node, self._space + name).text = value

    def date_time(self, name: str, value: datetime) -> None:
        """A time of ours, in UTC and milliseconds.

        Raises:
            InvariantBroken: without a time zone.
        """
        if value.tzinfo is None:
            raise InvariantBroken(f"{name} without a time zone")
        text = value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
        self.text(name, f"{text}Z")

    def quoted_date_time(self, name: str, value: str | None) -> None:
        """A time of somebody else's, as it stood."""
        if value is not None and (found := DATE_TIME.fullmatch(value)) and _is_date(found[1]):
            self.text(name, value)

    def quoted_date(self, name: str, value: str | None) -> None:
        """A date of somebody else's, as it stood."""
        if is_date(value):
            self.text(name, value)

    def date(self, name: str, value: datetime) -> None:
        """The day of a time of ours, in UTC."""
        self.text(name, value.astimezone(UTC).date().isoformat())

    def amount(self, name: str, value: Money | None) -> None:
        """An amount with the decimals of its currency."""
        if value is not None:
            node = etree.SubElement(self._node, self._space + name, Ccy=value.currency)
            node.text = value.text()

    def agent(self, name: str, agent: Agent | None, bic: str = "BICFI") -> None:
        """A BranchAndFinancialInstitutionIdentification; ``bic`` is ``BIC`` in messages before 2013."""
        if agent is not None and agent != Agent():
            self.add(name).institution(agent, bic)

    def institution(self, agent: Agent, bic: str = "BICFI") -> None:
        """``FinInstnId``, by what identifies it; by name and country only if nothing does."""
        institution = self.add("FinInstnId")
        institution.matching(bic, agent.bic, BIC)
        if agent.clearing_member:
            member = institution.add("ClrSysMmbId")
            if agent.clearing_system:
                is_code = len(agent.clearing_system) <= 5
                member.add("ClrSysId").text("Cd" if is_code else "Prtry", agent.clearing_system)
            member.text("MmbId", agent.clearing_member)
        if bic == "BICFI":
            institution.matching("LEI", agent.lei, LEI)
        if not len(institution._node):
            institution.required("Nm", agent.name, 140)
            if agent.country and COUNTRY.fullmatch(agent.country):
                institution.add("PstlAdr").text("Ctry", agent.country)

    def reasons(self, name: str, reasons: Iterable[Reason]) -> None:
        """One ``StsRsnInf`` (or as ``name`` says) for each."""
        for reason in reasons:
            information = self.add(name)
            information.add("Rsn").text("Cd" if 1 <= len(reason.code) <= 4 else "Prtry", reason.code)
            for line in lines(reason.additional):
                information.text("AddtlInf", line, _ADDITIONAL)


def document(type: MessageType, name: str) -> tuple[Element, Element]:
    """A new ``Document`` and the one element below it."""
    space = f"{{{type.namespace}}}"
    # The stubs know no default namespace.
    names: dict[str, str] = {None: type.namespace}  # type: ignore[dict-item]
    root = Element(etree.Element(f"{space}Document", nsmap=names), space)
    return root, root.add(name)


def written(type: MessageType, root: Element) -> Written:
    """The same bytes for the same elements."""
    return Written(type, etree.tostring(root._node, encoding="UTF-8", xml_declaration=True))


def clean(text: str) -> str:
    """What XML cannot carry becomes a question mark."""
    return _NOT_IN_XML.sub("?", text)


def lines(texts: Iterable[str], longest: int = _ADDITIONAL) -> list[str]:
    """The texts in lines that are not too long, broken between words where there are any."""
    found: list[str] = []
    for text in texts:
        rest = text
        while len(rest) > longest:
            end = rest.rfind(" ", 1, longest + 1)
            end = longest if end < 0 else end
            found.append(rest[:end])
            rest = rest[end:].lstrip(" ")
        found += [rest] if rest else []
    return found


def is_date(value: str | None) -> bool:
    """Whether it is a day, such as ``2026-11-21``."""
    return value is not None and DATE.fullmatch(value) is not None and _is_date(value)


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
