"""The checks as functions: alone, and as they are called by what processes a message."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from postbus.adapters.dynamodb_accounts import DynamoDbAccounts
from postbus.adapters.dynamodb_claims import DynamoDbClaims
from postbus.adapters.dynamodb_credit_transfers import DynamoDbCreditTransfers
from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.adapters.lambda_checks import LambdaCheck, LambdaLiquidity
from postbus.adapters.s3_documents import S3Documents
from postbus.adapters.s3_sanctions import S3Sanctions
from postbus.domain.errors import InvariantBroken, Malformed, Unavailable
from postbus.domain.iso20022.checks import (
    CheckRequest,
    NeedsDecision,
    Passed,
    Refused,
    answer_from_data,
)
from postbus.domain.iso20022.fraud import FraudRules
from postbus.domain.iso20022.messages import Agent, Party, Reason, Status
from postbus.domain.iso20022.sample_sanctions import SAMPLE
from postbus.domain.iso20022.workflow import (
    ChildState,
    Decision,
    DecisionKind,
    Finished,
    StepName,
)
from postbus.domain.money import Money
from postbus.domain.posting import Account
from postbus.functions.check_fraud import handler as check_fraud
from postbus.functions.check_identity import handler as check_identity
from postbus.functions.reserve_liquidity import handler as reserve_liquidity
from postbus.functions.screen_parties import handler as screen_parties
from postbus.ports_iso20022 import CreditTransfers, SanctionsSource
from postbus.runtime.clients import client
from postbus.runtime.entry import request_function
from tests.component.ledger.worlds import create_tables
from tests.fakes.inbound import InMemoryDirectory, InMemoryVelocity
from tests.fakes.iso20022 import InMemoryCreditTransfers, InMemoryLiquidity
from tests.fakes.lambdas import Function, InProcess
from tests.fakes.messages import NOON
from tests.fakes.processing import DEBTOR, World, pacs_004, pacs_008, transfer

LISTED = json.dumps(SAMPLE).encode()
P_1 = {"pipeline_id": "p-1", "amount": {"minor": 1, "currency": "EUR"}}


def request(number: int = 1, minor: int = 1_000, **changes: Any) -> CheckRequest:
    return CheckRequest(
        **{
            "transaction_id": "t-1",
            "number": number,
            "amount": Money(minor, "EUR"),
            "debtor": Party(name="Harbour Chandlers"),
            "creditor": Party(name="Mill Ropes"),
            "debtor_agent": Agent(bic="HARBDEFF"),
            "creditor_agent": Agent(bic="MILLNL2A"),
            "debtor_account_token": "acct-debtor",
            "creditor_account_token": "acct-mill",
            **changes,
        }
    )


def answers(function: Function, *requests: CheckRequest) -> list[Any]:
    """What a function answers, through JSON both ways."""
    return list(LambdaCheck(InProcess(function), "check").check(requests))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("debtor", "creditor", "expected"),
    [
        ({}, {}, Passed()),
        ({"kyc_status": "verified"}, {}, Passed()),
        ({"kyc_status": "pending"}, {}, NeedsDecision(Reason("RR04"))),
        ({"kyc_status": "verified"}, {"kyc_status": "failed"}, Refused(Reason("AG01"))),
        ({"kyc_status": "whatever"}, {}, Refused(Reason("AG01"))),
        (None, {}, Refused(Reason("AG01"))),
    ],
)
def test_identity_is_the_accounts_directorys_word(debtor: Any, creditor: Any, expected: Any) -> None:
    records = {"acct-debtor": debtor, "acct-mill": creditor}
    directory = InMemoryDirectory({token: record for token, record in records.items() if record is not None})
    assert answers(check_identity.build(directory), request()) == [expected]


def fraud(rules: FraudRules) -> Function:
    return check_fraud.build(InMemoryVelocity(), rules, lambda: NOON)


def test_without_rules_nothing_is_a_sign_of_fraud() -> None:
    function = fraud(FraudRules.from_json("{}"))
    assert answers(function, *(request(number, 99_999_999) for number in range(1, 120))) == [Passed()] * 119


def test_an_amount_above_the_usual_waits_for_an_operator() -> None:
    rules = '{"usual_minor": {"EUR": 1000}, "account_usual_minor": {"acct-rich": 5000}}'
    function = fraud(FraudRules.from_json(rules))
    rich = {"debtor_account_token": "acct-rich"}
    found = answers(
        function, request(1, 1_000), request(2, 1_001), request(3, 5_000, **rich), request(4, 5_001, **rich)
    )
    sign = NeedsDecision(Reason("FR01"))
    assert found == [Passed(), sign, Passed(), sign]


def test_messages_of_an_account_are_counted_and_a_message_asked_about_again_is_not_another() -> None:
    function = fraud(FraudRules(messages_per_hour=2))

    def asked(transaction_id: str) -> list[Any]:
        return answers(function, *(request(number, transaction_id=transaction_id) for number in (1, 2)))

    for transaction_id in ("t-1", "t-2", "t-1", "t-2"):
        assert asked(transaction_id) == [Passed(), Passed()]
    assert asked("t-3") == [NeedsDecision(Reason("FR01"))] * 2
    assert asked("t-1") == [Passed(), Passed()]


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "[]",
        '{"odd": 1}',
        '{"usual_minor": {"EUR": 1.5}}',
        '{"messages_per_hour": 120}',
        '{"usual_minor": 1}',
    ],
)
def test_rules_that_cannot_be_read_are_no_rules(rules: str) -> None:
    with pytest.raises(Malformed):
        FraudRules.from_json(rules)


class Lists:
    """A source whose list can be changed; counts how often it is read."""

    def __init__(self, body: bytes) -> None:
        self.body, self.reads = body, 0

    def read(self) -> bytes:
        self.reads += 1
        return self.body


def test_a_new_list_is_in_force_within_a_minute() -> None:
    lists, now = Lists(LISTED), [NOON]
    function = screen_parties.build(lists, 85, lambda: now[0])
    harbour = request()
    assert answers(function, harbour) == answers(function, harbour) == [Passed()]
    lists.body = b'{"entries": [{"names": ["Harbour Chandlers"]}]}'
    now[0] = NOON + timedelta(seconds=59)
    assert (answers(function, harbour), lists.reads) == ([Passed()], 1)
    now[0] = NOON + timedelta(seconds=60)
    assert answers(function, harbour) == [NeedsDecision(Reason("RR04"))]


def test_a_list_that_cannot_be_read_is_no_answer() -> None:
    function = screen_parties.build(Lists(b"{}"), 85, lambda: NOON)
    with pytest.raises(Unavailable):
        answers(function, request())


@pytest.mark.parametrize("function", [fraud(FraudRules()), check_identity.build(InMemoryDirectory())])
@pytest.mark.parametrize("event", [None, {}, {"requests": "x"}, {"requests": [{"number": 1}]}])
def test_what_is_no_request_is_refused_without_quoting_it(function: Function, event: Any) -> None:
    with pytest.raises(Malformed):
        function(event)


@pytest.mark.parametrize(
    "event",
    [
        {"reserve": {}},
        {"reserve": {"account_token": "acct-debtor", "amounts": [{"pipeline_id": "p-1"}]}},
        {"reserve": {"account_token": "acct-debtor", "amounts": [P_1, P_1]}},
        {"release": "p-1"},
        {"release": [1]},
    ],
)
def test_what_asks_for_no_funds_sets_nothing_aside(event: Any) -> None:
    ledger = InMemoryLiquidity({("acct-debtor", "EUR"): 1_000})
    with pytest.raises(Malformed):
        reserve_liquidity.build(ledger)(event)
    assert ledger.reserved == {}


# -- on their services -----------------------------------------------------------------------------------

ACCOUNT = {
    "status": "open",
    "currency": "EUR",
    "type": "current",
    "suspense_account": "suspense",
    "head_office_account": "head-office",
    "position_account": "position",
}
DEBTOR_ACCOUNT = {**ACCOUNT, "token": "acct-debtor", "account_id": "current-debtor", "iban": DEBTOR}
MILL_ACCOUNT = {**ACCOUNT, "token": "acct-mill", "account_id": "settlement-mill", "agent_bic": "MILLNL2A"}


@pytest.fixture
def deployed(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The tables and buckets, and the settings by which the functions find them."""
    client.cache_clear()
    create_tables(dynamodb)
    for name, key, indexes in (
        ("accounts", "token", ("iban", "other_id", "agent_bic")),
        ("claims", "claim_key", ()),
        ("credit_transfers", "transfer", ()),
    ):
        more: Any = {}
        if indexes:
            more["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index,
                    "KeySchema": [{"AttributeName": index, "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
                for index in indexes
            ]
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in (key, *indexes)],
            **more,
        )
    for record in (DEBTOR_ACCOUNT, MILL_ACCOUNT):
        dynamodb.put_item(TableName="accounts", Item={name: {"S": text} for name, text in record.items()})
    s3 = boto3.client("s3", region_name="eu-central-1")
    for bucket in ("messages", "sanctions"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket="sanctions", Key="sanctions.json", Body=LISTED)
    for name, value in {
        "ACCOUNTS_TABLE": "accounts", "CLAIMS_TABLE": "claims", "LEDGER_TABLE": "ledger",
        "BALANCES_TABLE": "balances", "SANCTIONS_BUCKET": "sanctions", "TRACING": "off",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"POSTBUS_{name}", value)
    ledger = DynamoDbLedger(dynamodb, "ledger", "balances", sleep=lambda _: None)
    ledger.fund(Account.from_data(DEBTOR_ACCOUNT), Money(2_500, "EUR"), "opening-1", NOON)
    yield dynamodb
    client.cache_clear()


