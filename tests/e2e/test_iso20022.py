"""ISO 20022 messages through the deployed API, with real tokens, to the ledger and back."""

import base64
import hashlib
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from postbus.domain.iso20022.workflow import pipeline_transaction_id
from postbus.domain.lifecycle import OutcomeState
from tests.e2e.api import Answer, Client, Payment, camt_056, pacs_008
from tests.e2e.faults import NOWHERE, environment, logged
from tests.e2e.stack import Stack, until

pytestmark = [pytest.mark.e2e, pytest.mark.needs("pipes_or_runner", "workflows", "oauth")]

OPEN = ("ACCP", "ACTC", "PDNG", "ACSP")


@pytest.fixture(scope="module")
def client(stack: Stack) -> Client:
    return Client(stack, "operator")


@pytest.fixture(scope="module")
def other(stack: Stack) -> Client:
    return Client(stack, "other")


def assert_valid(answer: Answer, schema_folder: Path) -> None:
    namespace = etree.QName(answer.xml).namespace or ""
    schema = etree.XMLSchema(etree.parse(schema_folder / f"{namespace.rpartition(':')[2]}.xsd"))
    schema.assertValid(answer.xml)


def amounts(stack: Stack, transaction_id: str, number: int = 1) -> set[tuple[str, str, str]]:
    """Account, direction and amount of each entry that books a message's transfer."""
    outcome = stack.outcomes.find(pipeline_transaction_id(transaction_id, number))
    assert outcome is not None
    return {(entry["account"], entry["direction"], entry["amount"]) for entry in outcome.data["entries"]}


def put(upload: Mapping[str, Any], body: bytes) -> int:
    """Upload as told; the status of the answer."""
    request = urllib.request.Request(upload["url"], body, upload["headers"], method=upload["method"])
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


# -- what a client does ------------------------------------------------------------------------------------


def test_a_payment_is_booked_and_its_answer_quotes_it(
    stack: Stack, client: Client, schema_folder: Path
) -> None:
    payment = Payment(amount="12.34")
    message = pacs_008([payment])
    transaction_id = client.sent(message)
    told = client.ends(transaction_id, "ACSC")
    assert [entry["status"] for entry in told["history"]] == ["ACCP", "ACTC", "ACSP", "ACSC"]
    assert amounts(stack, transaction_id) == {
        ("current-anna", "debit", "1234"), ("current-bruno", "credit", "1234")
    }  # fmt: skip

    answer = client.outgoing(transaction_id)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    assert_valid(answer, schema_folder)
    assert answer.texts("OrgnlMsgId") == etree.fromstring(message).xpath("//*[local-name()='MsgId']/text()")
    assert (answer.texts("OrgnlEndToEndId"), answer.texts("OrgnlUETR")) == (
        [payment.end_to_end_id], [payment.uetr]
    )  # fmt: skip
    assert (answer.texts("IntrBkSttlmAmt"), answer.texts("TxSts")) == (["12.34"], ["ACSC"])
    assert client.outgoing(transaction_id).body == answer.body


def test_of_a_bulk_the_bad_ones_are_refused_and_the_rest_is_booked(
    stack: Stack, client: Client, schema_folder: Path
) -> None:
    good, also_good = Payment(amount="1.00"), Payment(amount="2.00")
    bad = [
        Payment(amount="3.001"),
        Payment(amount="4.00", creditor_iban="DE00370400440532013000"),
        Payment(amount="5.00", creditor="tok_sample_closed"),
    ]
    transaction_id = client.sent(pacs_008([good, *bad, also_good]))
    client.ends(transaction_id, "PART")
    answer = client.outgoing(transaction_id)
    assert_valid(answer, schema_folder)
    assert answer.texts("GrpSts") == ["PART"]
    assert answer.texts("TxSts") == ["ACSC", "RJCT", "RJCT", "RJCT", "ACSC"]
    assert answer.texts("Cd")[:3] == ["CH20", "AC03", "AC04"]
    assert amounts(stack, transaction_id, 5) == {
        ("current-anna", "debit", "200"), ("current-bruno", "credit", "200")
    }  # fmt: skip
    for number in (2, 3, 4):
        outcome = stack.outcomes.find(pipeline_transaction_id(transaction_id, number))
        assert outcome is None or outcome.state is not OutcomeState.POSTED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"this is no message", "FF01"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "FF01"),
        (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.003.001.08"/>', "AG03"),
    ],
    ids=["garbage", "entities", "another-message"],
)
def test_what_is_no_payment_is_refused_with_a_reason_that_can_be_fetched(
    client: Client, body: bytes, code: str
) -> None:
    transaction_id = client.sent(body)
    told = client.ends(transaction_id, "RJCT")
    assert [reason["code"] for reason in told["reasons"]] == [code]
    assert client.outgoing(transaction_id).status == 200


