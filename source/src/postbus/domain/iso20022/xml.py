"""Bytes that a stranger sent to a tree that is safe to walk.

Nothing outside the bytes is read, nothing is expanded, and what reading may cost is bounded: by the body's
size, the number of its tags and the attributes of one of them before it begins, then by the parser's limits
(256 levels, 10 MB of text in one place).
"""

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from postbus.domain.iso20022.faults import fault
from postbus.domain.iso20022.messages import Fault, MessageType, Place

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# ISO 20022 has one attribute on an element, beside namespaces and a schema location.  The parser's time grows
# as the square of their number in one tag: four megabytes of attributes would take it minutes.
MOST_ATTRIBUTES = 32
_CROWDED_TAG = re.compile(
    rb"""<[A-Za-z_:\x80-\xff][^<>"']*+(?:"[^"<]*+"[^<>"']*+|'[^'<]*+'[^<>"']*+){%d}""" % (MOST_ATTRIBUTES + 1)
)

# In memory each element, attribute and text takes about 120 bytes, however short it was written.  With a name
# of two letters, and none of ISO 20022 is shorter, an element is nine bytes long when nothing stands in it.
_FEWEST_BYTES = 8
_SMALL_BYTES = 128 * 1024
_ATTRIBUTE = re.compile(rb"""=[ \t\r\n]*+["']""")
_DECLARED_ENCODING = re.compile(rb"""\sencoding\s*=\s*["']([^"']*)["']""")


@dataclass(frozen=True, slots=True)
class Document:
    """A well-formed message whose type is known; whether it is valid is its schema's word.

    Attributes:
        root: the ``Document`` element.  Comments and processing instructions are gone from the tree, so
            that a value one of them splits is whole.
        body: what it was read from, without a byte order mark.
    """

    type: MessageType
    root: etree._Element
    body: bytes


def read(body: bytes, limit_bytes: int) -> Document | Fault:
    """Read a message in UTF-8, with or without a byte order mark.

    Args:
        limit_bytes: the most a body may have.
    Returns:
        The document, or the fault that keeps it from being one: FF01, or AG03 for what is no ISO 20022
        message.  It never quotes the body.
    """
    refusal = _refusal(body, limit_bytes)
    if refusal is not None:
        return refusal
    body = body.removeprefix(_BYTE_ORDER_MARK)
    reader = parser()
    try:
        root = etree.fromstring(body, reader)
    except etree.XMLSyntaxError as error:
        return _not_well_formed(error, reader)
    # An entity that is not resolved cuts the text it stands in; none may be declared at all.
    if root.getroottree().docinfo.internalDTD is not None:
        return _at_root("FF01", "no document type declaration and no entity may be declared")
    return _of_type(root, body)


def parser(
    schema: etree.XMLSchema | None = None, target: Any = None, recover: bool = False
) -> etree.XMLParser:
    """A parser that expands nothing, fetches nothing and drops comments; given a schema, it refuses by it.

    Args:
        target: given what it parses, instead of a tree.
        recover: whether what is cut short is read as far as it goes.
    """
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        schema=schema,
        target=target,
        recover=recover,
    )


def _refusal(body: bytes, limit_bytes: int) -> Fault | None:
    """What can be told before parsing."""
    if len(body) > limit_bytes:
        return _at_root("FF01", f"at most {limit_bytes} bytes")
    if not body.strip():
        return _at_root("FF01", "an XML document, not an empty body")
    if not _is_utf_8(body):
        return _at_root("FF01", "UTF-8, and no other encoding declared")
    if _CROWDED_TAG.search(body):
        return _at_root("FF01", f"at most {MOST_ATTRIBUTES} attributes on an element")
    if len(body) > _SMALL_BYTES and _is_crowded(body):
        return _at_root("FF01", f"elements and attributes of {_FEWEST_BYTES} bytes or more, on the average")
    return None


def _is_crowded(body: bytes) -> bool:
    """Whether elements and attributes are too many for its length."""
    room = len(body) // _FEWEST_BYTES - (body.count(b"<") - body.count(b"</"))
    # Signs stand in texts, too: which are attributes takes longer to see, and matters seldom.
    return body.count(b"=") > room and sum(1 for _ in _ATTRIBUTE.finditer(body)) > room


def _is_utf_8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    declaration, end, _ = body.removeprefix(_BYTE_ORDER_MARK).partition(b"?>")
    if not end or not declaration.startswith(b"<?xml"):
        return True
    declared = _DECLARED_ENCODING.search(declaration)
    return declared is None or declared[1].lower() in (b"utf-8", b"us-ascii")


def _not_well_formed(error: etree.XMLSyntaxError, parser: etree.XMLParser) -> Fault:
    """The parser's message quotes the body; the name of its error does not."""
    last = parser.error_log.last_error
    name = last.type_name.removeprefix("ERR_").replace("_", " ").lower() if last is not None else "unknown"
    return fault("FF01", f"well-formed XML (found: {name})", Place("/", error.lineno or 1))


def _of_type(root: etree._Element, body: bytes) -> Document | Fault:
    name = etree.QName(root)
    if name.localname != "Document":
        return _at_root(
            "FF01", "Document as the root element, without an envelope or business application header"
        )
    message_type = MessageType.of_namespace(name.namespace or "")
    if message_type is None:
        return _at_root("AG03", "a namespace such as urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08")
    return Document(message_type, root, body)


def _at_root(code: str, expected: str) -> Fault:
    return fault(code, expected, Place("/", 1))