def as_deployed(module: Any) -> Any:
    """A function by its entry point, as it is called."""
    handler = request_function(module.bind)
    return InProcess(lambda event: handler(event, None))


@pytest.fixture
def world(deployed: Any) -> World:
    world = World()
    documents = S3Documents(boto3.client("s3", region_name="eu-central-1"), "messages")
    everything: dict[str, Any] = {
        "messages": DynamoDbMessages(deployed, "iso20022", sleep=lambda _: None),
        "documents": documents,
        "accounts": DynamoDbAccounts(deployed, "accounts"),
        "claims": DynamoDbClaims(deployed, "claims", lambda: NOON),
        "identity": LambdaCheck(as_deployed(check_identity), "identity"),
        "screening": LambdaCheck(as_deployed(screen_parties), "screening"),
        "fraud": LambdaCheck(as_deployed(check_fraud), "fraud"),
        "liquidity": LambdaLiquidity(as_deployed(reserve_liquidity), "liquidity"),
        "transfers": DynamoDbCreditTransfers(deployed, "credit_transfers"),
    }
    for name, port in everything.items():
        setattr(world, name, port)
    return world


def written(dynamodb: Any) -> list[str]:
    items = dynamodb.scan(TableName="credit_transfers")["Items"]
    return sorted(item["end_to_end_id"]["S"] for item in items)


