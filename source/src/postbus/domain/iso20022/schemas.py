"""The genuine XML Schemas: compiled when first needed, and what they find told in words of our own.

A schema processor quotes values in what it says.  Here an element is named as the schema names it, what was
expected by its type, and where by line and path; what the sender wrote is never repeated, nor a name that the
schema lacks.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lxml import etree

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.faults import fault
from postbus.domain.iso20022.messages import Fault, MessageType, Place
from postbus.domain.iso20022.xml import Document, parser

# A message may have a fault in each of its elements; whoever mends these sends it again.
MOST_FAULTS = 100

# The processor notes every fault, at about a kilobyte each, and for each counts the elements beside it: a
# large message may be wrong hundreds of thousands of times.  There faults are counted first, no further than
# needed, and, if they are many, told of the beginning alone.
_LARGE_BYTES = 128 * 1024
_PIECE_BYTES = 16 * 1024

_MISSING = "Missing child element(s)."

_XS = "{http://www.w3.org/2001/XMLSchema}"
_STEP = re.compile(r"(?:\{[^}]*\})?([^/\[\]{}]+)(?=\[|/|$)")
_ATTRIBUTE = re.compile(r"Element '[^']*'(?:,|: The) attribute '([^']*)'")
_EXPECTED = re.compile(r"\}([A-Za-z0-9_.-]+)")
_OUTSIDE = tuple(_XS + name for name in ("import", "include", "redefine", "override"))

Load = Callable[[MessageType], bytes | None]


@dataclass(frozen=True, slots=True)
class _Child:
    """An element that a type declares: its own type, and whether it has to be there."""

    type: str
    mandatory: bool


# The children of each complex type, by name; "" holds the root.
_Types = Mapping[str, Mapping[str, _Child]]


class Schema:
    """One message's schema.

    Args:
        content: the XSD, complete in itself.
    Raises:
        Malformed: not a schema of ``message_type``, or one that refers to another file.
    """

    def __init__(self, message_type: MessageType, content: bytes) -> None:
        tree = _parse(message_type, content)
        try:
            self._compiled = etree.XMLSchema(tree)
        except etree.XMLSchemaParseError:
            raise Malformed(f"{message_type}.xsd", "a valid XML Schema") from None
        self._types = _types(tree)
        self._names = frozenset(str(one.get("name")) for one in tree.iter(_XS + "element", _XS + "attribute"))

    def validate(self, document: Document) -> tuple[Fault, ...]:
        """The faults in order of their lines, at most ``MOST_FAULTS``; none for a valid document.

        CH21 for a mandatory element or attribute that is missing, FF02 for any other.
        """
        if len(document.body) <= _LARGE_BYTES or self._count_faults(document.body) <= MOST_FAULTS:
            return self._faults(document.root)
        several = fault(
            "FF02", f"a valid message; it has more than {MOST_FAULTS} faults", Place("/Document", 1)
        )
        return self._faults(*_beginning(document.body)) or (several,)

    def _faults(
        self, root: etree._Element, cut: Collection[etree._Element] = frozenset()
    ) -> tuple[Fault, ...]:
        """The faults of a tree; of the elements that were cut short, not that something is missing."""
        if self._compiled.validate(root.getroottree()):
            return ()
        entries: Any = self._compiled.error_log
        return tuple(
            islice((told for entry in entries for told in self._told(entry, root, cut)), MOST_FAULTS)
        )

    def _count_faults(self, body: bytes) -> int:
        """How many there are; it stops counting beyond ``MOST_FAULTS``.

        Found while parsing they have no place, and nothing is kept of what was parsed.
        """
        reader = parser(self._compiled, _Nothing())
        for start in range(0, len(body), _PIECE_BYTES):
            reader.feed(body[start : start + _PIECE_BYTES])
            count = len(reader.feed_error_log)
            if count > MOST_FAULTS:
                return count
        # What was well-formed before is so now: whatever is raised was counted.
        with suppress(etree.XMLSyntaxError):
            reader.close()
        return len(reader.feed_error_log)

    def _told(
        self, entry: etree._LogEntry, root: etree._Element, cut: Collection[etree._Element]
    ) -> Iterator[Fault]:
        walked = self._walk(root, entry.path or "/*")
        if walked.element in cut and entry.message.rpartition("Expected is")[0].rstrip().endswith(_MISSING):
            return
        code, expected = self._expected(entry, walked)
        yield fault(code, expected, Place(self._path(walked.element), entry.line or 1))

    def _expected(self, entry: etree._LogEntry, at: "_Walked") -> tuple[str, str]:
        match entry.type_name:
            case "SCHEMAV_ELEMENT_CONTENT":
                return self._content(entry.message, at)
            case "SCHEMAV_CVC_COMPLEX_TYPE_4":
                return "CH21", f"the mandatory attribute{self._attribute(entry.message)}"
            case (
                "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1" | "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2" | "SCHEMAV_CVC_TYPE_3_1_1"
            ):
                return "FF02", "no such attribute"
            case "SCHEMAV_CVC_COMPLEX_TYPE_2_3" | "SCHEMAV_CVC_COMPLEX_TYPE_2_1":
                return "FF02", "elements only, no text between them"
            case "SCHEMAV_CVC_ELT_1":
                return "FF02", "the root element of its schema"
            case _:
                attribute = self._attribute(entry.message)
                return (
                    "FF02",
                    f"a valid attribute{attribute}" if attribute else f"a value of type {at.type or 'known'}",
                )

    def _content(self, message: str, at: "_Walked") -> tuple[str, str]:
        """An element is missing, or one stands where it may not: both are told by what could stand there."""
        head, found, tail = message.rpartition("Expected is")
        names = _EXPECTED.findall(tail) if found else []  # none for a wildcard
        if head.rstrip().endswith(_MISSING):
            return "CH21", f"mandatory, below this element: {_list(names) or 'any element'}"
        siblings = self._types.get(at.parent_type, {})
        needed = any(siblings[name].mandatory for name in names if name in siblings)
        is_sibling = etree.QName(at.element).localname in siblings
        if needed and is_sibling and not any(map(at.stands_beside, names)):
            return "CH21", f"mandatory, before this element: {_list(names)}"
        return "FF02", f"instead of this element: {_list(names)}" if names else "no such element here"

    def _attribute(self, message: str) -> str:
        """The attribute that an error is about, if the schema knows it: `` Ccy``."""
        named = _ATTRIBUTE.match(message)
        return f" {named[1]}" if named and named[1] in self._names else ""

    def _walk(self, root: etree._Element, path: str) -> "_Walked":
        """Follow a path of the processor, whose steps are ``*[2]``, ``name[2]`` or ``prefix:name``."""
        element, parent_type, own_type = root, "", self._types[""]["Document"].type
        for step in path.split("/")[2:]:
            name, _, index = step.partition("[")
            below = element.iterchildren("{*}" + name.rpartition(":")[2] if name != "*" else "*")
            at = int(index.rstrip("]")) - 1 if index else 0
            found = next(islice(below, at, None), None)
            if found is None:
                break
            known = self._types.get(own_type, {}).get(etree.QName(found).localname)
            element, parent_type, own_type = found, own_type, known.type if known else ""
        return _Walked(element, own_type, parent_type)

    def _path(self, element: etree._Element) -> str:
        """From the root, with indexes; ``*`` stands for a name that is not the schema's."""
        if element.getparent() is None:
            return "/Document"
        below = element.getroottree().getelementpath(element)
        return "/Document/" + _STEP.sub(lambda step: step[1] if step[1] in self._names else "*", below)


