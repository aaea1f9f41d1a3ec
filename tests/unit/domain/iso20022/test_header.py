"""What a message says it is."""

import pytest

from postbus.domain.iso20022 import header, xml
from postbus.domain.iso20022.xml import Document
from tests.unit.domain.iso20022.own_messages import FOLDER, NAMES, own_message


def document(body: bytes) -> Document:
    found = xml.read(body, 1_000_000)
    assert isinstance(found, Document)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_message_that_is_read_tells_its_id(name: str) -> None:
    found = header.message_id(document((FOLDER / f"{name}.xml").read_bytes()))
    assert found == own_message(name).message.message_id


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "text",
        "<a/>",
        "<a><GrpHdr/></a>",
        "<a><GrpHdr><MsgId/></GrpHdr></a>",
        "<a><GrpHdr><MsgId> </MsgId></GrpHdr></a>",
        f"<a><GrpHdr><MsgId>{'x' * 36}</MsgId></GrpHdr></a>",
    ],
)
def test_what_no_answer_can_quote_is_no_id(inside: str) -> None:
    body = f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08">{inside}</Document>'
    assert header.message_id(document(body.encode())) is None