def test_the_same_message_again_is_no_news_and_another_one_is_a_conflict(
    stack: Stack, client: Client
) -> None:
    message = pacs_008([Payment()])
    transaction_id = client.sent(message)
    assert client.hand_in(transaction_id, message).status == 202
    client.ends(transaction_id, "ACSC")
    before = stack.books()
    assert client.hand_in(transaction_id, message).status == 202
    assert client.hand_in(transaction_id, pacs_008([Payment()])).status == 409
    stack.quiet()
    assert stack.books() == before
    # The same message under another transaction is a duplicate, and books nothing.
    again = client.sent(message)
    assert [reason["code"] for reason in client.ends(again, "RJCT")["reasons"]] == ["DU01"]
    stack.quiet()
    assert stack.books() == before


def test_more_money_than_there_is_is_refused_before_anything_is_booked(stack: Stack, client: Client) -> None:
    before = stack.books()
    transaction_id = client.sent(pacs_008([Payment(amount="99999999.00")]))
    client.ends(transaction_id, "RJCT")
    assert set(client.outgoing(transaction_id).texts("Cd")) == {"AM04"}
    assert stack.books() == before


def test_a_message_that_is_uploaded_is_taken_once_and_only_as_it_was_announced(
    stack: Stack, client: Client
) -> None:
    message = pacs_008([Payment()])
    transaction_id = client.opened()

    def announced(body: bytes) -> Answer:
        data = {"length_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        headers = {"X_Transaction_Id": transaction_id, "Content_Type": "application/json"}
        return client.call("POST", "/v1/incoming", json.dumps(data).encode(), **headers)

    upload, rival = announced(message).data["upload"], announced(message + b" ").data["upload"]
    assert put(upload, message[:-1] + b" ") in (400, 403)
    assert put(upload, message) == 200
    assert put(rival, message + b" ") == put(upload, message) == 412
    assert announced(message + b" ").status == 409
    assert client.told(transaction_id)["status"] == "ACCP"
    assert announced(message).status == 202
    client.ends(transaction_id, "ACSC")
    assert amounts(stack, transaction_id) == {
        ("current-anna", "debit", "1234"), ("current-bruno", "credit", "1234")
    }  # fmt: skip


# -- who may -----------------------------------------------------------------------------------------------


def test_a_call_without_the_right_token_is_refused(stack: Stack, client: Client) -> None:
    head, _, signature = client.token().rpartition(".")
    forged = f"{head}.{signature[:-6]}AAAAAA"
    reader = Client(stack, "reader")
    for refused in (
        client.call("POST", "/v1/transactions", token=""),
        client.call("POST", "/v1/transactions", token="garbage"),
        client.call("POST", "/v1/transactions", token=forged),
        reader.call("POST", "/v1/transactions"),
    ):
        assert refused.status in (401, 403)
        assert refused.headers["content-type"] == "application/problem+json"
    assert client.call("GET", "/v1/health", token="").status == 200
    assert client.call("GET", "/v1/health/deep", token="").status in (401, 403)
    assert client.call("GET", "/v1/health/deep").status == 200


@pytest.fixture
def short_token(stack: Stack, client: Client) -> Iterator[str]:
    """A token of the deployment's own user pool, for a client whose tokens are good for three seconds."""
    pools = stack.client("cognito-idp")
    pool = claims(client.token())["iss"].rpartition("/")[2]
    made = pools.create_user_pool_client(
        UserPoolId=pool,
        ClientName=f"short-{uuid.uuid4().hex[:8]}",
        GenerateSecret=True,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=["postbus/read", "postbus/write"],
        AccessTokenValidity=3,
        TokenValidityUnits={"AccessToken": "seconds"},
    )["UserPoolClient"]
    try:
        yield client.granted(made["ClientId"], made["ClientSecret"], "postbus/read postbus/write")
    finally:
        pools.delete_user_pool_client(UserPoolId=pool, ClientId=made["ClientId"])


def claims(token: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


@pytest.mark.needs("short_tokens")
def test_a_token_that_was_good_opens_nothing_once_it_has_expired(client: Client, short_token: str) -> None:
    expires_at = claims(short_token)["exp"]
    assert client.call("GET", "/v1/health/deep", token=short_token).status == 200
    assert time.time() < expires_at
    time.sleep(max(0.0, expires_at + 1 - time.time()))
    for refused in (
        client.call("GET", "/v1/health/deep", token=short_token),
        client.call("POST", "/v1/transactions", token=short_token),
    ):
        assert (refused.status, refused.headers["content-type"]) == (401, "application/problem+json")
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert client.call("GET", "/v1/health/deep").status == 200


def test_another_clients_transaction_is_not_there(client: Client, other: Client) -> None:
    message = pacs_008([Payment()])
    transaction_id = client.sent(message)
    assert other.call("GET", f"/v1/transactions/{transaction_id}").status == 404
    assert other.hand_in(transaction_id, message).status == 404
    assert other.outgoing(transaction_id).status == 404
    for what in ("cancellation", "acceptance", "rejection", "redrive"):
        assert other.wants(transaction_id, what).status == 404
    client.ends(transaction_id, "ACSC")
    assert other.outgoing(transaction_id).status == 404


# -- decisions ---------------------------------------------------------------------------------------------


@pytest.fixture
def ledger_away(stack: Stack) -> Iterator[None]:
    """Payments wait in the posting queue meanwhile."""
    with environment(stack, "post", AWS_ENDPOINT_URL_DYNAMODB=NOWHERE):
        yield


def test_a_cancellation_before_settlement_voids_the_payment(
    stack: Stack, client: Client, ledger_away: None, schema_folder: Path
) -> None:
    payment, message_id = Payment(), f"MSG-{uuid.uuid4().hex[:24]}"
    transaction_id = client.sent(pacs_008([payment], message_id))
    client.ends(transaction_id, "ACSP")
    assert client.wants(transaction_id, "cancellation", camt_056(message_id, payment)).status == 202
    client.ends(transaction_id, "CANC")
    outcome = stack.outcomes.find(pipeline_transaction_id(transaction_id, 1))
    assert outcome is not None
    assert outcome.state is OutcomeState.VOIDED
    answer = client.outgoing(transaction_id, "cancellation_answer")
    assert_valid(answer, schema_folder)
    assert answer.texts("TxCxlSts") == ["ACCR"] or answer.texts("Conf") == ["CNCL"]


def test_what_was_voided_stays_so_when_the_ledger_is_back(stack: Stack, client: Client) -> None:
    with environment(stack, "post", AWS_ENDPOINT_URL_DYNAMODB=NOWHERE):
        transaction_id = client.sent(pacs_008([Payment()]))
        client.ends(transaction_id, "ACSP")
        assert client.wants(transaction_id, "rejection").status == 202
        client.ends(transaction_id, "RJCT")
    stack.quiet(120)
    outcome = stack.outcomes.find(pipeline_transaction_id(transaction_id, 1))
    assert outcome is not None
    assert outcome.state is OutcomeState.VOIDED
    assert set(stack.trial_balance().values()) == {0}


def test_a_cancellation_after_settlement_is_rejected(
    stack: Stack, client: Client, schema_folder: Path
) -> None:
    payment, message_id = Payment(), f"MSG-{uuid.uuid4().hex[:24]}"
    transaction_id = client.sent(pacs_008([payment], message_id))
    client.ends(transaction_id, "ACSC")
    before = stack.books()
    assert client.wants(transaction_id, "cancellation", camt_056(message_id, payment)).status == 202

    def probe() -> Any:
        answer = client.outgoing(transaction_id, "cancellation_answer")
        return answer if answer.status == 200 else None

    answer = until("the cancellation is answered", probe)
    assert_valid(answer, schema_folder)
    assert "RJCR" in answer.texts("TxCxlSts") + answer.texts("Conf")
    assert client.told(transaction_id)["status"] == "ACSC"
    assert stack.books() == before


def test_a_name_on_the_sanctions_list_waits_for_an_operator(stack: Stack, client: Client) -> None:
    transaction_id = client.sent(pacs_008([Payment(creditor_name=SANCTIONED)]))
    told = client.ends(transaction_id, "PDNG")
    assert "sanction" not in json.dumps(told).lower()
    assert client.wants(transaction_id, "acceptance").status == 409
    stack.postbus("iso20022", "accept", transaction_id, "--reason", "another person", "--json")
    client.ends(transaction_id, "ACSC")


def test_a_sanctions_hit_that_is_refused_is_never_booked(stack: Stack, client: Client) -> None:
    transaction_id = client.sent(pacs_008([Payment(creditor_name=SANCTIONED)]))
    client.ends(transaction_id, "PDNG")
    stack.postbus("iso20022", "refuse", transaction_id, "--reason", "the very person", "--json")
    client.ends(transaction_id, "RJCT")
    assert client.outgoing(transaction_id).status == 200
    outcome = stack.outcomes.find(pipeline_transaction_id(transaction_id, 1))
    assert outcome is None or outcome.state is OutcomeState.VOIDED


# -- time and faults ---------------------------------------------------------------------------------------


def test_what_is_not_settled_in_time_is_rejected_and_never_booked_later(stack: Stack, client: Client) -> None:
    with environment(stack, "post", AWS_ENDPOINT_URL_DYNAMODB=NOWHERE):
        short = "none=2,other=2,pacs.008=2"
        with (
            environment(stack, "serve-iso20022", POSTBUS_DEADLINE_SECONDS=short),
            environment(stack, "receive-message", POSTBUS_DEADLINE_SECONDS=short),
        ):
            silent = client.opened()
            began = datetime.now(UTC)
            transaction_id = client.sent(pacs_008([Payment()]))
            told = client.ends(transaction_id, "RJCT", seconds=240)
            ended = client.ends(silent, "RJCT", seconds=240)
    assert datetime.fromisoformat(told["history"][-1]["at"]) - began >= timedelta(seconds=2)
    assert set(client.outgoing(transaction_id).texts("Cd")) == {"AB03"}
    assert client.outgoing(silent).status == 404
    assert ended["documents"] == []
    stack.quiet(120)
    outcome = stack.outcomes.find(pipeline_transaction_id(transaction_id, 1))
    assert outcome is not None
    assert outcome.state is OutcomeState.VOIDED


def test_a_step_that_failed_is_taken_up_again(stack: Stack, client: Client) -> None:
    with environment(stack, "process-message", AWS_ENDPOINT_URL_S3=NOWHERE):
        transaction_id = client.sent(pacs_008([Payment()]))
        until("the step has failed", lambda: logged(stack, "process-message", "deferred"))
        assert client.told(transaction_id)["status"] == "ACTC"
        assert client.wants(transaction_id, "redrive").status == 202
    client.ends(transaction_id, "ACSC", seconds=180)
    assert client.wants(transaction_id, "redrive").status == 409
    assert amounts(stack, transaction_id) == {
        ("current-anna", "debit", "1234"), ("current-bruno", "credit", "1234")
    }  # fmt: skip


def test_every_step_sent_again_changes_nothing(stack: Stack, client: Client) -> None:
    transaction_id = client.sent(pacs_008([Payment()]))
    told = client.ends(transaction_id, "ACSC")
    answer, before = client.outgoing(transaction_id), stack.books()
    queues = stack.client("sqs")
    for step in ("receive", "process", "decide", "release"):
        body = {"transaction_id": transaction_id, "step": step, "attempt": 9}
        queues.send_message(
            QueueUrl=stack.deployment["queues"][step],
            MessageBody=json.dumps(body),
            MessageGroupId=transaction_id,
            MessageDeduplicationId=f"{transaction_id}.{step}.9",
        )
    for step in ("receive", "process", "decide", "release"):
        url = stack.deployment["queues"][step]
        until(f"{step} took it", lambda url=url: stack.depth(url) == 0)
    stack.quiet()
    assert stack.books() == before
    assert client.told(transaction_id)["history"] == told["history"]
    assert client.outgoing(transaction_id).body == answer.body


SANCTIONED = "Viktor Testowitsch Sanctionov"
