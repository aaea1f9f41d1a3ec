"""Documents, step queues, accounts, checks and reservations against their services."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from postbus.adapters.dynamodb_accounts import DynamoDbAccounts
from postbus.adapters.lambda_checks import LambdaCheck, LambdaLiquidity
from postbus.adapters.s3_documents import S3Documents
from postbus.adapters.sqs_queue import SqsQueue
from postbus.adapters.sqs_steps import SqsSteps, queue_urls
from postbus.domain.errors import InvariantBroken, Malformed, Unavailable
from postbus.domain.iso20022.checks import (
    CheckAnswer,
    CheckRequest,
    NeedsDecision,
    Passed,
    Refused,
    answer_from_data,
    answer_to_data,
)
from postbus.domain.iso20022.messages import Agent, Party, Reason
from postbus.domain.iso20022.workflow import (
    AccountKey,
    AccountKeyKind,
    FoundAccount,
    Reservation,
    StepCall,
    StepName,
)
from postbus.domain.money import Money
from postbus.ports_iso20022 import Documents
from tests.fakes.iso20022 import InMemoryDocuments
from tests.fakes.messages import transaction_id

REGION = "eu-central-1"
BODY = b"<Document/>"


@pytest.fixture(params=["memory", "s3"])
def documents(request: pytest.FixtureRequest) -> InMemoryDocuments | S3Documents:
    if request.param == "memory":
        return InMemoryDocuments()
    request.getfixturevalue("aws")
    client = boto3.client("s3", region_name=REGION, config=Config(signature_version="s3v4"))
    client.create_bucket(Bucket="messages", CreateBucketConfiguration={"LocationConstraint": REGION})
    return S3Documents(client, "messages")


def test_a_document_is_found_again_with_its_hash_and_length(documents: Documents) -> None:
    stored = documents.put("incoming/a.xml", BODY)
    assert (stored.length_bytes, len(stored.sha256)) == (len(BODY), 64)
    assert documents.find("incoming/a.xml") == stored
    assert documents.get("incoming/a.xml") == BODY


def test_what_was_never_stored_is_not_there(documents: Documents) -> None:
    assert documents.find("incoming/none.xml") is None
    assert documents.get("incoming/none.xml") is None


def test_a_copy_stays_when_the_first_is_gone_and_again_is_no_change(documents: Documents) -> None:
    first = documents.put("uploads/a.xml", BODY)
    copied = documents.copy(first, "a/b.xml")
    assert documents.copy(first, "a/b.xml") == copied == documents.find("a/b.xml")
    assert (copied.sha256, documents.get("a/b.xml")) == (first.sha256, BODY)


def test_what_has_changed_or_gone_is_not_copied_for_what_it_was(documents: Documents) -> None:
    first = documents.put("uploads/a.xml", BODY)
    documents.put("uploads/a.xml", b"<Other/>")
    for gone_or_other in (first, replace(first, key="uploads/none.xml")):
        with pytest.raises(Unavailable):
            documents.copy(gone_or_other, "a/b.xml")


def test_an_upload_signs_length_and_hash_and_can_be_used_once(aws: None) -> None:
    client = boto3.client("s3", region_name="us-east-1", config=Config(signature_version="s3v4"))
    url = S3Documents(client, "messages").upload_url("incoming/a", 5_000_000, "ab" * 32, timedelta(minutes=5))
    query = parse_qs(urlsplit(url).query)
    signed = set(query["X-Amz-SignedHeaders"][0].split(";"))
    assert {"content-length", "x-amz-checksum-sha256", "if-none-match"} <= signed
    assert query["X-Amz-Expires"] == ["300"]


def test_a_signature_that_leaves_the_length_open_is_never_given_out(aws: None) -> None:
    client = boto3.client("s3", region_name="us-east-1", config=Config(signature_version="s3"))
    with pytest.raises(InvariantBroken):
        S3Documents(client, "messages").upload_url("incoming/a", 5, "ab" * 32, timedelta(minutes=5))


# -- step queues -----------------------------------------------------------------------------------------


def received(sqs: Any, url: str) -> list[Any]:
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
    )
    return list(answer.get("Messages", ()))


def fifo(sqs: Any, name: str) -> str:
    return str(sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"])


def test_an_attempt_is_queued_once_and_a_redrive_beside_it(aws: None) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    url = fifo(sqs, "process")
    steps = SqsSteps(sqs, {StepName.PROCESS: url})
    for attempt in (1, 1, 2):
        steps.send(transaction_id(), StepName.PROCESS, attempt)
    # Each group gives out one at a time here; what was queued is what the queue counts.
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert counted["Attributes"]["ApproximateNumberOfMessages"] == "2"
    message = received(sqs, url)[0]
    assert message["Attributes"]["MessageGroupId"] == transaction_id()
    call = StepCall.from_data(json.loads(message["Body"]))
    assert call == StepCall(transaction_id(), StepName.PROCESS, 1)


def test_a_step_without_a_queue_is_our_bug(aws: None) -> None:
    with pytest.raises(InvariantBroken):
        SqsSteps(boto3.client("sqs", region_name=REGION), {}).send(transaction_id(), StepName.RELEASE, 1)


def test_the_queues_are_read_from_their_setting() -> None:
    assert queue_urls("") == {}
    assert (
        queue_urls("process=http://a/p.fifo,release=http://a/r.fifo")[StepName.RELEASE] == "http://a/r.fifo"
    )
    with pytest.raises(Malformed):
        queue_urls("unknown=http://a")


def test_a_parked_message_of_a_group_is_with_the_dead_letters_even_the_second_time(aws: None) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    dead = fifo(sqs, "process-dead-letters")
    queue = SqsQueue(sqs, fifo(sqs, "process"), dead)
    for number in (1, 2):
        queue.park(
            {"messageId": f"m{number}", "body": "{}", "attributes": {"MessageGroupId": transaction_id()}},
            "Malformed: no",
        )
    counted = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])
    assert counted["Attributes"]["ApproximateNumberOfMessages"] == "2"
    assert received(sqs, dead)[0]["MessageAttributes"]["reason"]["StringValue"] == "Malformed: no"


# -- accounts --------------------------------------------------------------------------------------------


@pytest.fixture
def accounts(aws: None) -> DynamoDbAccounts:
    client = boto3.client("dynamodb", region_name=REGION)
    names = ("iban", "other_id", "agent_bic")
    client.create_table(
        TableName="accounts",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("token", *names)],
        KeySchema=[{"AttributeName": "token", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": name,
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["currency", "status"]},
            }
            for name in names
        ],
    )
    for token, extra in {
        "tok_a": {"iban": "DE02"},
        "tok_b": {"iban": "DE02", "currency": "USD", "status": "blocked"},
        "tok_c": {"other_id": "4711"},
        "tok_d": {"agent_bic": "DEUTDEFF"},
    }.items():
        values = {"token": token, "currency": "EUR", "status": "open", **extra}
        client.put_item(TableName="accounts", Item={name: {"S": value} for name, value in values.items()})
    return DynamoDbAccounts(client, "accounts")


def iban(value: str) -> AccountKey:
    return AccountKey(AccountKeyKind.IBAN, value)


def test_accounts_are_found_by_whatever_a_message_calls_them(accounts: DynamoDbAccounts) -> None:
    other, bic = AccountKey(AccountKeyKind.OTHER, "4711"), AccountKey(AccountKeyKind.BIC, "DEUTDEFFXXX")
    branch = AccountKey(AccountKeyKind.BIC, "DEUTDEFF500")
    found = accounts.find([iban("DE02"), other, bic, branch, iban("DE99"), iban("DE02")])
    assert sorted(found[iban("DE02")], key=lambda one: one.token) == [
        FoundAccount("tok_a", "EUR", "open"),
        FoundAccount("tok_b", "USD", "blocked"),
    ]
    assert found[other] == (FoundAccount("tok_c", "EUR", "open"),)
    assert found[bic] == found[branch] == (FoundAccount("tok_d", "EUR", "open"),)
    assert iban("DE99") not in found


def test_an_account_key_keeps_its_value_to_itself() -> None:
    assert "DE02" not in repr(iban("DE02"))


# -- checks ----------------------------------------------------------------------------------------------


class FakeLambda:
    """A function that answers ``body``, fails, or lets the caller wait."""

    def __init__(self, body: Any = None, failed: bool = False, silent: bool = False) -> None:
        self.body, self.failed, self.silent = body, failed, silent
        self.payloads: list[Any] = []

    def invoke(self, **request: Any) -> Any:
        self.payloads.append(json.loads(request["Payload"]))
        if self.silent:
            raise ReadTimeoutError(endpoint_url="lambda")
        body = self.body(self.payloads[-1]) if callable(self.body) else self.body
        answer: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(body).encode())}
        return {**answer, "FunctionError": "Unhandled"} if self.failed else answer


def request(number: int) -> CheckRequest:
    return CheckRequest(
        transaction_id=transaction_id(),
        number=number,
        amount=Money(1_230, "EUR"),
        debtor=Party(name="Anna", address_lines=("Lane 1", "Town")),
        creditor=Party(name="Bruno"),
        debtor_agent=Agent(bic="DEUTDEFF"),
        creditor_agent=Agent(),
        ultimate_debtor=Party(name="Clara"),
        debtor_account_token="tok_a",
    )


ANSWERS: list[CheckAnswer] = [
    Passed(),
    Refused(Reason("AC06")),
    NeedsDecision(Reason("RR04", ("list entry 7",))),
]


def test_a_request_and_its_answers_survive_the_way_to_the_function() -> None:
    assert CheckRequest.from_data(json.loads(json.dumps(request(1).to_data()))) == request(1)
    for answer in ANSWERS:
        assert answer_from_data(json.loads(json.dumps(answer_to_data(answer)))) == answer


def test_every_transfer_is_answered_in_order_over_several_calls() -> None:
    function = FakeLambda(
        lambda payload: {
            "answers": [answer_to_data(ANSWERS[one["number"] % 3]) for one in payload["requests"]]
        }
    )
    answers = LambdaCheck(function, "screen").check([request(number) for number in range(120)])  # type: ignore[arg-type]
    assert answers == [ANSWERS[number % 3] for number in range(120)]
    assert [len(payload["requests"]) for payload in function.payloads] == [50, 50, 20]


def test_no_answer_in_time_is_no_answer() -> None:
    with pytest.raises(Unavailable):
        LambdaCheck(FakeLambda(silent=True), "screen").check([request(1)])  # type: ignore[arg-type]


def test_a_function_that_failed_has_not_answered_and_its_words_are_not_repeated() -> None:
    failed = FakeLambda({"errorMessage": "no Anna"}, failed=True)
    with pytest.raises(Unavailable) as raised:
        LambdaCheck(failed, "screen").check([request(1)])  # type: ignore[arg-type]
    assert "Anna" not in str(raised.value)


@pytest.mark.parametrize(
    "body", [None, {}, {"answers": []}, {"answers": [{"answer": "yes"}]}, {"park": "Malformed"}, [], "passed"]
)
def test_anything_else_is_never_taken_for_a_pass(body: Any) -> None:
    with pytest.raises(InvariantBroken):
        LambdaCheck(FakeLambda(body), "screen").check([request(1)])  # type: ignore[arg-type]


def test_funds_are_reserved_by_a_function_that_answers_for_every_transfer() -> None:
    wanted = {"credit_transfers-a": Money(1, "EUR")}
    short = LambdaLiquidity(FakeLambda({"reservations": ["SHORT"]}), "reserve")  # type: ignore[arg-type]
    assert short.reserve("tok_a", wanted) == {"credit_transfers-a": Reservation.SHORT}
    LambdaLiquidity(FakeLambda({}), "reserve").release(["credit_transfers-a"])  # type: ignore[arg-type]
    for words in ([], ["RESERVED", "RESERVED"], ["MAYBE"], [{}], None):
        odd = LambdaLiquidity(FakeLambda({"reservations": words}), "reserve")  # type: ignore[arg-type]
        with pytest.raises(InvariantBroken):
            odd.reserve("tok_a", wanted)
        with pytest.raises(InvariantBroken):
            odd.release(["credit_transfers-a"])
