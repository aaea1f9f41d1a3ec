"""What got stuck is found and sent again; what is held, final or patient is left alone."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from postbus.domain import release
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.release import Command
from postbus.domain.rules import Evaluation
from postbus.functions.sweep.handler import build
from postbus.ports import Timeline
from tests.contract.conformance import assert_conforms
from tests.fakes import stories
from tests.fakes.approvals import ALICE, NOON
from tests.fakes.ledger import Books, InMemoryOutcomes
from tests.fakes.stories import HIGH_AMOUNT, RecordingBus
from tests.fakes.timeline import InMemoryTimeline

FIVE_MINUTES = timedelta(minutes=5)
COMMAND = Command("jane", "because", NOON)


@dataclass
class Metrics:
    values: dict[str, float] = field(default_factory=dict)

    def publish(self, name: str, value: float) -> None:
        self.values[name] = value


class Sweeper:
    """A sweeper with a clock that the test turns."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.books = Books()
        self.outcomes = InMemoryOutcomes(self.books)
        self.bus = RecordingBus()
        self.metrics = Metrics()
        self.now = NOON
        self.sweep = build(timeline, self.outcomes, self.bus, self.metrics, lambda: self.now, FIVE_MINUTES)

    def run(self, at: datetime) -> list[Event]:
        """The events that a run at this time sends; they reach the timeline, as on the bus."""
        self.now = at
        before = len(self.bus.published)
        self.sweep({})
        sent = self.bus.published[before:]
        for event in sent:
            assert_conforms(event)
        self.timeline.record(sent)
        return sent


@pytest.fixture
def sweeper(timeline: Timeline) -> Sweeper:
    return Sweeper(timeline)


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def test_the_last_event_of_what_stands_still_is_sent_again_as_it_was(sweeper: Sweeper) -> None:
    events = stories.paid()[:2]
    sweeper.timeline.record(events)
    assert sweeper.run(minutes(4)) == []
    assert sweeper.run(minutes(6)) == [events[1]]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]])
def test_it_is_the_furthest_event_whatever_came_last(sweeper: Sweeper, order: list[int]) -> None:
    events = stories.paid()[:3]
    for index in order:
        sweeper.timeline.record([events[index]])
    assert sweeper.run(minutes(6)) == [events[2]]


def test_an_outage_of_three_days_sends_each_payment_a_score_of_times_and_not_a_thousand() -> None:
    sweeper = Sweeper(InMemoryTimeline())
    sweeper.timeline.record(stories.paid()[:3])
    sent = [number for number in range(72 * 60) if sweeper.run(minutes(number))]
    gaps = [later - earlier for earlier, later in zip([0, *sent], sent, strict=False)]
    assert gaps[:7] == [6, 6, 12, 24, 48, 96, 192]
    assert max(gaps) <= 361
    assert len(sent) < 20


def test_a_step_forward_earns_a_fresh_pause(sweeper: Sweeper) -> None:
    events = stories.paid()
    sweeper.timeline.record(events[:1])
    for number in range(0, 120, 5):
        sweeper.run(minutes(number))
    moved = stories.approved(events[1], after=120 * 60)
    sweeper.timeline.record([moved])
    assert sweeper.run(minutes(124)) == []
    assert sweeper.run(minutes(126)) == [moved]


def test_what_is_held_is_left_alone_and_counted(sweeper: Sweeper) -> None:
    events, outcome = stories.held()
    sweeper.timeline.record(events)
    sweeper.outcomes.decide(outcome)
    assert sweeper.run(minutes(6)) == []
    assert sweeper.run(minutes(600)) == []
    assert sweeper.metrics.values == {
        "OldestOpenSeconds": 0,
        "OpenTransactions": 0,
        "HeldTransactions": 1,
        "OldestHeldSeconds": 600 * 60,
    }