@dataclass(frozen=True, slots=True)
class _Walked:
    """Where an error's path leads, and the types by which the element and its parent are declared."""

    element: etree._Element
    type: str
    parent_type: str

    def stands_beside(self, name: str) -> bool:
        parent = self.element.getparent()
        return parent is not None and next(parent.iterchildren("{*}" + name), None) is not None


@dataclass(slots=True)
class Schemas:
    """The schemas that are installed, each compiled once (about 3 ms).  For one thread.

    Args:
        load: the XSD of a message; ``None`` when none is installed.
    """

    load: Load
    _compiled: dict[MessageType, Schema | None] = field(default_factory=dict)

    def of(self, message_type: MessageType) -> Schema | None:
        """The message's schema; ``None`` when none is installed.

        Raises:
            Malformed: what is installed under its name is not its schema.
        """
        if message_type not in self._compiled:
            content = self.load(message_type)
            self._compiled[message_type] = None if content is None else Schema(message_type, content)
        return self._compiled[message_type]

    def validate(self, document: Document) -> tuple[Fault, ...]:
        """The document's faults; AG03 where its version has no schema, so that nothing passes unchecked."""
        schema = self.of(document.type)
        if schema is None:
            return (
                fault(
                    "AG03",
                    f"a message whose schema is installed; {document.type} has none",
                    Place("/Document", 1),
                ),
            )
        return schema.validate(document)


class _Nothing:
    """A parser's target that keeps nothing."""

    def close(self) -> None: ...


def _beginning(body: bytes) -> tuple[etree._Element, Collection[etree._Element]]:
    """A tree of the first tags, and those of its elements that something may have been cut from."""
    root = etree.fromstring(
        body[: body.rindex(b"<", 0, _LARGE_BYTES)] or b"<Document/>", parser(recover=True)
    )
    cut = [root]
    while len(cut[-1]):
        cut.append(cut[-1][-1])
    return root, frozenset(cut)


def _parse(message_type: MessageType, content: bytes) -> etree._ElementTree:
    name = f"{message_type}.xsd"
    try:
        root = etree.fromstring(content, parser())
    except etree.XMLSyntaxError:
        raise Malformed(name, "well-formed XML") from None
    tree = root.getroottree()
    if root.tag != _XS + "schema" or root.get("targetNamespace") != message_type.namespace:
        raise Malformed(name, f"an XML Schema of {message_type.namespace}")
    if tree.docinfo.internalDTD is not None or next(root.iter(*_OUTSIDE), None) is not None:
        raise Malformed(name, "complete in itself: no import, include, redefine or document type")
    return tree


def _types(tree: etree._ElementTree) -> _Types:
    """What the named complex types declare: in ISO 20022 a sequence or choice of typed elements."""
    types: dict[str, dict[str, _Child]] = {"": dict(_declared(tree.getroot()))}
    for one in tree.getroot().iterchildren(_XS + "complexType"):
        types[str(one.get("name"))] = {
            name: child
            for group in one.iter(_XS + "sequence", _XS + "choice")
            for name, child in _declared(group)
        }
    if "Document" not in types[""]:
        raise Malformed("schema", "one that declares Document")
    return types


def _declared(group: etree._Element) -> Iterator[tuple[str, _Child]]:
    for element in group.iterchildren(_XS + "element"):
        yield str(element.get("name")), _Child(element.get("type") or "", element.get("minOccurs") != "0")


def _list(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else "".join(names)
