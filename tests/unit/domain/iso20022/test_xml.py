"""Hostile and odd bytes: each is refused or read whole, soon, and no answer repeats what they say."""

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from postbus.domain.iso20022 import xml
from postbus.domain.iso20022.messages import Fault

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"
OPEN = f'<Document xmlns="{NAMESPACE}">'.encode()
CLOSE = b"</Document>"
LIMIT = 4 * 1024 * 1024
SECRET = "Hansi Hinterseer"

# What each takes is some milliseconds; a machine under load may take a hundred times that.
SOON_SECONDS = 2.0

LAUGHS = (
    b'<!DOCTYPE Document [<!ENTITY l0 "lol">'
    + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]>"
)
BIG_ENTITY = b'<!DOCTYPE Document [<!ENTITY a "' + b"a" * 100_000 + b'">]>'

HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "no XML": SECRET.encode(),
    "JSON": b'{"Document": {}}',
    "a document type": b"<!DOCTYPE Document>" + OPEN + CLOSE,
    "an external document type": b'<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd">' + OPEN + CLOSE,
    "an entity": b'<!DOCTYPE Document [<!ENTITY a "b">]>' + OPEN + b"p&a;q" + CLOSE,
    "a file as an entity": b'<!DOCTYPE Document [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    + OPEN
    + b"&a;"
    + CLOSE,
    "a parameter entity": b'<!DOCTYPE Document [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>'
    + OPEN
    + CLOSE,
    "an unknown entity": OPEN + b"&nbsp;" + CLOSE,
    "a billion laughs": LAUGHS + OPEN + b"&l11;" + CLOSE,
    "laughs in an attribute": LAUGHS + b'<Document x="&l11;"/>',
    "a big entity over and over": BIG_ENTITY + OPEN + b"&a;" * 30_000 + CLOSE,
    "a big entity in attributes": BIG_ENTITY + b"<Document>" + b'<b x="&a;&a;"/>' * 30_000 + CLOSE,
    "nested deeply": OPEN + b"<a>" * 200_000 + b"</a>" * 200_000 + CLOSE,
    "nested and never closed": OPEN + b"<a>" * 1_000_000,
    "attributes without end": OPEN[:-1] + b" " + b" ".join(b'a%d=""' % n for n in range(300_000)) + b"/>",
    "attributes with signs in them": OPEN[:-1]
    + b" "
    + b" ".join(b"a%d='>'" % n for n in range(200_000))
    + b"/>",
    "namespaces without end": b"<Document " + b" ".join(b'xmlns:a%d="x"' % n for n in range(200_000)) + b"/>",
    "a name without end": b"<" + b"x" * 3_000_000 + b"/>",
    "an open quote": b'<Document a="' + b"x" * 3_000_000,
    "quotes": b"<Document " + b'"' * 3_000_000,
    "brackets": b"<" * 3_000_000,
    "UTF-16": (OPEN + CLOSE).decode().encode("utf-16"),
    "UTF-16 without a mark": (OPEN + CLOSE).decode().encode("utf-16-le"),
    "UTF-16 with a document type": ("<!DOCTYPE Document>" + (OPEN + CLOSE).decode()).encode("utf-16"),
    "UTF-32": (OPEN + CLOSE).decode().encode("utf-32"),
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>' + OPEN + b"+ADw-a/+AD4-" + CLOSE,
    "Latin-1": b'<?xml version="1.0" encoding="ISO-8859-1"?>' + OPEN + CLOSE,
    "EBCDIC": (OPEN + CLOSE).decode().encode("cp037"),
    "no UTF-8": OPEN + b"\xff\xfe" + CLOSE,
    "an overlong slash": OPEN + b"\xc0\xaf" + CLOSE,
    "a zero byte": OPEN + b"a\0b" + CLOSE,
    "a control character": OPEN + b"\x01" + CLOSE,
    "a control character by number": OPEN + b"&#1;" + CLOSE,
    "an end too early": OPEN + b"<FIToFICstmrCdtTrf>",
    "a tag cut off": OPEN + b"<FIToFICst",
    "an end tag of another": OPEN + f"<a>{SECRET}</b>".encode() + CLOSE,
    "more behind the end": OPEN + CLOSE + b"more",
    "two documents": (OPEN + CLOSE) * 2,
    "a declaration in the middle": OPEN + b'<?xml version="1.0"?>' + CLOSE,
    "an envelope": b'<Envelope><AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02"/>'
    + OPEN
    + CLOSE
    + b"</Envelope>",
    "nothing but tags": OPEN + b"<a/>" * 500_000 + CLOSE,
    "nothing but attributes": OPEN + (b"<a" + b" b=''" * 30 + b"/>") * 10_000 + CLOSE,
    "nothing but attributes, at a distance": OPEN
    + (b"<a" + b"".join(b' %c= "c"' % n for n in b"bcdefghijklmnopqrstuvwxyzABCD") + b"/>") * 10_000
    + CLOSE,
    "too large": OPEN + b" " * LIMIT + CLOSE,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_it_is_refused_soon_with_a_code_and_without_its_own_words(body: bytes) -> None:
    began = time.process_time()
    found = xml.read(body, LIMIT)
    assert time.process_time() - began < SOON_SECONDS
    assert isinstance(found, Fault)
    assert found.reason.code == "FF01"
    told = " ".join(found.reason.additional)
    assert all(len(line) <= 105 for line in found.reason.additional)
    assert not any(word in told for word in (SECRET, "Hansi", "root:", "lol", "nbsp", "&"))


