"""A message made anew from an example: the same payments, under references that nobody has used."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

from lxml import etree

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.xml import parser

# By which a message and its parts are told apart, and by which another one refers to them; Max35Text.
_REFERENCES = frozenset({"MsgId", "PmtInfId", "InstrId", "EndToEndId", "TxId", "CxlId", "RtrId"})
_ORIGINALS = frozenset({f"Orgnl{name}" for name in _REFERENCES})
_UETRS = frozenset({"UETR", "OrgnlUETR"})
_DAYS = frozenset({"IntrBkSttlmDt", "ReqdExctnDt"})
_MOST_CHARACTERS = 35


def renewed(body: bytes, suffix: str, now: datetime) -> bytes:
    """The message with new references, created now and for today.

    The same suffix makes the same references: a camt.056 renewed with it is about the message that was.

    Args:
        suffix: letters and digits, at most 12.
        now: with a zone.
    Raises:
        Malformed: not well-formed XML.
    """
    try:
        root = etree.fromstring(body, parser())
    except etree.XMLSyntaxError:
        raise Malformed("message", "well-formed XML") from None
    today = now.astimezone(UTC)
    for element in root.iter("{*}*"):
        name, text = etree.QName(element).localname, element.text
        if not text or not text.strip():
            continue
        if name in _REFERENCES | _ORIGINALS or (name == "Id" and _parent(element) == "Assgnmt"):
            element.text = f"{text[: _MOST_CHARACTERS - len(suffix) - 1]}-{suffix}"
        elif name in _UETRS:
            digest = hashlib.sha256(f"{text}|{suffix}".encode()).digest()
            element.text = str(UUID(bytes=digest[:16], version=4))
        elif name == "CreDtTm":
            element.text = today.strftime("%Y-%m-%dT%H:%M:%SZ")
        elif name in _DAYS or (name == "Dt" and _parent(element) in _DAYS):
            element.text = today.date().isoformat()
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _parent(element: etree._Element) -> str:
    parent = element.getparent()
    return "" if parent is None else etree.QName(parent).localname