def test_on_its_services_a_message_is_checked_funded_and_written_once(world: World, deployed: Any) -> None:
    head = world.through(pacs_008(transfer(1), transfer(2), transfer(3), transfer(4, "5.00")))
    assert (head.status, head.children_open) == (Status.ACSP, 3)
    assert written(deployed) == ["E-1", "E-2", "E-4"]
    third = world.messages.child(head.transaction_id, 3)
    assert third is not None
    assert (third.state, third.reasons) == (ChildState.REJECTED, (Reason("AM04"),))
    for _ in range(2):
        world.run(StepName.PROCESS, head.transaction_id)
    assert written(deployed) == ["E-1", "E-2", "E-4"]
    balance = deployed.scan(TableName="balances")["Items"]
    assert min(int(item["available_minor"]["N"]) for item in balance if "current-debtor" in str(item)) == 0


def test_on_its_services_a_listed_name_waits_and_nothing_is_set_aside(world: World, deployed: Any) -> None:
    head = world.through(pacs_008(transfer(1, creditor="MALENKOV, Viktor"), transfer(2)))
    assert (head.status, head.reasons, written(deployed)) == (Status.PDNG, (Reason("RR04"),), [])
    assert (
        len(deployed.scan(TableName="ledger", FilterExpression="attribute_exists(earmark_minor)")["Items"])
        == 0
    )
    decision = Decision(key="clearance.1", kind=DecisionKind.CLEARANCE, by="operator", at=NOON)
    world.messages.decide(head.transaction_id, decision)
    world.messages.carried_out(head.transaction_id, decision.key, "carried_out")
    world.run(StepName.PROCESS, head.transaction_id)
    assert written(deployed) == ["E-1", "E-2"]


