"""The genuine schemas: every message gets its schema's verdict, and a message without a schema is refused."""

import csv
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import xmlschema

from postbus.adapters.iso20022_schemas import installed, of_folders
from postbus.domain.errors import Malformed
from postbus.domain.iso20022 import xml
from postbus.domain.iso20022.messages import MessageType
from postbus.domain.iso20022.schemas import MOST_FAULTS, Schema, Schemas

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "iso20022"
MANIFEST = SHARED / "messages" / "MANIFEST.tsv"
LIMIT = 4 * 1024 * 1024
HEADER = "<MsgId>A</MsgId><CreDtTm>2026-01-01T00:00:00</CreDtTm><NbOfTxs>1</NbOfTxs>"
PACS_008 = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"


def _messages() -> list[tuple[str, str, bool]]:
    """File, message type and whether its schema finds it valid."""
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened, delimiter="\t"))
    assert len(rows) > 200
    return [(row["file"], row["message"], row["validity_lxml_6.1.3"] == "XSD-valid") for row in rows]


def _with_schema(messages: list[tuple[str, str, bool]]) -> list[tuple[str, str, bool]]:
    listed = tomllib.loads((ROOT / "source/build/iso20022_schemas.toml").read_text(encoding="utf-8"))[
        "wheels"
    ]
    known = {schema["message"] for wheel in listed for schema in wheel["schemas"]}
    known |= {path.stem for path in (SHARED / "xsd").glob("*.xsd")}
    return [one for one in messages if one[1] in known]


@pytest.fixture(scope="module")
def untouched(schema_folder: Path) -> Schemas:
    """As installed, without an operator's folder."""
    return of_folders([schema_folder])


@pytest.fixture(scope="module")
def extended(schema_folder: Path) -> Schemas:
    """With an operator's folder on top."""
    return of_folders([SHARED / "xsd", schema_folder])


@pytest.mark.shared
@pytest.mark.parametrize(("file", "message", "valid"), _messages())
def test_a_message_gets_the_verdict_of_its_schema(
    file: str, message: str, valid: bool, extended: Schemas
) -> None:
    document = xml.read((SHARED / "messages" / file).read_bytes(), LIMIT)
    assert isinstance(document, xml.Document)
    assert str(document.type) == message
    faults = extended.validate(document)
    codes = {one.reason.code for one in faults}
    if extended.of(document.type) is None:
        assert codes == {"AG03"}
    else:
        assert codes <= ({"FF02", "CH21"} if not valid else set())
        assert bool(codes) is not valid


@pytest.mark.shared
@pytest.mark.parametrize(("file", "message", "valid"), _with_schema(_messages())[::5])
def test_another_validator_is_of_the_same_opinion(
    file: str, message: str, valid: bool, extended: Schemas
) -> None:
    content = extended.load(MessageType.of(message))
    assert content is not None
    assert _second_opinion(content).is_valid(str(SHARED / "messages" / file)) is valid


_compiled: dict[bytes, xmlschema.XMLSchema] = {}


def _second_opinion(content: bytes) -> xmlschema.XMLSchema:
    if content not in _compiled:
        _compiled[content] = xmlschema.XMLSchema(content)
    return _compiled[content]


@pytest.mark.shared
@pytest.mark.parametrize("message", ["pacs.004.001.10", "pacs.028.001.03"])
def test_without_its_schema_a_message_is_refused_and_with_the_operators_it_is_checked(
    message: str, untouched: Schemas, schema_folder: Path
) -> None:
    bodies = [
        (SHARED / "messages" / file).read_bytes() for file, of, ok in _messages() if of == message and ok
    ]
    assert bodies
    with_folder = of_folders([SHARED / "xsd", schema_folder])
    for body in bodies:
        document = xml.read(body, LIMIT)
        assert isinstance(document, xml.Document)
        (refused,) = untouched.validate(document)
        assert refused.reason.code == "AG03"
        assert message in refused.reason.additional[0]
        assert with_folder.validate(document) == ()


def test_what_is_installed_is_what_the_build_lists(untouched: Schemas, schema_folder: Path) -> None:
    names = sorted(path.stem for path in schema_folder.glob("*.xsd"))
    assert len(names) == 21
    assert all(untouched.of(MessageType.of(name)) is not None for name in names)
    assert installed().of(MessageType.of("pacs.008.001.08")) is not None