@pytest.mark.parametrize(
    "namespace",
    [
        "",
        "urn:x",
        "urn:iso:std:iso:20022:tech:xsd:pacs.008",
        "http://iso.org/pacs.008.001.08",
        NAMESPACE.upper(),
    ],
)
def test_another_namespace_is_an_unsupported_message(namespace: str) -> None:
    found = xml.read(f'<Document xmlns="{namespace}"/>'.encode(), LIMIT)
    assert isinstance(found, Fault)
    assert found.reason.code == "AG03"


WHOLE: dict[str, bytes] = {
    "plain": b"p&lt;q",
    "a comment": b"p<!-- not -->&lt;q",
    "a processing instruction": b"p<?pi not ?>&lt;<?php not?>q",
    "character data": b"<![CDATA[p<]]>q",
    "character data and a comment": b"p<!-- a --><![CDATA[<]]><!-- b -->q",
    "by number": b"&#112;&#x3C;q",
}


@pytest.mark.parametrize("value", WHOLE.values(), ids=WHOLE.keys())
def test_a_value_is_read_whole_however_it_is_written(value: bytes) -> None:
    found = xml.read(OPEN + value + CLOSE, LIMIT)
    assert isinstance(found, xml.Document)
    assert found.root.text == "p<q"
    assert len(found.root) == 0


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xef\xbb\xbf",
        b'<?xml version="1.0" encoding="UTF-8"?>',
        b"<?xml version='1.0'  encoding = 'utf-8' standalone='yes' ?>\n",
        b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><!-- <!DOCTYPE no> --><?pi encoding="UTF-16"?>',
    ],
)
def test_utf_8_is_read_with_or_without_declaration_and_mark(head: bytes) -> None:
    found = xml.read(head + OPEN + "Zoë".encode() + CLOSE, LIMIT)
    assert isinstance(found, xml.Document)
    assert str(found.type) == "pacs.008.001.08"
    assert found.root.text == "Zoë"


def test_a_prefix_makes_no_difference() -> None:
    found = xml.read(f'<p:Document xmlns:p="{NAMESPACE}"/>'.encode(), LIMIT)
    assert isinstance(found, xml.Document)
    assert found.type.namespace == NAMESPACE


def test_signs_in_a_text_are_no_attributes() -> None:
    remittance = b"<Ustrd>" + b"=" * 140 + b"</Ustrd>"
    assert isinstance(xml.read(OPEN + remittance * 2_000 + CLOSE, LIMIT), xml.Document)


def test_an_element_may_have_as_many_attributes_as_any_message_needs() -> None:
    attributes = " ".join(f'a{n}=">"' for n in range(xml.MOST_ATTRIBUTES - 1))
    assert isinstance(xml.read(OPEN[:-1] + f" {attributes}/>".encode(), LIMIT), xml.Document)
    refused = xml.read(OPEN[:-1] + f" {attributes} b='' c='' />".encode(), LIMIT)
    assert isinstance(refused, Fault)


def test_the_line_of_a_fault_is_right_beyond_the_65535th() -> None:
    found = xml.read(OPEN + b"\n" * 70_000 + b"<a>" + CLOSE, LIMIT)
    assert isinstance(found, Fault)
    assert found.place.line == 70_001


def test_nothing_is_fetched(asked: Callable[[], list[str]], origin: str) -> None:
    for body in (
        f'<!DOCTYPE Document SYSTEM "{origin}/a.dtd">'.encode() + OPEN + CLOSE,
        f'<!DOCTYPE Document [<!ENTITY a SYSTEM "{origin}/a">]>'.encode() + OPEN + b"&a;" + CLOSE,
        f'<!DOCTYPE Document [<!ENTITY % a SYSTEM "{origin}/a"> %a;]>'.encode() + OPEN + CLOSE,
        f'<?xml-stylesheet href="{origin}/a"?>'.encode() + OPEN + CLOSE,
        OPEN + f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{origin}/a"/>'.encode() + CLOSE,
    ):
        xml.read(body, LIMIT)
    assert asked() == []


@pytest.fixture
def server() -> HTTPServer:
    class Recorder(BaseHTTPRequestHandler):
        pass

    return HTTPServer(("127.0.0.1", 0), Recorder)


@pytest.fixture
def origin(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def asked(server: HTTPServer) -> Callable[[], list[str]]:
    """Who connected: a fetch would wait in the listening socket, unanswered."""

    def connections() -> list[str]:
        server.socket.settimeout(0.2)
        try:
            connection, address = server.socket.accept()
        except TimeoutError:
            return []
        connection.close()
        return [str(address)]

    return connections


def test_a_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    body = (
        f'<!DOCTYPE Document [<!ENTITY a SYSTEM "{tmp_path / "secret"}">]>'.encode() + OPEN + b"&a;" + CLOSE
    )
    found = xml.read(body, LIMIT)
    assert isinstance(found, Fault)
    assert SECRET not in repr(found)
