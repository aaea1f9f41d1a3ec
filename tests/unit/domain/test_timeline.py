"""A story is the same in whatever order, and however often, its events come."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.event import Event
from postbus.domain.lifecycle import FACTS, State
from postbus.domain.timeline import LONGEST_PAUSE, Sent, Story, next_sweep
from tests.fakes import stories
from tests.fakes.approvals import NOON

FIVE_MINUTES = timedelta(minutes=5)


@st.composite
def told(draw: st.DrawFn) -> list[Event]:
    """Events of one transaction that anything may have happened to, each told once or more."""
    first = stories.authorized()
    events = [first]
    for name in draw(st.lists(st.sampled_from(sorted(FACTS)), max_size=8)):
        cause = draw(st.sampled_from(events))
        # Clocks of different functions may disagree.
        events.append(cause.then(name, NOON + timedelta(milliseconds=draw(st.integers(-500, 500))), {}))
    again = draw(st.lists(st.sampled_from(events), max_size=6))
    replayed = [
        replace(event, replay="again") for event in draw(st.lists(st.sampled_from(events), max_size=3))
    ]
    return draw(st.permutations([*events, *again, *replayed]))


@given(told(), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_the_same_events_tells_the_same_story(
    events: list[Event], chance
) -> None:  # type: ignore[no-untyped-def]
    story = Story.of(events)
    shuffled = [*events, *events[:3]]
    chance.shuffle(shuffled)
    assert Story.of(shuffled) == story
    assert Story.of(shuffled).state is story.state
    assert Story.of(shuffled).last == story.last


@given(told())
def test_every_event_comes_after_its_cause_whatever_the_clocks_say(events: list[Event]) -> None:
    places = {event.event_id: place for place, event in enumerate(Story.of(events).events)}
    for event in events:
        if event.causation_id in places:
            assert places[event.causation_id] < places[event.event_id]


def test_the_state_is_the_furthest_one_and_not_the_last_to_arrive() -> None:
    events = stories.paid()
    for order in itertools.permutations(events):
        assert Story.of(order).state is State.POSTED
        assert [event.type for event in Story.of(order).events] == [event.type for event in events]


def test_what_a_replay_tells_stands_only_when_there_is_no_other_telling() -> None:
    first = stories.authorized()
    assert Story.of([replace(first, replay="r"), first]).events == (first,)
    assert Story.of([replace(first, replay="r")]).events[0].replay == "r"


def test_the_last_event_is_the_latest_of_those_that_put_it_into_its_state() -> None:
    first = stories.authorized()
    second = stories.enriched(first)
    remark = second.then("ForeignTransactionFound", NOON + timedelta(hours=1), {})
    assert Story.of([remark, first, second]).last == second


def test_a_story_without_events_has_no_state_no_beginning_and_no_last_event() -> None:
    story = Story.of([])
    assert story.state is story.last is story.began_at is story.moved_at is None
    assert not story.is_final


def test_pauses_double_up_to_the_longest() -> None:
    sent, pauses = None, []
    for _ in range(12):
        due = next_sweep(NOON, "e", sent, FIVE_MINUTES)
        pauses.append(int((due - (sent.at if sent else NOON)).total_seconds() // 60))
        sent = Sent("e", due)
    assert pauses == [5, 5, 10, 20, 40, 80, 160, 320, 360, 360, 360, 360]
    assert timedelta(hours=6) == LONGEST_PAUSE


def test_a_pause_earned_by_an_earlier_event_does_not_delay_a_later_one() -> None:
    moved = NOON + timedelta(hours=3)
    sent = Sent("earlier", moved - timedelta(minutes=1))
    assert next_sweep(moved, "later", sent, FIVE_MINUTES) == moved + FIVE_MINUTES


@pytest.mark.parametrize("name", sorted(FACTS))
def test_every_event_alone_tells_its_own_state(name: str) -> None:
    event = Event.first(name, "visa-A1", "record:x", NOON, {})
    assert Story.of([event]).state is FACTS[name].state
