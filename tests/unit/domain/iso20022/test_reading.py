"""Messages of every kind and age become the same values."""

import time

import pytest
from lxml import etree

from postbus.domain.errors import Malformed
from postbus.domain.iso20022 import xml
from postbus.domain.iso20022.messages import Agent, MessageType
from postbus.domain.iso20022.read_references import MOST_REFERENCES
from postbus.domain.iso20022.reading import is_readable, read, readable
from postbus.domain.money import Money
from tests.unit.domain.iso20022.own_messages import FOLDER, NAMES, own_message


def test_every_definition_that_is_read_has_an_example() -> None:
    assert {name[:8] for name in NAMES} == {type.definition for type in readable()}


def test_what_is_listed_as_taken_is_taken_and_the_versions_beside_it_are_not() -> None:
    listed = set(readable())
    for type in listed:
        assert is_readable(type)
        for version in (type.version - 1, type.version + 1):
            beside = MessageType(type.definition, type.variant, version)
            assert is_readable(beside) is (beside in listed)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_read_without_a_fault(name: str) -> None:
    reading = own_message(name)
    assert reading.faults == ()
    assert str(reading.message.type) == name
    assert reading.message.message_id
    assert reading.message.transfers or reading.message.returns or reading.message.references


def test_a_transfer_is_read_whole() -> None:
    one = own_message("pacs.008.001.08").message.transfers[0]
    assert (one.number, one.place.path) == (1, "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[1]")
    assert (one.amount, one.instructed) == (Money(125050, "EUR"), Money(136255, "USD"))
    assert (one.instruction_id, one.end_to_end_id, one.transaction_id) == (
        "INSTR-0001",
        "INVOICE-4711",
        "TX-0001",
    )
    assert one.uetr == "5f1d0a3c-7a45-4b1e-9d55-0d6c0f6f2a01"
    assert (one.debtor.name, one.debtor.town, one.debtor.country) == ("Harbour Chandlers", "Bremen", "DE")
    assert one.debtor.address_lines == ("Am Kai 4",)
    assert (one.debtor.bic, one.debtor.lei) == ("HARBDEFF", "529900T8BM49AURSDO55")
    assert one.debtor_account is not None
    assert (one.debtor_account.iban, one.debtor_account.currency) == ("DE89370400440532013000", "EUR")
    assert one.ultimate_debtor is not None
    assert one.creditor_agent == Agent(
        clearing_system="NLCLR",
        clearing_member="4417",
        lei="529900T8BM49AURSDO55",
        name="Mill Bank",
        country="NL",
    )
    assert (one.exchange_rate, one.charge_bearer, one.purpose) == ("1.0896", "SLEV", "GDDS")


def test_whoever_has_a_hand_in_a_transfer_is_read() -> None:
    between = "".join(
        f"<{name}><FinInstnId><BICFI>HARBDEF{number}</BICFI></FinInstnId></{name}>"
        for number, name in enumerate(("PrvsInstgAgt1", "IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3"))
    )
    invoicer = "<RmtInf><Strd><Invcr><Nm>Quay Ropes</Nm></Invcr></Strd></RmtInf>"
    changes = {"<Dbtr>": f"{between}{invoicer}<InitgPty><Nm>Quay Agents</Nm></InitgPty><Dbtr>"}
    one = own_message("pacs.008.001.08", changes).message.transfers[0]
    assert {f"HARBDEF{number}" for number in range(4)} <= {found.bic for found in one.further_agents}
    assert {"Quay Ropes", "Quay Agents"} <= {found.name for found in one.further_parties}


def test_who_initiates_is_a_party_of_each_transfer() -> None:
    message = own_message("pain.001.001.09").message
    assert message.initiating_party is not None
    assert all(message.initiating_party in one.further_parties for one in message.transfers)


def test_what_a_transfer_does_not_say_it_inherits_from_the_group() -> None:
    message = own_message("pacs.008.001.08").message
    first, second = message.transfers
    assert message.sender == first.instructing_agent == Agent(bic="HARBDEFF")
    assert message.receiver == first.instructed_agent == second.instructed_agent == Agent(bic="MILLNL2AXXX")
    assert second.instructing_agent == Agent(bic="QUAYFRPP")
    assert (first.requested_date, second.requested_date) == ("2026-11-02", "2026-11-03")
    assert (first.service_level, second.service_level) == ("SEPA", "URGP")
    assert first.category_purpose == second.category_purpose == "SUPP"


