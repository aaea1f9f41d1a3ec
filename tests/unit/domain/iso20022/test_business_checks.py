"""What the schema cannot say: each finding with its code and place, and nothing of the sender's words."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from postbus.domain.iso20022.business_checks import Agreement, check
from postbus.domain.iso20022.message_source import accepted
from tests.unit.domain.iso20022.own_messages import NAMES, NOW, codes_of, faults_of, own_message

PACS = "pacs.008.001.08"
PAIN = "pain.001.001.09"
RETURN = "pacs.004.001.10"

SWITCH = date(2026, 11, 14)
# SWIFT's character set X.
SWIFT_X = r"[-A-Za-z0-9/?:().,'+ \r\n]*"


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_no_fault(name: str) -> None:
    assert faults_of(name) == ()


@pytest.mark.parametrize(
    ("name", "changes", "code", "transfer", "path"),
    [
        (PACS, {"<NbOfTxs>2": "<NbOfTxs>3"}, "AM18", None, "GrpHdr/NbOfTxs"),
        (PAIN, {"<NbOfTxs>3": "<NbOfTxs>4"}, "AM19", None, "GrpHdr/NbOfTxs"),
        (PACS, {"<CtrlSum>1330.75": "<CtrlSum>1330.74"}, "AM10", None, "GrpHdr/CtrlSum"),
        (PACS, {'"EUR">1330.75': '"EUR">1330.7'}, "AM10", None, "GrpHdr/TtlIntrBkSttlmAmt"),
        (PACS, {'"EUR">1330.75': '"USD">1330.75'}, "AM10", None, "GrpHdr/TtlIntrBkSttlmAmt"),
        (PACS, {"2026-11-02T08:15:00Z": "2027-11-02T08:15:00Z"}, "DT02", None, "GrpHdr/CreDtTm"),
        (PACS, {"-0d6c0f6f2a02": "-0d6c0f6f2a01"}, "RF01", 2, "CdtTrfTxInf[2]/PmtId/UETR"),
        (PACS, {"TX-0002": "TX-0001"}, "RF01", 2, "CdtTrfTxInf[2]/PmtId/TxId"),
        (PACS, {"INSTR-0002": "INSTR-0001"}, "RF01", 2, "CdtTrfTxInf[2]/PmtId/InstrId"),
        (PAIN, {"CRATES<": "WAGES<"}, "RF01", 3, "PmtInf[2]/PmtInfId"),
        (PACS, {"DE89370400440532013000": "DE88370400440532013000"}, "AC02", 1, "DbtrAcct/Id/IBAN"),
        (PAIN, {"NL91ABNA0417164300": "NL91ABNA0417164301"}, "AC03", 2, "CdtrAcct/Id/IBAN"),
        (PACS, {"<DbtrAgt><FinInstnId><BICFI>QUAYFRPP": "<DbtrAgt><FinInstnId><BICFI>QUAYZZPP"}, "RC03", 2,
         "CdtTrfTxInf[2]/DbtrAgt/FinInstnId/BICFI"),
        (PACS, {"<CdtrAgt><FinInstnId><BICFI>MILLNL2A": "<CdtrAgt><FinInstnId><BICFI>MILLZZ2A"}, "RC04", 2,
         "CdtTrfTxInf[2]/CdtrAgt/FinInstnId/BICFI"),
        (PACS, {"<InstgAgt><FinInstnId><BICFI>QUAYFR": "<InstgAgt><FinInstnId><BICFI>QUAYZZ"}, "RC05", 2,
         "CdtTrfTxInf[2]/InstgAgt/FinInstnId/BICFI"),
        (PACS, {"<PstlAdr><Ctry>NL": "<PstlAdr><Ctry>ZZ"}, "BE09", 1, "CdtrAgt/FinInstnId/PstlAdr/Ctry"),
        (PACS, {"<Ctry>DE": "<Ctry>UK"}, "BE10", 1, "Dbtr/PstlAdr/Ctry"),
        (PACS, {"<CtryOfRes>NL": "<CtryOfRes>QQ"}, "BE11", 1, "Cdtr/CtryOfRes"),
        (PACS, {"<AnyBIC>HARBDEFF": "<AnyBIC>HARBZZFF"}, "BE16", 1, "Dbtr/Id/OrgId/AnyBIC"),
        (PACS, {"<Nm>Quay Sails</Nm>": ""}, "BE08", 2, "CdtTrfTxInf[2]/Dbtr"),
        (PACS, {"<Nm>Mill Ropes</Nm><CtryOfRes>": "<CtryOfRes>"}, "BE22", 1, "CdtTrfTxInf[1]/Cdtr"),
        (PACS, {"<IntrBkSttlmDt>2026-11-03": "<IntrBkSttlmDt>0000-11-03"}, "DT01", 2,
         "CdtTrfTxInf[2]/IntrBkSttlmDt"),
        (PACS, {'"EUR">1250.50': '"EUR">10000000000.00', "<CtrlSum>1330.75": "<CtrlSum>10000000080.25",
                '"EUR">1330.75': '"EUR">10000000080.25'}, "AM13", 1, "CdtTrfTxInf[1]/IntrBkSttlmAmt"),
        (RETURN, {'"EUR">1000.50': '"EUR">1250.51'}, "AM09", 1, "TxInf[1]/RtrdIntrBkSttlmAmt"),
        (RETURN, {"<RtrRsnInf><Rsn><Cd>AC04</Cd></Rsn></RtrRsnInf>": ""}, "CH21", 1, "TxInf[1]/RtrRsnInf"),
        (RETURN, {'OrgnlIntrBkSttlmAmt Ccy="EUR"': 'OrgnlIntrBkSttlmAmt Ccy="XAU"'}, "AM03", 1,
         "TxInf[1]/OrgnlIntrBkSttlmAmt"),
    ],
)  # fmt: skip
def test_a_fault_has_its_code_its_transfer_and_its_place(
    name: str, changes: dict[str, str], code: str, transfer: int | None, path: str
) -> None:
    (found,) = faults_of(name, changes)
    assert (found.reason.code, found.transfer) == (code, transfer)
    assert found.place.path.endswith(path)
    assert found.place.line > 1


def test_what_is_booked_at_once_may_not_be_meant_for_later() -> None:
    tomorrow = {"2026-11-05": "2026-11-03", "2026-11-06T": "2026-11-03T"}
    the_day_after = {"2026-11-05": "2026-11-04", "2026-11-06T": "2026-11-03T"}
    assert check(own_message(PAIN, tomorrow), Agreement(), NOW) == ()
    assert [found.reason.code for found in check(own_message(PAIN, the_day_after), Agreement(), NOW)] == [
        "DT01"
    ] * 2
    assert codes_of(PAIN, the_day_after, most_days_ahead=2) == []


def test_a_message_of_more_transfers_than_one_run_brings_on_their_way_is_refused_whole() -> None:
    assert codes_of(PACS, most_transfers=1) == [("AM18", None)]
    assert codes_of(PACS, most_transfers=2) == []


def test_a_wrong_figure_of_a_payment_information_refuses_its_transfers_only() -> None:
    changes = {"<NbOfTxs>2": "<NbOfTxs>1"}
    assert codes_of(PAIN, changes) == [("AM20", 1), ("AM20", 2)]
    reading = own_message(PAIN, changes)
    assert [one.number for one in accepted(reading, faults_of(PAIN, changes))] == [3]


def test_a_fault_of_the_whole_message_lets_nothing_through() -> None:
    changes = {"<NbOfTxs>2": "<NbOfTxs>1"}
    assert accepted(own_message(PACS, changes), faults_of(PACS, changes)) == ()


def test_the_sum_counts_amounts_that_cannot_be_used_as_well() -> None:
    assert codes_of(PACS, {"80.25": "80.255", "1330.75": "1330.755"}) == [("CH20", 2)]


def test_one_end_to_end_id_may_stand_for_payments_to_several_creditors() -> None:
    same_creditor = {"DE89370400440532013000": "NL91ABNA0417164300"}
    assert codes_of(PAIN) == []
    assert codes_of(PAIN, same_creditor) == [("RF01", 2)]


def test_what_an_institution_identifies_needs_no_name() -> None:
    assert codes_of(PACS, {"<Nm>Harbour Chandlers</Nm>": ""}) == []


@pytest.mark.parametrize(
    ("agreed", "expected"),
    [
        ({"currencies": frozenset({"USD"})}, [("AM03", 1), ("AM03", 2)]),
        ({"agreed_limits": {"EUR": 125_049}}, [("AM14", 1)]),
        ({"agreed_limits": {"EUR": 125_050}}, []),
        ({"clearing_limits": {"EUR": 9_000}, "agreed_limits": {"EUR": 8_000}}, [("AM13", 1), ("AM14", 2)]),
        ({"most_days_ahead": 0}, [("DT01", 2)]),
        ({"most_days_ahead": 1}, []),
        ({"most_days_past": 3, "now": datetime(2026, 11, 6, tzinfo=UTC)}, [("DT01", 1)]),
        ({"holidays": frozenset({date(2026, 11, 3)})}, [("DT03", 2)]),
        ({"closed_weekdays": frozenset({0})}, [("DT03", 1)]),
        ({"cut_off": time(11)}, [("TM01", 1)]),
        ({"cut_off": time(13)}, []),
        ({"charge_bearers": frozenset({"SLEV"})}, [("BE19", 2)]),
        ({"service_levels": frozenset({"SEPA"})}, [("FF04", 2)]),
        ({"local_instruments": frozenset()}, []),
        ({"category_purposes": frozenset({"SALA"})}, [("FF06", 1), ("FF06", 2)]),
        ({"purposes": frozenset({"SALA"})}, [("FF07", 1)]),
        ({"addresses_required": True}, [("BE04", 1), ("BE07", 2), ("BE04", 2)]),
        ({"travel_rule": True}, [("RR03", 1), ("RR02", 2), ("RR03", 2)]),
        ({"characters": SWIFT_X}, []),
        ({"leis_proven": True, "members_proven": True}, []),
    ],
)  # fmt: skip
def test_an_agreement_asks_for_more(agreed: dict[str, object], expected: list[tuple[str, int]]) -> None:
    assert codes_of(PACS, **agreed) == expected


def test_the_travel_rule_asks_for_the_debtors_account_or_identification() -> None:
    account = "<DbtrAcct><Id><Othr><Id>000-778812</Id></Othr></Id></DbtrAcct>"
    assert ("RR01", 2) in codes_of(PACS, {account: ""}, travel_rule=True)


@pytest.mark.parametrize("name", ["Mühle", "Mill_Ropes", "米"])
def test_a_name_outside_the_agreed_characters_is_refused_without_telling_it(name: str) -> None:
    changes = {"Quay Sails": name}
    assert codes_of(PACS, changes) == []
    (found,) = faults_of(PACS, changes, characters=SWIFT_X)
    assert (found.reason.code, found.transfer) == ("RR10", 2)
    assert "Dbtr" not in found.place.path


def test_check_digits_of_leis_and_forms_of_members_count_where_it_is_agreed() -> None:
    lei = {"<LEI>529900T8BM49AURSDO55</LEI></OrgId>": "<LEI>529900T8BM49AURSDO56</LEI></OrgId>"}
    member = {"<Cd>NLCLR": "<Cd>USABA", "4417": "021000022"}
    assert codes_of(PACS, {**lei, **member}) == []
    assert codes_of(PACS, lei, leis_proven=True) == [("BE16", 1)]
    assert codes_of(PACS, member, members_proven=True) == [("RC08", 1)]
    assert codes_of(PACS, {**member, "4417": "021000021"}, members_proven=True) == []


UNSTRUCTURED = {"<TwnNm>Bremen</TwnNm><Ctry>DE</Ctry>": ""}
THREE_LINES = {"<AdrLine>Am Kai 4": "<AdrLine>a</AdrLine><AdrLine>b</AdrLine><AdrLine>Am Kai 4"}


@pytest.mark.parametrize("changes", [UNSTRUCTURED, THREE_LINES, {"<Ctry>DE</Ctry>": ""}])
def test_an_address_is_structured_from_the_day_of_the_switch(changes: dict[str, str]) -> None:
    before = datetime(2026, 11, 13, 23, 59, tzinfo=UTC)
    assert codes_of(PACS, changes) == []
    assert codes_of(PACS, changes, structured_addresses_from=SWITCH, now=before) == []
    after = before + timedelta(minutes=1)
    assert codes_of(PACS, changes, structured_addresses_from=SWITCH, now=after) == [("BE07", 1)]


def test_town_and_country_with_two_lines_are_an_address_and_none_at_all_is_not_asked_for() -> None:
    two = {"<AdrLine>Am Kai 4": "<AdrLine>a</AdrLine><AdrLine>Am Kai 4"}
    now = datetime(2026, 12, 1, tzinfo=UTC)
    assert codes_of(PACS, two, structured_addresses_from=SWITCH, now=now) == []


@pytest.mark.parametrize(
    "created", ["2026-11-02T24:00:00", "2026-11-02T23:59:59.123456789+14:00", "2026-11-02T08:15:00"]
)
def test_a_creation_time_may_be_written_as_xml_schema_allows(created: str) -> None:
    assert codes_of(PACS, {"2026-11-02T08:15:00Z": created}) == []


@pytest.mark.parametrize("created", ["12026-11-02T08:15:00Z", "-0044-03-15T08:15:00Z", "9999-12-31T24:00:00"])
def test_a_creation_time_beyond_the_calendar_is_a_fault_and_no_error(created: str) -> None:
    assert codes_of(PACS, {"2026-11-02T08:15:00Z": created}) == [("DT02", None)]


def test_no_fault_repeats_a_word_of_the_message() -> None:
    changes = {
        "Quay Sails": "Sesam_Öffnedich",
        "DE89370400440532013000": "DE88370400440532013000",
        "<Ctry>DE": "<Ctry>QZ",
        "INSTR-0002": "INSTR-0001",
    }
    found = faults_of(PACS, changes, characters=SWIFT_X, currencies=frozenset())
    assert len(found) >= 5
    told = " ".join(line for one in found for line in one.reason.additional)
    for word in ("Sesam", "DE88", "QZ", "INSTR-0001", "1250.50", "EUR"):
        assert word not in told
    assert all(len(line) <= 105 for one in found for line in one.reason.additional)
