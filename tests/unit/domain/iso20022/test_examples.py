"""The example messages are what they say they are, and can be made anew."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postbus.domain.errors import Malformed
from postbus.domain.iso20022 import reading, xml
from postbus.domain.iso20022.business_checks import Agreement, check
from postbus.domain.iso20022.cancellation_requests import concerned
from postbus.domain.iso20022.message_source import Reading
from postbus.domain.iso20022.renewal import renewed
from postbus.domain.iso20022.workflow import Child, ChildState
from postbus.domain.sample import NAMED_ACCOUNTS
from tests.fakes.iso20022 import InMemoryMessages
from tests.fakes.messages import begun
from tests.unit.domain.iso20022.schemas import assert_valid

FOLDER = Path(__file__).parents[4] / "events" / "iso20022" / "examples"
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.xml"))
NOW = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 4


def read(body: bytes) -> Reading:
    document = xml.read(body, 1_000_000)
    assert isinstance(document, xml.Document)
    assert_valid(body, str(document.type))
    return reading.read(document.root, document.type)


def faults(body: bytes) -> set[tuple[int | None, str]]:
    return {(found.transfer, found.reason.code) for found in check(read(body), Agreement(), NOW)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_valid_and_only_the_bad_one_has_a_fault(name: str) -> None:
    body = (FOLDER / name).read_bytes()
    assert faults(body) == ({(3, "AC03")} if "bad" in name else set())


def test_the_examples_pay_accounts_of_the_sample() -> None:
    ibans = {one["iban"] for one in NAMED_ACCOUNTS}
    agents = {one["agent_bic"] for one in NAMED_ACCOUNTS if "agent_bic" in one}
    for name in EXAMPLES:
        message = read((FOLDER / name).read_bytes()).message
        for transfer in message.transfers:
            for account, agent in (
                (transfer.debtor_account, transfer.debtor_agent),
                (transfer.creditor_account, transfer.creditor_agent),
            ):
                assert account is not None
                assert account.iban in ibans or agent.bic in agents or (name, transfer.number) == (
                    "pacs.008-bulk-with-bad-ones.xml", 3,
                )  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_made_anew_is_as_valid_and_shares_no_reference(name: str) -> None:
    body = (FOLDER / name).read_bytes()
    first, second = renewed(body, "aaaa1111", NOW), renewed(body, "bbbb2222", NOW)
    assert faults(first) == faults(second) == faults(body)
    assert references(first).isdisjoint(references(second) | references(body))
    assert references(first) == references(renewed(body, "aaaa1111", NOW))
    assert read(first).message.created_at == "2026-12-31T23:30:00Z"


def test_a_cancellation_made_anew_is_about_the_message_made_anew() -> None:
    sent = read(renewed((FOLDER / "pacs.008-single.xml").read_bytes(), "aaaa1111", NOW)).message
    request = read(renewed((FOLDER / "camt.056.xml").read_bytes(), "aaaa1111", NOW)).message
    (transfer,) = sent.transfers
    child = Child(number=1, state=ChildState.OPEN, uetr=transfer.uetr, end_to_end_id=transfer.end_to_end_id)
    head = replace(begun(InMemoryMessages()), message_id=sent.message_id, message_type=sent.type)
    assert concerned(request, head, [child]) == ()


def test_what_is_no_xml_cannot_be_made_anew() -> None:
    with pytest.raises(Malformed):
        renewed(b"<Document", "a", NOW)


def references(body: bytes) -> set[str]:
    message = read(body).message
    found = {message.message_id}
    for one in message.transfers:
        found |= {one.end_to_end_id, one.transaction_id or "", one.instruction_id or "", one.uetr or ""}
    for about in message.references:
        found |= {about.original_message_id or "", about.original_uetr or "", about.request_id or ""}
    return found - {""}