def test_a_hold_that_was_decided_but_not_announced_is_announced(sweeper: Sweeper) -> None:
    events, outcome = stories.held()
    sweeper.timeline.record(events[:2])
    sweeper.outcomes.decide(outcome)
    assert sweeper.run(minutes(6)) == [events[2]]
    assert sweeper.run(minutes(12)) == []


def test_what_was_posted_but_not_announced_is_announced_instead_of_approved_again(sweeper: Sweeper) -> None:
    events = stories.paid()
    sweeper.timeline.record(events[:3])
    sweeper.outcomes.decide(outcome_of(events[2], events[3]))
    assert sweeper.run(minutes(6)) == [events[3]]
    assert sweeper.run(minutes(60)) == []
    assert list(sweeper.timeline.open()) == []


def outcome_of(cause: Event, posted: Event) -> Outcome:
    return Outcome.of(
        cause, OutcomeState.POSTED, posted.type, posted.data["content_hash"], posted.occurred_at, posted.data
    )


def test_what_a_late_batch_listed_though_it_is_final_is_closed_without_a_word(sweeper: Sweeper) -> None:
    events = stories.paid()
    sweeper.timeline.record(events[2:])
    sweeper.timeline.record(events[:2])
    assert sweeper.run(minutes(6)) == []
    assert list(sweeper.timeline.open()) == []


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("moves", [1, 2, 3])
def test_a_reversal_that_is_not_of_it_takes_nothing_off_the_list(
    sweeper: Sweeper, moves: int, first: bool
) -> None:
    events = stories.paid()[:moves]
    _, voided = stories.came_first("A1")
    sweeper.outcomes.decide(voided)
    for batch in ([voided.announcement()], events) if first else (events, [voided.announcement()]):
        sweeper.timeline.record(batch)
    assert sweeper.run(minutes(6)) == [events[-1]]
    assert [one.transaction_id for one in sweeper.timeline.open()] == ["visa-A1"]


def test_a_hold_stands_beside_a_reversal_that_is_not_of_it(sweeper: Sweeper) -> None:
    events, outcome = stories.held()
    _, voided = stories.came_first("A1")
    sweeper.outcomes.decide(voided)
    sweeper.outcomes.decide(outcome)
    sweeper.timeline.record([*events, voided.announcement()])
    assert sweeper.run(minutes(6)) == []
    assert sweeper.metrics.values["HeldTransactions"] == 1


def test_what_a_reversal_of_it_voided_is_closed_once_it_is_told(sweeper: Sweeper) -> None:
    events = stories.paid()[:3]
    _, voided = stories.came_first("A1", fits=True)
    sweeper.outcomes.decide(voided)
    sweeper.timeline.record(events)
    assert sweeper.run(minutes(6)) == [voided.announcement()]
    assert sweeper.run(minutes(12)) == []
    assert list(sweeper.timeline.open()) == []


def test_what_was_posted_beside_a_reversal_that_is_not_of_it_is_announced(sweeper: Sweeper) -> None:
    events = stories.paid()
    _, voided = stories.came_first("A1")
    sweeper.timeline.record([*events[:3], voided.announcement()])
    sweeper.outcomes.decide(outcome_of(events[2], events[3]))
    assert sweeper.run(minutes(6)) == [events[3]]
    assert list(sweeper.timeline.open()) == []


def released(sweeper: Sweeper, at: datetime = NOON) -> tuple[list[Event], Outcome]:
    events, held = stories.held(at=at)
    sweeper.outcomes.decide(held)
    enriched = release.examine(held, ALICE.to_data(), None)
    wanted = release.release(
        held, enriched, Evaluation((HIGH_AMOUNT,), "r2"), ["high-amount"], Command("jane", "because", at)
    )
    assert isinstance(wanted, Outcome)
    assert sweeper.outcomes.decide(wanted) == wanted
    return events, wanted


