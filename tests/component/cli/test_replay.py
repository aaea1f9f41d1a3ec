"""A replay goes to the named rules only, and a dry run says what it would bring."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.component.cli.conftest import World
from tests.fakes import stories


def span(begin: datetime, end: datetime) -> tuple[str, ...]:
    return ("--from", begin.isoformat(), "--to", end.isoformat())


NOW = datetime.now(UTC)
AN_HOUR = span(NOW - timedelta(hours=1), NOW)


def test_a_dry_run_counts_what_each_rule_would_get_and_starts_nothing(world: World) -> None:
    at = NOW - timedelta(minutes=30)
    world.timeline.record([*stories.paid("A1", at), *stories.paid("A2", at)[:2]])
    world.timeline.record(stories.paid("A1", at)[1:])
    world.timeline.record(stories.paid("OLD", NOW - timedelta(hours=3)))
    answer = world.ask("replay", *AN_HOUR, "--rule", "enrich", "--rule", "postbus-posting", "--dry-run")
    assert answer["would_replay"] == {
        "enrich": {"TransactionAuthorized": 2},
        "postbus-posting": {"TransactionPostingApproved": 1},
    }
    assert world.client("events").list_replays()["Replays"] == []


def test_a_replay_is_started_to_the_named_rules_and_waited_for(world: World) -> None:
    started: list[dict[str, Any]] = []
    events = world.client("events")
    events.meta.events.register(
        "before-parameter-build.events.StartReplay", lambda params, **_: started.append(dict(params))
    )
    answer = world.ask("replay", *AN_HOUR, "--rule", "enrich")
    assert answer["state"] == "COMPLETED"
    (request,) = started
    assert request["Destination"] == {
        "Arn": world.deployment.text("bus_arn"),
        "FilterArns": [world.deployment.one("rules", "postbus-enrich")],
    }
    assert request["EventSourceArn"] == world.deployment.text("archive_arn")


YESTERDAY, TOMORROW = NOW - timedelta(days=1), NOW + timedelta(days=1)
LONG_AGO = NOW - timedelta(days=99)
ENRICH = ("--rule", "enrich")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "yesterday", "--to", "2026-01-02T00:00:00Z", *ENRICH), "--from: an RFC 3339 time"),
        (("--from", "2026-01-01T00:00:00", "--to", "2026-01-02T00:00:00Z", *ENRICH), "a time with a zone"),
        ((*span(NOW, YESTERDAY), *ENRICH), "--to: later than --from"),
        ((*span(TOMORROW, TOMORROW + timedelta(hours=1)), *ENRICH), "--from: a time that has passed"),
        ((*span(LONG_AGO, LONG_AGO + timedelta(days=1)), *ENRICH), "keeps 30 days"),
        ((*AN_HOUR, "--rule", "nothing"), "--rule: one of enrich, posting, timeline"),
        (AN_HOUR, "--rule"),
    ],
)
def test_bad_input_is_named_and_nothing_is_started(world: World, words: tuple[str, ...], said: str) -> None:
    answer = world.run("replay", *words)
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert world.client("events").list_replays()["Replays"] == []
