"""Elements of a schema-valid message, found by local name, and their places.

Comments and processing instructions may stand anywhere, inside a value as well: they are no element, and a
value is the text on all sides of them.
"""

from collections.abc import Iterator
from typing import Any

from lxml.etree import _Element

from postbus.domain.iso20022.messages import Place

Children = dict[str, _Element]

# Every message's namespace has this length: its identifier is four letters and three numbers of fixed length.
_LOCAL_NAME = slice(len("{urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08}"), None)
_NONE: Children = {}


def children(element: _Element | None) -> Children:
    """The element's children by local name; of several of one name, the first.  None has no children."""
    if element is None or not len(element):
        return _NONE
    # From the last to the first, so that the first stays.  Most messages have no comments, and passing over
    # them here would cost a third of the time that reading takes: their tag is no text.
    try:
        return {child.tag[_LOCAL_NAME]: child for child in reversed(element)}
    except TypeError:
        return {local_name(child): child for child in element.iterchildren("*", reversed=True)}


def named(element: _Element, name: str) -> Iterator[_Element]:
    """The element's children of this local name, in order."""
    return element.iterchildren("{*}" + name)


def local_name(element: _Element) -> str:
    return str(element.tag)[_LOCAL_NAME]


def descend(element: _Element | None, *names: str) -> _Element | None:
    """The element below, by local names; of several of one name, the first."""
    for name in names:
        if element is None:
            return None
        element = children(element).get(name)
    return element


def text(element: _Element | None) -> str | None:
    """The whole text of an element without element children, blanks kept; ``None`` for no element."""
    if element is None:
        return None
    value = element.text or ""
    if len(element):
        value += "".join(child.tail or "" for child in element)
    return value


def token(element: _Element | None) -> str | None:
    """The text with the blanks around it removed, as XML Schema reads dates, numbers and flags."""
    value = text(element)
    return None if value is None else value.strip(" \t\r\n")


def place(element: _Element, path: str) -> Place:
    """Where it stands, the first line being 1."""
    line: Any = element.sourceline
    return Place(path, line or 1)
