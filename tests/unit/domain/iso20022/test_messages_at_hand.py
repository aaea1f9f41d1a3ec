"""Messages that others wrote get the verdict they should, whoever wrote them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postbus.domain.iso20022.business_checks import Agreement, check
from postbus.domain.iso20022.messages import Fault, MessageType
from postbus.domain.iso20022.reading import is_readable
from postbus.domain.iso20022.reading import read as read_message
from postbus.domain.iso20022.schemas import Schemas
from postbus.domain.iso20022.xml import Document, read
from tests.unit.domain.iso20022.schemas import FOLDERS, ROOT

MESSAGES = ROOT.parent / "shared" / "iso20022" / "messages"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
LIMIT = 4 * 1024 * 1024

pytestmark = pytest.mark.skipif(
    not MESSAGES.is_dir(), reason="needs other people's messages in ../shared/iso20022/messages"
)

# What each wrong message is refused for.  A message may be wrong in several ways: these at least are told.
WRONG = {
    "pacs.004.001.09-phoughton-pacs-004-2025-invalid": {"AM03"},
    "pacs.004.001.09-phoughton-pacs-004-2026-invalid": {"AM03"},
    "pacs.004.001.10-joaoabuenosi-missing-return-reason": {"CH21"},
    "pacs.004.001.10__mut-BIZ-nboftxs-mismatch": {"AM18"},
    "pacs.008.001.07-prowide-pacs.008.001.07": {"AM10"},
    "pacs.008.001.07-prowide-pacs.008.001.07-2": {"AM10"},
    "pacs.008.001.08-phoughton-cbprplus-pacs008-sample-dodgy-IBAN-and-bic-mismatch": {"AC02"},
    "pain.001.001.03-moov-io-International-payment-USD-naujas-1": {"AC02"},
    "pain.001.001.03-sebastienrousseau-pain.001.001.03": {"AM19", "AM20", "AC02"},
    "pain.001.001.03-svapnil-sepa-pain-001-v3-multiple-pmtinf": {"AM19", "AM10", "AC02", "AC03"},
    "pain.001.001.07-sebastienrousseau-pain.001.001.07": {"AM19", "AM10"},
    "pain.001.001.08-sebastienrousseau-pain.001.001.08": {"AM19", "AM10"},
    "pain.001.001.09-phoughton-pain.001.min": {"AC02"},
}
COMMODITY = "violates-pacs.008-R"

# What a scheme's own rulebook refuses and the standard allows; an agreement may refuse it as well.
BY_A_SCHEME_ONLY = {
    "pacs.008.001.08-joaoabuenosi-missing-category-purpose": "FedNow asks for a category purpose",
    "pacs.008.001.08-joaoabuenosi-non-fednow-msgid": "FedNow has a form of its own for MsgId",
    "pacs.008.001.08-joaoabuenosi-non-usd": "FedNow takes dollars only: Agreement.currencies",
    "pacs.028.001.03-joaoabuenosi-missing-original": "FedNow asks for OrgnlGrpInf; the UETR names it",
}

# The versions whose schemas are installed, or come with these messages; of others none may be there.
EXPECTED = {
    *(f"pacs.008.001.{version:02}" for version in range(8, 14)),
    *(f"pain.001.001.{version:02}" for version in (3, *range(9, 14))),
    *("pacs.004.001.09", "pacs.004.001.10", "pacs.004.001.11", "pacs.004.001.13"),
    *("camt.056.001.08", "camt.056.001.11", "camt.056.001.12", "pacs.028.001.03", "pacs.028.001.05"),
}
WITHOUT_A_SCHEMA = {"AG03"}

Verdict = Callable[[Path], tuple[Fault, ...]]


def of_kind(folder: str, readable: bool) -> list[Path]:
    """The messages of a folder that are, or are not, of a type that is read."""
    return [path for path in sorted(MESSAGES.glob(f"{folder}/*.xml")) if _is_readable(path) is readable]


def _is_readable(path: Path) -> bool:
    return is_readable(MessageType.of(path.name[:15]))


def _is_expected(path: Path) -> bool:
    return path.name[:15] in EXPECTED


def name(path: Path) -> str:
    return path.stem


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    schemas = Schemas(_load)

    def judge(path: Path) -> tuple[Fault, ...]:
        document = read(path.read_bytes(), LIMIT)
        if not isinstance(document, Document):
            return (document,)
        if schemas.of(document.type) is None and str(document.type) in EXPECTED:
            pytest.skip(
                f"needs the schema {document.type}.xsd: build the packages, or set ISO20022_SCHEMA_DIR"
            )
        return schemas.validate(document) or check(
            read_message(document.root, document.type), Agreement(), NOW
        )

    return judge


def _load(message_type: MessageType) -> bytes | None:
    paths = (folder / f"{message_type}.xsd" for folder in FOLDERS)
    return next((path.read_bytes() for path in paths if path.exists()), None)


def test_there_are_messages_of_every_verdict() -> None:
    assert len(of_kind("valid", True)) >= 40
    assert len(of_kind("invalid", True)) >= 25
    assert {*WRONG, *BY_A_SCHEME_ONLY} <= {path.stem for path in of_kind("business", True)}


@pytest.mark.parametrize("path", of_kind("valid", True), ids=name)
def test_a_valid_message_is_accepted(path: Path, verdict: Verdict) -> None:
    codes = {found.reason.code for found in verdict(path)}
    assert codes == set() or (codes == WITHOUT_A_SCHEMA and not _is_expected(path))


@pytest.mark.parametrize("path", of_kind("invalid", True), ids=name)
def test_an_invalid_message_is_refused_for_its_form(path: Path, verdict: Verdict) -> None:
    codes = {found.reason.code for found in verdict(path)}
    assert codes
    assert codes <= {"FF01", "FF02", "CH21"} or (codes == WITHOUT_A_SCHEMA and not _is_expected(path))


@pytest.mark.parametrize("path", of_kind("business", True), ids=name)
def test_a_message_that_makes_no_sense_is_refused_for_it(path: Path, verdict: Verdict) -> None:
    codes = {found.reason.code for found in verdict(path)}
    if codes == WITHOUT_A_SCHEMA:
        assert not _is_expected(path)
    elif path.stem in BY_A_SCHEME_ONLY:
        assert codes == set(), BY_A_SCHEME_ONLY[path.stem]
    else:
        expected = {"AM03"} if COMMODITY in path.stem else WRONG[path.stem]
        assert expected <= codes


@pytest.mark.parametrize(
    "path", [path for folder in ("valid", "invalid", "business") for path in of_kind(folder, False)], ids=name
)
def test_a_message_of_another_type_is_not_taken(path: Path) -> None:
    document = read(path.read_bytes(), LIMIT)
    assert not isinstance(document, Document) or not is_readable(document.type)
