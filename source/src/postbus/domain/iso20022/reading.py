"""From a schema-valid document to a message as values, with what could not be read of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lxml.etree import _Element

from postbus.domain.errors import Malformed
from postbus.domain.iso20022 import read_references, read_returns, read_transfers, xml
from postbus.domain.iso20022.elements import local_name
from postbus.domain.iso20022.message_source import Reading
from postbus.domain.iso20022.messages import MessageType
from postbus.domain.iso20022.schemas import Schemas

# Which definitions are read, and in which versions.
_READERS: Mapping[str, tuple[range, Callable[[_Element, MessageType], Reading]]] = {
    "pacs.008": (range(3, 14), read_transfers.interbank),
    "pain.001": (range(3, 14), read_transfers.initiation),
    "pacs.004": (range(9, 14), read_returns.returns),
    "camt.056": (range(8, 13), read_references.cancellation_request),
    "pacs.028": (range(3, 6), read_references.status_request),
}


@dataclass(frozen=True, slots=True)
class Reopened:
    """A stored message, read once more.

    Attributes:
        type: ``None`` for what is no ISO 20022 message.
        reading: ``None`` for what its schema, or the lack of one, keeps from being read.
    """

    type: MessageType | None = None
    reading: Reading | None = None


def reopen(body: bytes, schemas: Schemas) -> Reopened:
    """What a stored body is, whatever its checks have found; its size was checked when it was taken."""
    document = xml.read(body, len(body))
    if not isinstance(document, xml.Document):
        return Reopened()
    if not is_readable(document.type) or schemas.validate(document):
        return Reopened(document.type)
    return Reopened(document.type, read(document.root, document.type))


def is_readable(type: MessageType) -> bool:
    """Whether messages of this type are taken: AG03 is the answer to any other."""
    versions, _ = _READERS.get(type.definition, (range(0), None))
    return type.variant == "001" and type.version in versions


def readable() -> Iterator[MessageType]:
    """Every type that ``is_readable``, whether its schema is at hand or not."""
    for definition, (versions, _) in _READERS.items():
        yield from (MessageType(definition, "001", version) for version in versions)


def read(document: _Element, type: MessageType) -> Reading:
    """Read a message.

    Args:
        document: the ``Document`` element, valid by the schema of ``type``.
    Raises:
        Malformed: not a type that ``is_readable``, or not its message inside.
    """
    if not is_readable(type):
        raise Malformed("message type", "one that is read: see is_readable")
    body = next(document.iterchildren("*"), None)
    if local_name(document) != "Document" or body is None:
        raise Malformed("Document", "an element with a message in it")
    return _READERS[type.definition][1](body, type)
