"""The whole chain with an external posting system as its ledger: deployed, and misbehaved at."""

import json
from collections.abc import Iterator

import pytest

from postbus.domain.lifecycle import OutcomeState
from tests.e2e.faults import environment, granted
from tests.e2e.stack import Stack, new_id, visa_record
from tests.servers.misbehaving_ledger import MisbehavingLedger, Way

pytestmark = [
    pytest.mark.e2e,
    # The posting system stands on this machine, at an address of its own loopback.
    pytest.mark.needs("pipes_or_runner", "workflows", "host_functions"),
]


@pytest.fixture
def system(stack: Stack) -> Iterator[MisbehavingLedger]:
    """A posting system that the deployed posting function books with, by the credentials of a secret."""
    token = f"token-{new_id()}"
    secrets = stack.client("secretsmanager")
    secret = secrets.create_secret(
        Name=f"posting-system-{new_id()}", SecretString=json.dumps({"token": token})
    )
    with MisbehavingLedger(tokens=[token]) as server:
        try:
            with (
                granted(stack, "post", "secretsmanager:GetSecretValue", secret["ARN"]),
                environment(
                    stack,
                    "post",
                    POSTBUS_LEDGER="http",
                    POSTBUS_HTTP_LEDGER_URL=server.url,
                    POSTBUS_HTTP_LEDGER_SECRET_ID=secret["ARN"],
                ),
            ):
                yield server
        finally:
            secrets.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)


def test_every_payment_is_booked_once_whatever_the_posting_system_does(
    stack: Stack, system: MisbehavingLedger
) -> None:
    system.post_ways(
        Way.DROP_AFTER_BOOKING,
        Way.ERROR_AFTER_BOOKING,
        Way.ERROR_BEFORE_BOOKING,
        Way.TRUNCATED_BODY,
        Way.FORBIDDEN,
    )
    before = stack.trial_balance()
    sent = [stack.put_record("visa", visa_record()) for _ in range(8)]
    for transaction_id in sent:
        outcome = stack.outcome(transaction_id, OutcomeState.POSTED)
        assert outcome.data["ledger"] == "http"
        assert outcome.data["amount"] == {"amount": "1299", "currency": "EUR"}
    assert {key: system.books.times_booked[key] for key in sent} == dict.fromkeys(sent, 1)
    assert stack.trial_balance() == before, "nothing was booked in the ledger beside it"


def test_its_refusal_is_an_outcome_that_tells_why(stack: Stack, system: MisbehavingLedger) -> None:
    system.post_ways(Way.REFUSED)
    outcome = stack.outcome(stack.put_record("visa", visa_record()), OutcomeState.VOIDED)
    assert outcome.event_type == "TransactionPostingFailed"
    assert outcome.data["reason"]["text"].endswith("INSUFFICIENT_FUNDS")