def test_an_operators_file_goes_before_that_of_the_build(tmp_path: Path, schema_folder: Path) -> None:
    pacs_008 = MessageType.of("pacs.008.001.08")
    text = (schema_folder / f"{pacs_008}.xsd").read_text()
    (tmp_path / f"{pacs_008}.xsd").write_text(
        text.replace('<xs:maxLength value="35"/>', '<xs:maxLength value="2"/>')
    )
    (tmp_path / "README.txt").write_text("not a schema")
    document = _document("<GrpHdr><MsgId>ABC</MsgId></GrpHdr>")
    told = [one.reason.additional[0] for one in installed(tmp_path).validate(document)]
    assert "a value of type Max35Text" in told
    assert "a value of type Max35Text" not in str(of_folders([schema_folder]).validate(document))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "<xs:element",
            '<xs:import namespace="urn:x" schemaLocation="http://127.0.0.1:9/x.xsd"/><xs:element',
        ),
        ("<xs:element", '<xs:include schemaLocation="other.xsd"/><xs:element'),
        ("<xs:element", '<xs:redefine schemaLocation="other.xsd"/><xs:element'),
        ("<xs:schema", "<!DOCTYPE schema><xs:schema"),
        ("pacs.008.001.08", "pacs.008.001.09"),
        ('type="Document"', 'type="Absent"'),
        ("</xs:schema>", ""),
    ],
)
def test_a_schema_that_needs_others_or_is_another_is_refused(old: str, new: str, schema_folder: Path) -> None:
    text = (schema_folder / "pacs.008.001.08.xsd").read_text()
    assert old in text
    with pytest.raises(Malformed, match=r"pacs\.008\.001\.08\.xsd"):
        Schema(MessageType.of("pacs.008.001.08"), text.replace(old, new, 1).encode())


def test_a_schema_that_a_message_points_to_is_not_asked(tmp_path: Path, untouched: Schemas) -> None:
    lenient = tmp_path / "lenient.xsd"
    lenient.write_text(
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{PACS_008}">'
        '<xs:element name="Document"/></xs:schema>'
    )
    body = (
        f'<Document xmlns="{PACS_008}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:schemaLocation="{PACS_008} file://{lenient}"/>'
    )
    document = xml.read(body.encode(), LIMIT)
    assert isinstance(document, xml.Document)
    assert untouched.validate(document)


@pytest.mark.parametrize(
    ("inside", "code", "told", "where"),
    [
        ("<GrpHdr><CreDtTm>x</CreDtTm></GrpHdr>", "CH21", "MsgId", "/GrpHdr/CreDtTm"),
        ("<GrpHdr><MsgId>A</MsgId></GrpHdr>", "CH21", "CreDtTm", "/GrpHdr"),
        ("<GrpHdr><MsgId>{}</MsgId></GrpHdr>", "FF02", "Max35Text", "/GrpHdr/MsgId"),
        (
            "<GrpHdr><MsgId>' is not accepted by the pattern '{}</MsgId></GrpHdr>",
            "FF02",
            "Max35Text",
            "/GrpHdr/MsgId",
        ),
        ("<GrpHdr><MsgId>A</MsgId><Hans>x</Hans></GrpHdr>", "FF02", "CreDtTm", "/GrpHdr/*"),
        ("<GrpHdr><MsgId Hans='x'>A</MsgId></GrpHdr>", "FF02", "no such attribute", "/GrpHdr/MsgId"),
        ("<GrpHdr Hans='x'/>", "FF02", "no such attribute", "/GrpHdr"),
        (
            "<GrpHdr>" + HEADER + "<TtlIntrBkSttlmAmt>1</TtlIntrBkSttlmAmt></GrpHdr>",
            "CH21",
            "the mandatory attribute Ccy",
            "/GrpHdr/TtlIntrBkSttlmAmt",
        ),
        (
            "<GrpHdr>" + HEADER + "<TtlIntrBkSttlmAmt Ccy='Hans'>1</TtlIntrBkSttlmAmt></GrpHdr>",
            "FF02",
            "a valid attribute Ccy",
            "/GrpHdr/TtlIntrBkSttlmAmt",
        ),
        ("<GrpHdr>Hans</GrpHdr>", "FF02", "no text", "/GrpHdr"),
        ("<CdtTrfTxInf><IntrBkSttlmAmt>1</IntrBkSttlmAmt></CdtTrfTxInf>", "CH21", "GrpHdr", "/CdtTrfTxInf"),
    ],
)
def test_a_fault_says_what_was_expected_where_and_nothing_of_what_was_there(
    inside: str, code: str, told: str, where: str, untouched: Schemas
) -> None:
    secret = "Hans Hinterseer of Kitzbuehel, Tyrol, Austria"
    faults = untouched.validate(_document(inside.replace("{}", secret)))
    found = [one for one in faults if one.place.path == f"/Document/FIToFICstmrCdtTrf{where}"]
    assert [one.reason.code for one in found if told in one.reason.additional[0]][:1] == [code]
    assert "Hans" not in repr(faults)
    assert all(len(line) <= 105 for one in faults for line in one.reason.additional)