def test_what_a_transfer_does_not_say_it_inherits_from_its_payment_information() -> None:
    first, second, third = own_message("pain.001.001.09").message.transfers
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert [one.payment_information_id for one in (first, second, third)] == ["WAGES", "WAGES", "CRATES"]
    assert (first.charge_bearer, second.charge_bearer, third.charge_bearer) == ("SHAR", "DEBT", None)
    assert (first.requested_date, third.requested_date) == ("2026-11-05", "2026-11-06T12:00:00Z")
    assert first.debtor == third.debtor
    assert third.place.path == "/Document/CstmrCdtTrfInitn/PmtInf[2]/CdtTrfTxInf[1]"
    assert third.amount == Money(60000, "JPY")
    assert third.creditor_account is not None
    assert third.creditor_account.other == "5501-33"


def test_the_names_of_older_versions_mean_the_same() -> None:
    message = own_message("pain.001.001.03").message
    transfer = message.transfers[0]
    assert message.sender == Agent(bic="ORCHGB2L")
    assert (transfer.debtor_agent.bic, transfer.creditor_agent.bic) == ("WESTGB22", "HARBDEFF")
    assert transfer.requested_date == "2026-11-05"
    assert transfer.uetr is None


def test_a_return_is_read_with_what_it_returns() -> None:
    one = own_message("pacs.004.001.10").message.returns[0]
    assert (one.amount, one.original_amount) == (Money(100050, "EUR"), Money(125050, "EUR"))
    assert one.original_message_id == "HARBOUR-20261102-01"
    assert one.original_uetr == "5f1d0a3c-7a45-4b1e-9d55-0d6c0f6f2a01"
    assert (one.return_id, one.reason, one.requested_date) == ("RTR-0001", "AC04", "2026-11-04")


def test_a_cancellation_request_names_transfers_and_whole_messages() -> None:
    message = own_message("camt.056.001.08").message
    transfer, group = message.references
    assert (message.sender, message.receiver) == (Agent(bic="HARBDEFF"), Agent(bic="MILLNL2AXXX"))
    assert message.case_id == "CASE-5"
    assert (transfer.number, transfer.request_id, transfer.reason) == (1, "CXL-1", "DUPL")
    assert transfer.original_message_id == "HARBOUR-20261102-01"
    assert transfer.original_end_to_end_id == "INVOICE-4711"
    assert (group.number, group.request_id, group.reason) == (2, "CXL-2", "TECH")
    assert (group.original_message_id, group.original_uetr) == ("HARBOUR-20261102-02", None)


@pytest.mark.parametrize("more", [0, 1])
def test_a_request_names_no_more_than_it_may(more: int) -> None:
    text = (FOLDER / "camt.056.001.08.xml").read_text()
    begin, end = text.index("<TxInf>"), text.index("</TxInf>") + len("</TxInf>")
    # One group is named whole beside them.
    many = text[:begin] + text[begin:end] * (MOST_REFERENCES - 1 + more) + text[end:]
    document = xml.read(many.encode(), 10_000_000)
    assert isinstance(document, xml.Document)
    found = read(document.root, document.type)
    assert [one.reason.code for one in found.faults] == ["AM18"] * more
    assert len(found.message.references) == MOST_REFERENCES


def test_reading_a_request_takes_time_in_proportion_to_its_length() -> None:
    text = (FOLDER / "camt.056.001.08.xml").read_text()
    begin, end = text.index("<Undrlyg>"), text.index("</Undrlyg>")
    each = "<TxInf><OrgnlEndToEndId>E</OrgnlEndToEndId></TxInf>" * 20_000
    document = xml.read((text[:begin] + "<Undrlyg>" + each + text[end:]).encode(), 10_000_000)
    assert isinstance(document, xml.Document)
    began = time.process_time()
    read(document.root, document.type)
    assert time.process_time() - began < 2


def test_a_status_request_names_its_group_and_transfer() -> None:
    one = own_message("pacs.028.001.03").message.references[0]
    assert (one.request_id, one.original_message_id, one.original_end_to_end_id) == (
        "STS-1",
        "HARBOUR-20261102-01",
        "INVOICE-4711",
    )