def test_a_release_whose_announcement_was_lost_is_announced_whole(sweeper: Sweeper) -> None:
    events, outcome = released(sweeper)
    sweeper.timeline.record(events)
    assert sweeper.run(minutes(6)) == list(release.announcements(outcome))


def test_a_release_is_found_even_if_the_timeline_knows_nothing_of_it(sweeper: Sweeper) -> None:
    _, outcome = released(sweeper)
    assert sweeper.run(minutes(6)) == list(release.announcements(outcome))
    assert sweeper.run(minutes(7)) == []


def test_a_refusal_whose_announcement_was_lost_is_announced_and_then_never_again(sweeper: Sweeper) -> None:
    events, held = stories.held()
    sweeper.timeline.record(events)
    sweeper.outcomes.decide(held)
    refused = sweeper.outcomes.decide(release.refuse(held, COMMAND))
    sweeper.bus.refuses = {"TransactionVoided"}
    assert sweeper.run(minutes(1)) == []
    sweeper.bus.refuses = set()
    assert sweeper.run(minutes(2)) == [refused.announcement()]
    assert sweeper.run(minutes(3)) == []


def test_what_the_bus_refused_is_sent_by_the_next_run(sweeper: Sweeper) -> None:
    events = stories.paid()[:2]
    sweeper.timeline.record(events)
    sweeper.bus.refuses = {"TransactionEnriched"}
    assert sweeper.run(minutes(6)) == []
    sweeper.bus.refuses = set()
    assert sweeper.run(minutes(7)) == [events[1]]


def test_a_run_is_bounded_and_the_next_one_goes_on_where_it_ended(
    sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postbus.functions.sweep.handler._MOST_LOOKS", 20)
    for number in range(50):
        sweeper.timeline.record([stories.authorized(f"E{number}", NOON - timedelta(seconds=number))])
    # Every other run puts off what the one before has sent, for those events have been listed anew.
    sent = [sweeper.run(minutes(6 + run / 60)) for run in range(6)]
    assert [len(events) for events in sent] == [20, 0, 20, 0, 10, 0]
    told = [event.transaction_id for events in sent for event in events]
    assert told == [f"visa-E{number}" for number in reversed(range(50))]


def test_the_oldest_that_moves_and_the_oldest_that_is_held_are_measured(sweeper: Sweeper) -> None:
    events, outcome = stories.held("H1", at=minutes(-500))
    sweeper.timeline.record(events)
    sweeper.outcomes.decide(outcome)
    sweeper.timeline.record(stories.paid("P1", minutes(-400)))
    sweeper.timeline.record(stories.paid("O1", minutes(-10))[:2])
    sweeper.timeline.record(stories.paid("O2", minutes(-1))[:1])
    sweeper.run(NOON)
    assert sweeper.metrics.values == {
        "OldestOpenSeconds": 600,
        "OpenTransactions": 2,
        "HeldTransactions": 1,
        "OldestHeldSeconds": 500 * 60,
    }


def test_the_deployed_handler_sweeps(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
    from postbus.functions.sweep.handler import bind
    from postbus.runtime.clients import client
    from postbus.runtime.config import Config
    from tests.component.ledger.worlds import create_tables

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client.cache_clear()
    create_tables(dynamodb)
    boto3.client("events").create_event_bus(Name="postbus")
    DynamoDbTimeline(dynamodb, "timeline").record(stories.paid()[:2])
    names = {"TIMELINE_TABLE": "timeline", "LEDGER_TABLE": "ledger", "BUS": "postbus"}
    config = Config({f"POSTBUS_{name}": value for name, value in names.items()})
    assert bind(config)({}) == {"announced": 0, "looked": 1, "sent": 1, "closed": 0}
    found = boto3.client("cloudwatch").list_metrics(Namespace="Postbus")["Metrics"]
    assert {metric["MetricName"] for metric in found} == {
        "OldestOpenSeconds",
        "OpenTransactions",
        "HeldTransactions",
        "OldestHeldSeconds",
    }
    client.cache_clear()
