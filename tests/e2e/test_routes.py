"""What is deployed is what the routes say, and what travels is what the catalogue says."""

import json
from typing import Any

import pytest

from docs.generate import routes
from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
from postbus.domain.lifecycle import OutcomeState
from tests.contract.conformance import assert_conforms
from tests.e2e.stack import Stack, visa_record

pytestmark = [pytest.mark.e2e, pytest.mark.needs("pipes_or_runner", "workflows")]


def canonical(pattern: Any) -> str:
    return json.dumps(pattern, sort_keys=True)


def test_the_rules_of_the_bus_and_its_archive_have_the_patterns_of_the_routes(stack: Stack) -> None:
    events = stack.client("events")
    rules = events.list_rules(EventBusName=stack.deployment["bus"])["Rules"]
    own = [rule for rule in rules if not rule.get("ManagedBy")]
    deployed = {canonical(json.loads(rule["EventPattern"])) for rule in own}
    assert {rule["Name"] for rule in own} == stack.deployment["rules"].keys()
    assert deployed == {canonical(route["pattern"]) for name, route in routes().items() if name != "archive"}
    archive = events.describe_archive(ArchiveName=stack.deployment["archive"])
    assert json.loads(archive["EventPattern"]) == routes()["archive"]["pattern"]


def test_every_rule_has_one_target_and_each_route_a_rule_of_its_own(stack: Stack) -> None:
    events = stack.client("events")
    names = list(stack.deployment["rules"])
    assert len(names) == len(routes()) - 1
    for name in names:
        targets = events.list_targets_by_rule(Rule=name, EventBusName=stack.deployment["bus"])["Targets"]
        assert len(targets) == 1, name


def test_every_event_of_every_transaction_is_as_its_schema_says(stack: Stack) -> None:
    own = stack.put_record("visa", visa_record())
    stack.outcome(own, OutcomeState.POSTED)
    stack.quiet()
    timeline = DynamoDbTimeline(stack.client("dynamodb"), stack.deployment["tables"]["timeline"])
    seen = {item["transaction_id"]["S"] for item in stack.scan("timeline")}
    assert own in seen
    for transaction_id in sorted(seen):
        for event in timeline.story(transaction_id).events:
            assert_conforms(event)