def test_on_its_services_an_earlier_transfer_is_found_again_and_returned(world: World, deployed: Any) -> None:
    unknown = world.through(pacs_004("5f1d0a3c-7a45-4b1e-9d55-0d6c0f000001", "4.00"))
    assert unknown.children_open == 0
    # That it was looked for keeps nobody from sending it.
    original = world.through(pacs_008(transfer(1)), 2)
    assert original.children_open == 1
    ledger = DynamoDbLedger(deployed, "ledger", "balances", sleep=lambda _: None)
    ledger.fund(Account.from_data(MILL_ACCOUNT), Money(1_000, "EUR"), "opening-2", NOON)
    world.messages.finish_children(original.transaction_id, [Finished(number=1, state=ChildState.POSTED)])
    again = pacs_004("5f1d0a3c-7a45-4b1e-9d55-0d6c0f000001", "4.00", "R-2", "RTR-2")
    assert world.through(again, 3).children_open == 1
    records = deployed.scan(TableName="credit_transfers")["Items"]
    assert sum("original_transfer" in record for record in records) == 1
    balances = deployed.scan(TableName="balances")["Items"]
    assert [item["available_minor"] for item in balances if "settlement-mill" in str(item)] == [{"N": "600"}]


@pytest.mark.parametrize("sample", [None, LISTED])
def test_without_a_list_nothing_passes_unless_the_sample_is_wanted(
    deployed: Any, sample: bytes | None
) -> None:
    source: SanctionsSource = S3Sanctions(client("s3"), "sanctions", "another.json", sample)
    if sample is None:
        with pytest.raises(InvariantBroken):
            source.read()
    else:
        assert source.read() == LISTED


@pytest.fixture(params=["memory", "dynamodb"])
def transfers(request: pytest.FixtureRequest) -> CreditTransfers:
    if request.param == "memory":
        return InMemoryCreditTransfers()
    return DynamoDbCreditTransfers(request.getfixturevalue("deployed"), "credit_transfers")


def test_a_record_is_written_once_and_never_over_another(transfers: CreditTransfers) -> None:
    record = {"transfer": "a-00001", "instructed_amount": "12", "status": "APPROVED"}
    other = {"transfer": "a-00002", "instructed_amount": "13", "status": "APPROVED"}
    transfers.submit([record])
    transfers.submit([record, other])
    with pytest.raises(InvariantBroken):
        transfers.submit([{**record, "instructed_amount": "13"}])
    transfers.submit([record])


def test_answers_of_checks_are_what_the_port_reads() -> None:
    function = check_identity.build(InMemoryDirectory({"acct-debtor": {}, "acct-mill": {}}))
    answer = function({"requests": [request().to_data()]})
    assert [answer_from_data(one) for one in answer["answers"]] == [Passed()]
