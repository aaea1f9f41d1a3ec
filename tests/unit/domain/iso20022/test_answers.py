"""Every outgoing message is valid by its genuine schema, and says what the answer says."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022 import answers
from postbus.domain.iso20022.answers import Kind, camt_029, camt_054, message_id, pain_002
from postbus.domain.iso20022.messages import (
    AccountIdentification,
    Agent,
    Answer,
    MessageType,
    Original,
    Reason,
    Standing,
    Status,
)
from postbus.domain.money import Money
from tests.unit.domain.iso20022 import drawn_answers as drawn
from tests.unit.domain.iso20022.schemas import assert_valid

UETR = "8a562c67-ca16-48ba-b074-65581be6f001"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BANK, CLIENT = Agent(bic="DEUTDEFF"), Agent(bic="BNPAFRPP")
PACS_008, PAIN_001 = MessageType.of("pacs.008.001.08"), MessageType.of("pain.001.001.09")
CAMT_056 = MessageType.of("camt.056.001.08")
PAIN_001_VERSIONS = ["pain.001.001.03", "pain.001.001.09", "pain.001.001.12", "pain.001.001.13"]

many = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def answer(*standings: Standing, status: Status = Status.ACSC, **more: Any) -> Answer:
    return Answer(
        message_id=message_id("1b0cf1a8-7d5c-4c9a-9d0e-2f6b8a3c4d5e", Kind.STATUS),
        created_at=NOON,
        original=more.pop(
            "original",
            Original(
                message_id="MSG-1",
                message_type=PACS_008,
                created_at="2026-11-21T11:59:59.123+01:00",
                number_of_transactions="2",
                control_sum="12.30",
            ),
        ),
        status=status,
        standings=standings,
        sender=BANK,
        receiver=CLIENT,
        **more,
    )


def transfer(status: Status = Status.ACSC, *codes: str, number: int = 1, **more: Any) -> Standing:
    return Standing(
        number=number,
        status=status,
        amount=more.pop("amount", Money(1230, "EUR")),
        end_to_end_id=f"E2E-{number}",
        instruction_id=f"INSTR-{number}",
        transaction_id=f"TX-{number}",
        uetr=UETR,
        instructing_agent=CLIENT,
        instructed_agent=BANK,
        requested_date="2026-11-21",
        reasons=tuple(Reason(code) for code in codes),
        settled_at=NOON if status is Status.ACSC else None,
        **more,
    )


# --- a small reader ---------------------------------------------------------------------------------------


def all_of(element: etree._Element, path: str) -> list[etree._Element]:
    return element.findall("/".join(f"{{*}}{name}" for name in path.split("/")))


def read(element: etree._Element, path: str) -> str | None:
    [text] = [found.text or "" for found in all_of(element, path)] or [None]
    return text


def read_amount(element: etree._Element, path: str) -> Money | None:
    found = all_of(element, path)
    return Money.parse(found[0].text or "", found[0].attrib["Ccy"]) if found else None


def quoted(text: str | None) -> str | None:
    """What an answer can quote of a reference: 35 characters, each of them one that XML can carry."""
    if not text:
        return None
    carried = "".join(
        one if re.match("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", one) else "?" for one in text
    )
    return carried[:35]


def quoted_uetr(text: str | None) -> str | None:
    form = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    return text if text and re.fullmatch(form, text, re.ASCII) else None


# --- what holds for every answer --------------------------------------------------------------------------


@many
@given(drawn.answers("pacs.008.001.08"))
def test_every_answer_is_a_valid_pacs_002_that_says_the_same(answer: Answer) -> None:
    written = answers.write(answer, PACS_008)
    assert str(written.type) == "pacs.002.001.10"
    report = assert_valid(written.body, "pacs.002.001.10")[0]
    assert read(report, "GrpHdr/MsgId") == answer.message_id
    assert read(report, "OrgnlGrpInfAndSts/OrgnlMsgId") == (
        quoted(answer.original.message_id) or "NOTPROVIDED"
    )
    assert read(report, "OrgnlGrpInfAndSts/OrgnlMsgNmId") == "pacs.008.001.08"
    assert read(report, "OrgnlGrpInfAndSts/GrpSts") == answer.status
    told = all_of(report, "TxInfAndSts")
    assert len(told) == len(answer.standings)
    for element, standing in zip(told, answer.standings, strict=True):
        assert read(element, "TxSts") == standing.status
        assert read(element, "OrgnlInstrId") == quoted(standing.instruction_id)
        assert read(element, "OrgnlEndToEndId") == quoted(standing.end_to_end_id)
        assert read(element, "OrgnlTxId") == quoted(standing.transaction_id)
        assert read(element, "OrgnlUETR") == quoted_uetr(standing.uetr)
        assert read_amount(element, "OrgnlTxRef/IntrBkSttlmAmt") == standing.amount


@pytest.mark.parametrize("request_type", PAIN_001_VERSIONS)
def test_every_answer_is_a_valid_pain_002_that_says_the_same(request_type: str) -> None:
    request = MessageType.of(request_type)
    old = request.version < 4

    @many
    @given(drawn.answers(request_type))
    def holds(answer: Answer) -> None:
        written = answers.write(answer, request)
        report = assert_valid(written.body, str(written.type))[0]
        assert read(report, "OrgnlGrpInfAndSts/OrgnlMsgNmId") == request_type
        told = all_of(report, "OrgnlPmtInfAndSts/TxInfAndSts")
        by_group = sorted(answer.standings, key=lambda one: groups(answer).index(group_of(one)))
        assert len(told) == len(by_group)
        for element, standing in zip(told, by_group, strict=True):
            cancelled_in_old = old and standing.status is Status.CANC
            assert read(element, "TxSts") == (Status.RJCT if cancelled_in_old else standing.status)
            assert read(element, "OrgnlInstrId") == quoted(standing.instruction_id)
            assert read(element, "OrgnlEndToEndId") == quoted(standing.end_to_end_id)
            assert read(element, "OrgnlUETR") == (None if old else quoted_uetr(standing.uetr))
            assert read_amount(element, "OrgnlTxRef/Amt/InstdAmt") == standing.amount

    holds()


def group_of(standing: Standing) -> str:
    return standing.payment_information_id or "NOTPROVIDED"


def groups(answer: Answer) -> list[str]:
    return list(dict.fromkeys(map(group_of, answer.standings)))


@pytest.mark.parametrize("original", ["pacs.008.001.08", "pain.001.001.09"])
def test_every_answer_is_a_valid_camt_029_that_says_the_same(original: str) -> None:
    amount = "OrgnlTxRef/Amt/InstdAmt" if original.startswith("pain") else "OrgnlIntrBkSttlmAmt"

    @many
    @given(drawn.answers(original), st.none() | drawn.texts)
    def holds(answer: Answer, case_id: str | None) -> None:
        written = answers.write(answer, CAMT_056, case_id)
        resolution = assert_valid(written.body, "camt.029.001.14")[0]
        assert read(resolution, "Assgnmt/Id") == answer.message_id
        assert read(resolution, "RslvdCase/Id") == quoted(case_id)
        told = all_of(resolution, "CxlDtls/TxInfAndSts")
        assert len(told) == len(answer.standings)
        for element, standing in zip(told, answer.standings, strict=True):
            assert read(element, "OrgnlEndToEndId") == quoted(standing.end_to_end_id)
            assert read(element, "OrgnlTxId") == quoted(standing.transaction_id)
            assert read(element, "OrgnlUETR") == quoted_uetr(standing.uetr)
            assert read_amount(element, amount) == standing.amount

    holds()


@many
@given(
    st.builds(
        camt_054.Notification,
        message_id=st.builds(message_id, drawn.transaction_ids, st.just(Kind.CREDIT_NOTIFICATION)),
        created_at=drawn.moments,
        original_message_id=st.none() | drawn.texts,
        credits=st.lists(
            st.builds(
                camt_054.Credit,
                account=drawn.accounts,
                amount=drawn.money,
                booked_at=drawn.moments,
                end_to_end_id=st.none() | drawn.texts,
                uetr=st.none() | drawn.uetrs | drawn.texts,
                value_date=st.none() | drawn.dates,
            ),
            min_size=1,
            max_size=4,
        ).map(tuple),
    )
)
def test_every_credit_notification_is_a_valid_camt_054_that_says_the_same(
    notification: camt_054.Notification,
) -> None:
    message = assert_valid(camt_054.write(notification).body, "camt.054.001.08")[0]
    told = all_of(message, "Ntfctn")
    assert len(told) == len({credit.account for credit in notification.credits})
    ids = [read(element, "Id") for element in told]
    assert len(set(ids)) == len(ids)
    amounts = [read_amount(entry, "Amt") for entry in all_of(message, "Ntfctn/Ntry")]
    assert sorted(map(str, amounts)) == sorted(str(credit.amount) for credit in notification.credits)
    assert {read(entry, "CdtDbtInd") for entry in all_of(message, "Ntfctn/Ntry")} == {"CRDT"}


@many
@given(drawn.answers("pacs.008.001.08"))
def test_writing_again_writes_the_same_bytes(answer: Answer) -> None:
    assert answers.write(answer, PACS_008) == answers.write(answer, PACS_008)


@many
@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=300), min_size=1, max_size=3))
def test_additional_information_is_split_and_nothing_of_it_is_lost(texts: list[str]) -> None:
    refused = replace(transfer(Status.RJCT), reasons=(Reason("MS03", tuple(texts)),))
    report = etree.fromstring(answers.write(answer(refused, status=Status.RJCT), PACS_008).body)[0]
    told = [line.text or "" for line in all_of(report, "TxInfAndSts/StsRsnInf/AddtlInf")]
    assert all(1 <= len(line) <= 105 for line in told)
    kept = re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", "".join(texts))
    assert "".join(told).replace(" ", "") == kept.replace(" ", "")


# --- pacs.002 ---------------------------------------------------------------------------------------------


def test_a_pacs_002_quotes_what_it_answers() -> None:
    settled, refused = transfer(), transfer(Status.RJCT, "AM04", number=2)
    written = answers.write(answer(settled, refused, status=Status.PART), PACS_008)
    report = assert_valid(written.body, "pacs.002.001.10")[0]
    [group] = all_of(report, "OrgnlGrpInfAndSts")
    assert [(child.tag.split("}")[1], child.text) for child in group[:6]] == [
        ("OrgnlMsgId", "MSG-1"),
        ("OrgnlMsgNmId", "pacs.008.001.08"),
        ("OrgnlCreDtTm", "2026-11-21T11:59:59.123+01:00"),
        ("OrgnlNbOfTxs", "2"),
        ("OrgnlCtrlSum", "12.30"),
        ("GrpSts", "PART"),
    ]
    assert not all_of(group, "StsRsnInf")
    counted = {read(one, "DtldSts"): read(one, "DtldNbOfTxs") for one in all_of(group, "NbOfTxsPerSts")}
    assert counted == {"ACSC": "1", "RJCT": "1"}
    first, second = all_of(report, "TxInfAndSts")
    assert read(first, "FctvIntrBkSttlmDt/Dt") == "2026-11-21"
    assert read(first, "OrgnlTxRef/IntrBkSttlmAmt") == "12.30"
    assert read(first, "OrgnlTxRef/IntrBkSttlmDt") == "2026-11-21"
    assert not all_of(first, "StsRsnInf")
    assert not all_of(second, "FctvIntrBkSttlmDt")
    assert read(second, "StsRsnInf/Rsn/Cd") == "AM04"


def test_the_sender_of_a_report_is_its_instructing_agent() -> None:
    report = etree.fromstring(answers.write(answer(transfer()), PACS_008).body)[0]
    for place in ("GrpHdr", "TxInfAndSts"):
        assert read(report, f"{place}/InstgAgt/FinInstnId/BICFI") == "DEUTDEFF"
        assert read(report, f"{place}/InstdAgt/FinInstnId/BICFI") == "BNPAFRPP"


def test_times_are_written_in_utc() -> None:
    at = datetime(2026, 11, 22, 0, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    told = replace(answer(replace(transfer(), settled_at=at)), created_at=at)
    report = etree.fromstring(answers.write(told, PACS_008).body)[0]
    assert read(report, "GrpHdr/CreDtTm") == "2026-11-21T23:30:00.123Z"
    assert read(report, "TxInfAndSts/FctvIntrBkSttlmDt/Dt") == "2026-11-21"


def test_a_time_without_a_zone_is_a_fault_of_ours() -> None:
    with pytest.raises(InvariantBroken):
        answers.write(replace(answer(), created_at=datetime(2026, 11, 21)), PACS_008)


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(5, "EUR", "0.05"), (1230, "JPY", "1230"), (1, "KWD", "0.001")]
)
def test_an_amount_has_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    told = answer(transfer(amount=Money(minor, currency)))
    report = etree.fromstring(answers.write(told, PACS_008).body)[0]
    assert read(report, "TxInfAndSts/OrgnlTxRef/IntrBkSttlmAmt") == text


def test_a_rejection_is_never_without_a_reason() -> None:
    report = etree.fromstring(answers.write(answer(status=Status.RJCT), PACS_008).body)[0]
    assert read(report, "OrgnlGrpInfAndSts/StsRsnInf/Rsn/Cd") == "MS03"
    told = answer(transfer(Status.RJCT), status=Status.RJCT)
    report = etree.fromstring(answers.write(told, PACS_008).body)[0]
    assert read(report, "TxInfAndSts/StsRsnInf/Rsn/Cd") == "MS03"


@pytest.mark.parametrize("request_type", [PACS_008, PAIN_001])
def test_a_regulatory_reason_tips_nobody_off(request_type: MessageType) -> None:
    hit = (Reason("RR04", ("matches a list",)),)
    for status, named in ((Status.RJCT, True), (Status.PDNG, False)):
        told = answer(replace(transfer(status), reasons=hit), status=status, reasons=hit)
        body = answers.write(told, request_type).body
        assert b"list" not in body
        assert (b"RR04" in body) is named


def test_a_return_and_a_status_request_are_answered_by_a_pacs_002() -> None:
    for request in ("pacs.004.001.09", "pacs.028.001.03"):
        assert answers.write(answer(), MessageType.of(request)).type.definition == "pacs.002"


def test_a_status_request_about_a_customers_message_is_answered_in_its_kind() -> None:
    about = answer(original=Original(message_id="MSG-1", message_type=PAIN_001))
    assert answers.write(about, MessageType.of("pacs.028.001.03")).type.definition == "pain.002"


# --- pain.002 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_version", "version"),
    [(3, 3), (8, 12), (9, 12), (10, 12), (11, 12), (12, 14), (13, 15), (14, 15)],
)
def test_a_pain_001_is_answered_in_the_version_of_its_time(request_version: int, version: int) -> None:
    assert pain_002.type_for(MessageType("pain.001", "001", request_version)).version == version


def test_the_transfers_stand_under_their_payment_information() -> None:
    told = answer(
        transfer(Status.ACSC, number=1, payment_information_id="PMT-1"),
        transfer(Status.RJCT, "AC04", number=2, payment_information_id="PMT-2"),
        transfer(Status.RJCT, "AM04", number=3, payment_information_id="PMT-1"),
        status=Status.PART,
    )
    report = assert_valid(answers.write(told, PAIN_001).body, "pain.002.001.12")[0]
    found = [
        (read(group, "OrgnlPmtInfId"), read(group, "PmtInfSts"), len(all_of(group, "TxInfAndSts")))
        for group in all_of(report, "OrgnlPmtInfAndSts")
    ]
    assert found == [("PMT-1", "PART", 2), ("PMT-2", "RJCT", 1)]


def test_version_03_calls_a_cancelled_transfer_rejected_and_says_why() -> None:
    told = answer(transfer(Status.CANC), status=Status.CANC)
    written = answers.write(told, MessageType.of("pain.001.001.03"))
    report = assert_valid(written.body, "pain.002.001.03")[0]
    assert read(report, "OrgnlGrpInfAndSts/GrpSts") == "RJCT"
    assert read(report, "OrgnlGrpInfAndSts/StsRsnInf/Rsn/Cd") == "DS02"
    assert read(report, "OrgnlPmtInfAndSts/TxInfAndSts/TxSts") == "RJCT"
    assert read(report, "OrgnlPmtInfAndSts/TxInfAndSts/StsRsnInf/Rsn/Cd") == "DS02"
    assert read(report, "GrpHdr/DbtrAgt/FinInstnId/BIC") == "DEUTDEFF"


# --- camt.029 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "confirmation", "group", "each"),
    [
        ([Status.CANC, Status.CANC], "CNCL", "ACCR", ["ACCR", "ACCR"]),
        ([Status.ACSC, Status.RJCT], "RJCR", "RJCR", ["RJCR", "RJCR"]),
        ([Status.CANC, Status.ACSC], "PECR", "PACR", ["ACCR", "RJCR"]),
        ([Status.CANC, Status.ACSP], "PDCR", "PDCR", ["ACCR", "PDCR"]),
        ([Status.ACSC, Status.PDNG], "PDCR", "PDCR", ["RJCR", "PDCR"]),
    ],
)
def test_a_camt_029_says_what_came_of_a_cancellation(
    statuses: list[Status], confirmation: str, group: str, each: list[str]
) -> None:
    standings = [transfer(status, number=number) for number, status in enumerate(statuses, 1)]
    written = answers.write(answer(*standings), CAMT_056, "CASE-1")
    resolution = assert_valid(written.body, "camt.029.001.14")[0]
    assert read(resolution, "Sts/Conf") == confirmation
    assert read(resolution, "CxlDtls/OrgnlGrpInfAndSts/GrpCxlSts") == group
    assert [read(one, "TxCxlSts") for one in all_of(resolution, "CxlDtls/TxInfAndSts")] == each
    assert read(resolution, "RslvdCase/Id") == "CASE-1"
    assert read(resolution, "Assgnmt/Assgnr/Agt/FinInstnId/BICFI") == "DEUTDEFF"
    assert read(resolution, "Assgnmt/Assgne/Agt/FinInstnId/BICFI") == "BNPAFRPP"


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.CANC}))
def test_a_cancellation_that_is_not_accepted_has_a_reason(status: Status) -> None:
    resolution = etree.fromstring(answers.write(answer(status=status), CAMT_056).body)[0]
    assert all_of(resolution, "CxlDtls/OrgnlGrpInfAndSts/CxlStsRsnInf/Rsn/Cd")


def test_a_cancellation_never_tells_why_a_payment_was_rejected() -> None:
    hit = replace(transfer(Status.RJCT), reasons=(Reason("RR04", ("matches a list",)),))
    body = answers.write(answer(hit, status=Status.RJCT), CAMT_056).body
    assert b"RR04" not in body
    assert b"list" not in body


def test_a_cancellation_of_what_never_came_says_so() -> None:
    unknown = replace(transfer(Status.RJCT), reasons=(camt_029.UNKNOWN,))
    resolution = etree.fromstring(answers.write(answer(unknown, status=Status.RJCT), CAMT_056).body)[0]
    assert read(resolution, "CxlDtls/TxInfAndSts/CxlStsRsnInf/Rsn/Cd") == "NOOR"


# --- camt.054 ---------------------------------------------------------------------------------------------


def test_a_credit_notification_names_account_amount_and_references() -> None:
    credit = camt_054.Credit(
        account=AccountIdentification(iban="DE89370400440532013000"),
        amount=Money(1230, "EUR"),
        booked_at=NOON,
        end_to_end_id="E2E-1",
        uetr=UETR,
    )
    notification = camt_054.Notification(
        message_id="A" * 35, created_at=NOON, credits=(credit,), original_message_id="MSG-1"
    )
    message = assert_valid(camt_054.write(notification).body, "camt.054.001.08")[0]
    [told] = all_of(message, "Ntfctn")
    assert read(told, "Id") == "A" * 30 + "00001"
    assert read(told, "Acct/Id/IBAN") == "DE89370400440532013000"
    assert read(told, "Ntry/Amt") == "12.30"
    assert read(told, "Ntry/ValDt/Dt") == "2026-11-21"
    assert read(told, "Ntry/NtryDtls/TxDtls/Refs/MsgId") == "MSG-1"
    assert read(told, "Ntry/NtryDtls/TxDtls/Refs/EndToEndId") == "E2E-1"
    assert read(told, "Ntry/NtryDtls/TxDtls/Refs/UETR") == UETR


def test_a_notification_of_nothing_is_a_fault_of_ours() -> None:
    with pytest.raises(InvariantBroken):
        camt_054.Notification(message_id="N", created_at=NOON, credits=())


# --- their ids --------------------------------------------------------------------------------------------


@given(drawn.transaction_ids, drawn.transaction_ids)
def test_message_ids_are_letters_that_fit_and_differ_with_transaction_and_kind(
    first: str, second: str
) -> None:
    ids = {message_id(transaction, kind) for transaction in {first, second} for kind in Kind}
    assert len(ids) == len({first, second}) * len(Kind)
    assert all(len(one) == 35 and one.isascii() and one.isalpha() for one in ids)