def test_the_place_has_indexes_and_lines_whatever_the_prefix(untouched: Schemas) -> None:
    body = f'<p:Document xmlns:p="{PACS_008}">\n<p:FIToFICstmrCdtTrf>\n<p:GrpHdr/>\n'
    body += "<p:CdtTrfTxInf/>\n<p:CdtTrfTxInf/>"
    document = xml.read(f"{body}</p:FIToFICstmrCdtTrf></p:Document>".encode(), LIMIT)
    assert isinstance(document, xml.Document)
    last = untouched.validate(document)[-1]
    assert (last.place.path, last.place.line) == ("/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[2]", 5)
    assert last.reason.additional == (
        "mandatory, below this element: PmtId",
        "line 5: /Document/FIToFICstmrCdtTrf/CdtTrfTxInf[2]",
    )


@pytest.mark.parametrize(
    "flood",
    [
        "<GrpHdr/>" + "<CdtTrfTxInf/>" * 150_000,
        "<Johann/>" * 250_000,
        "<GrpHdr><MsgId/></GrpHdr>" * 50_000,
        "<GrpHdr number=''/>" * 150_000,
        "<GrpHdr/>" + f"<CdtTrfTxInf><RmtInf>{'<Ustrd></Ustrd>' * 1_000}</RmtInf></CdtTrfTxInf>" * 200,
    ],
)
def test_a_flood_of_faults_is_told_soon_and_in_part(flood: str, untouched: Schemas) -> None:
    document = _document(flood)
    began = time.process_time()
    faults = untouched.validate(document)
    assert time.process_time() - began < 5.0
    assert 0 < len(faults) <= MOST_FAULTS


def test_what_was_cut_off_is_not_told_as_missing(untouched: Schemas) -> None:
    document = _document("<GrpHdr/>" + "<CdtTrfTxInf><PmtId/></CdtTrfTxInf>" * 20_000)
    places = {one.place.path for one in untouched.validate(document)}
    assert "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[1]/PmtId" in places
    assert not places & {"/Document", "/Document/FIToFICstmrCdtTrf"}


def test_where_only_the_end_is_wrong_and_often_it_is_told_how_often(untouched: Schemas) -> None:
    document = _document(" " * 200_000 + "<GrpHdr/>" + "<CdtTrfTxInf/>" * 5_000)
    (only,) = untouched.validate(document)
    assert only.reason.additional[0] == "a valid message; it has more than 100 faults"


@pytest.mark.parametrize("length_mb", [4, 20])
def test_a_message_that_is_wrong_everywhere_takes_no_memory_for_it(length_mb: int) -> None:
    agent = "<FinInstnId><BICFI>HARBDEFF</BICFI></FinInstnId>"
    before = (
        "<PmtId><EndToEndId>E</EndToEndId></PmtId><IntrBkSttlmAmt Ccy='EUR'>1</IntrBkSttlmAmt>"
        f"<ChrgBr>SLEV</ChrgBr><Dbtr/><DbtrAgt>{agent}</DbtrAgt><CdtrAgt>{agent}</CdtrAgt><Cdtr/>"
    )
    code = f"""
import resource
from postbus.adapters.iso20022_schemas import installed
from postbus.domain.iso20022 import reading
one = b"<CdtTrfTxInf>{before}<RmtInf>" + b"<Ustrd/>\\n" * 1000 + b"</RmtInf></CdtTrfTxInf>"
wrong = b"<GrpHdr/>" + one * 9999
inside = wrong[: {length_mb} << 20].rpartition(b"<CdtTrfTxInf>")[0]
body = b'<Document xmlns="{PACS_008}"><FIToFICstmrCdtTrf>' + inside + b"</FIToFICstmrCdtTrf></Document>"
del wrong, inside
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = reading.reopen(body, installed())
assert found.type is not None and found.reading is None
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "source" / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    # What the tree takes, and little for its faults.
    assert int(ran.stdout) < 50 + 20 * length_mb


def test_a_large_message_that_is_wrong_at_its_end_alone_is_refused_there(untouched: Schemas) -> None:
    document = _document("<GrpHdr/>" + " " * 200_000 + "\n<Hans/>")
    assert [one.place.line for one in untouched.validate(document)] == [1, 2]


def _document(inside: str) -> xml.Document:
    body = f'<Document xmlns="{PACS_008}"><FIToFICstmrCdtTrf>{inside}</FIToFICstmrCdtTrf></Document>'
    document = xml.read(body.encode(), LIMIT)
    assert isinstance(document, xml.Document)
    return document