def test_a_comment_or_an_instruction_inside_a_value_cuts_nothing_off() -> None:
    split = own_message(
        "pacs.008.001.08",
        {
            "INVOICE-4711": "INVO<!-- -->ICE-<?x y?>4711",
            "1250.50": "12<!-- 9 -->50.50",
            "<PmtId>": "<!-- before --><PmtId><?x?>",
        },
    )
    plain = own_message("pacs.008.001.08").message
    assert split.message.transfers[0].end_to_end_id == plain.transfers[0].end_to_end_id
    assert split.message.transfers[0].amount == plain.transfers[0].amount


def test_a_prefix_on_every_name_changes_nothing() -> None:
    text = (FOLDER / "pacs.008.001.08.xml").read_text()
    text = (
        text.replace("xmlns=", "xmlns:p=").replace("</", "<\0").replace("<", "<p:").replace("<p:\0", "</p:")
    )
    root = etree.fromstring(text.replace("<p:?", "<?").encode())
    assert read(root, MessageType.of("pacs.008.001.08")).message == own_message("pacs.008.001.08").message


@pytest.mark.parametrize(
    ("text", "expected"),
    [("+0001.5", 150), (".5", 50), ("5.", 500), ("1.50000", 150), (" 2.00 ", 200)],
)
def test_an_amount_is_read_as_xml_schema_writes_decimals(text: str, expected: int) -> None:
    message = own_message("pacs.008.001.08", {"1250.50": text}).message
    assert message.transfers[0].amount == Money(expected, "EUR")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"1250.50": "1250.505"}, "CH20"),
        ({'Ccy="EUR">1250.50': 'Ccy="JPY">1250.50'}, "CH20"),
        ({'Ccy="EUR">1250.50': 'Ccy="EUX">1250.50'}, "AM11"),
        ({'Ccy="EUR">1250.50': 'Ccy="XAU">1250.50'}, "AM03"),
        ({"1250.50": "0.00"}, "AM01"),
    ],
)
def test_a_transfer_without_a_usable_amount_is_quoted_and_its_neighbour_is_read(
    changes: dict[str, str], code: str
) -> None:
    reading = own_message("pacs.008.001.08", changes)
    (found,) = reading.faults
    assert (found.reason.code, found.transfer) == (code, 1)
    assert found.place.path == "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[1]/IntrBkSttlmAmt"
    assert found.reason.additional[-1] == f"line {found.place.line}: {found.place.path}"
    assert [one.number for one in reading.message.transfers] == [2]
    (quoted,) = reading.message.unreadable
    assert (quoted.number, quoted.end_to_end_id, quoted.instruction_id) == (1, "INVOICE-4711", "INSTR-0001")
    assert quoted.instructing_agent == Agent(bic="HARBDEFF")


def test_an_amount_that_would_have_to_be_converted_is_refused() -> None:
    reading = own_message("pain.001.001.09", {"<CcyOfTrf>JPY": "<CcyOfTrf>USD"})
    assert [(one.reason.code, one.transfer) for one in reading.faults] == [("AM03", 3)]


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("pacs.008.001.08", True),
        ("pacs.008.001.13", True),
        ("pain.001.001.03", True),
        ("pacs.008.001.14", False),
        ("pacs.008.002.08", False),
        ("pacs.009.001.08", False),
        ("camt.056.001.07", False),
    ],
)
def test_what_is_read_is_told_by_definition_variant_and_version(identifier: str, expected: bool) -> None:
    assert is_readable(MessageType.of(identifier)) is expected


def test_a_message_of_another_type_is_malformed() -> None:
    root = etree.fromstring(
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08"><a/></Document>'
    )
    with pytest.raises(Malformed):
        read(root, MessageType.of("pacs.009.001.08"))


def test_of_several_reasons_the_first_counts() -> None:
    one = "<RtrRsnInf><Rsn><Cd>AC04</Cd></Rsn></RtrRsnInf>"
    second = one.replace("AC04", "AC06")
    for between in ("", "<!-- and -->"):
        reading = own_message("pacs.004.001.10", {one: f"{one}{between}{second}"})
        assert reading.message.returns[0].reason == "AC04"
