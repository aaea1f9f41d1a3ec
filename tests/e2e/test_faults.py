"""What goes wrong on the way, and that every payment arrives all the same: once, and as authorised."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from postbus.adapters.eventbridge_bus import entry
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState
from tests.e2e.faults import NOWHERE, bus_that_refuses_an_entry_once, environment, logged, workflow_that_dies
from tests.e2e.stack import Stack, new_id, until, visa_record

pytestmark = [pytest.mark.e2e, pytest.mark.needs("pipes_or_runner", "workflows")]


def entries(stack: Stack, transaction_id: str) -> list[Any]:
    outcome = stack.outcomes.find(transaction_id)
    return list(outcome.data["entries"]) if outcome and "entries" in outcome.data else []


def test_one_poison_message_in_a_batch_of_ten_holds_nobody_back(stack: Stack) -> None:
    poison = f"not an event {new_id()}"
    sqs, url = stack.client("sqs"), stack.deployment["queues"]["posting"]
    with environment(stack, "post", AWS_ENDPOINT_URL_DYNAMODB=NOWHERE):
        # While the ledger is away nine approved payments gather in the queue; the poison joins them.
        waiting = [stack.put_record("visa", visa_record()) for _ in range(9)]
        for transaction_id in waiting:
            stack.tells(transaction_id, "TransactionPostingApproved")
        sqs.send_message(QueueUrl=url, MessageBody=poison)
    for transaction_id in waiting:
        stack.outcome(transaction_id, OutcomeState.POSTED)

    def parked() -> Any:
        shown = stack.postbus("dlq", "show", "posting", "--json")
        return [message for message in shown["messages"] if message["body"] == poison]

    (message,) = until("the poison is parked with its reason", parked)
    assert "JSON" in message["reason"]
    assert set(stack.trial_balance().values()) == {0}


def test_a_crash_between_the_ledgers_write_and_the_event_announces_it_again(stack: Stack) -> None:
    with environment(stack, "post", AWS_ENDPOINT_URL_EVENTBRIDGE=NOWHERE):
        transaction_id = stack.put_record("visa", visa_record())
        stack.outcome(transaction_id, OutcomeState.POSTED)
        before = entries(stack, transaction_id)
        assert "TransactionPosted" not in [event.type for event in stack.story(transaction_id)]
    stack.tells(transaction_id, "TransactionPosted")
    assert entries(stack, transaction_id) == before
    assert set(stack.trial_balance().values()) == {0}


def test_a_ledger_that_is_away_for_a_while_loses_nothing_and_fills_no_dead_letters(stack: Stack) -> None:
    dead_before = stack.depth(stack.deployment["dead_letters"]["posting"])
    with environment(stack, "post", AWS_ENDPOINT_URL_DYNAMODB=NOWHERE):
        waiting = [stack.put_record("visa", visa_record()) for _ in range(5)]
        for transaction_id in waiting:
            stack.tells(transaction_id, "TransactionPostingApproved")
        assert all(stack.outcomes.find(transaction_id) is None for transaction_id in waiting)
    for transaction_id in waiting:
        stack.outcome(transaction_id, OutcomeState.POSTED)
    assert stack.depth(stack.deployment["dead_letters"]["posting"]) == dead_before


def test_the_workflow_tries_again_while_its_rules_are_away(stack: Stack) -> None:
    dead_before = stack.depth(stack.deployment["dead_letters"]["business-rules"])
    with environment(stack, "evaluate-rules", AWS_ENDPOINT_URL_S3=NOWHERE):
        transaction_id = stack.put_record("visa", visa_record())
        stack.tells(transaction_id, "TransactionEnriched")
        until("the rules have failed once", lambda: logged(stack, "evaluate-rules", "Unavailable"))
        assert stack.outcomes.find(transaction_id) is None
    stack.outcome(transaction_id, OutcomeState.POSTED)
    assert [event.type for event in stack.story(transaction_id)].count("TransactionEnriched") == 1
    assert stack.depth(stack.deployment["dead_letters"]["business-rules"]) == dead_before


def test_an_entry_that_the_bus_refuses_is_sent_again(stack: Stack) -> None:
    with bus_that_refuses_an_entry_once(stack):
        transaction_id = stack.put_record("visa", visa_record())
        posted = stack.outcome(transaction_id, OutcomeState.POSTED)
    assert posted.data["billing"]["amount"] == "1299"
    assert set(stack.trial_balance().values()) == {0}


def test_an_execution_that_dies_uncaught_is_swept(stack: Stack) -> None:
    with workflow_that_dies(stack):
        transaction_id = stack.put_record("visa", visa_record())
        stack.tells(transaction_id, "TransactionEnriched")
    with environment(stack, "sweep", POSTBUS_SWEEP_AFTER_SECONDS="0"):
        stack.invoke("sweep", {})
    stack.outcome(transaction_id, OutcomeState.POSTED)


def test_dead_letters_are_listed_shown_and_redriven(stack: Stack) -> None:
    transaction_id = stack.put_record("visa", visa_record())
    stack.outcome(transaction_id, OutcomeState.POSTED)
    url = stack.deployment["dead_letters"]["posting"]
    event = Event.first(
        "TransactionPostingApproved", f"visa-{new_id()}", "command:test", datetime.now(UTC), {}
    )
    message = {"source": "postbus.business_rules", "detail-type": event.type, "detail": event.to_detail()}
    stack.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(message))
    until(
        "it is listed",
        lambda: [
            queue
            for queue in stack.postbus("dlq", "list", "--json")["queues"]
            if queue["name"] == "posting" and queue["messages"] > 0
        ],
    )
    shown = stack.postbus("dlq", "show", "posting", "--json")["messages"]
    assert event.event_id in json.dumps(shown)
    redriven = stack.postbus("dlq", "redrive", "posting", "--json")
    assert redriven["redriven"] >= 1
    # It has no transaction in it, so the poster parks it again, this time with the field it lacks.
    until(
        "it is parked again, with its reason",
        lambda: [
            message
            for message in stack.postbus("dlq", "show", "posting", "--json")["messages"]
            if event.event_id in message["body"] and "transaction" in (message["reason"] or "")
        ],
    )


def test_a_refused_message_of_every_queue_lands_in_its_dead_letters(stack: Stack) -> None:
    for name in ("enrich", "timeline"):
        body = f"garbage {new_id()}"
        stack.client("sqs").send_message(QueueUrl=stack.deployment["queues"][name], MessageBody=body)
        until(
            f"{name} parks garbage",
            lambda n=name, b=body: [
                message
                for message in stack.postbus("dlq", "show", n, "--json")["messages"]
                if message["body"] == b
            ],
        )


def test_an_event_sent_twice_at_every_hop_changes_nothing(stack: Stack) -> None:
    transaction_id = stack.put_record("visa", visa_record())
    stack.outcome(transaction_id, OutcomeState.POSTED)
    stack.quiet()
    before = stack.books()
    told = stack.story(transaction_id)
    assert len(told) >= 4
    stack.publish(*told)
    stack.publish(*reversed(told))
    assert entry(told[0], "x")["DetailType"] == "TransactionAuthorized"
    stack.quiet()
    assert stack.books() == before
