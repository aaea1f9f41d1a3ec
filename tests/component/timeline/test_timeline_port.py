"""What any timeline does, in memory or in a table."""

import itertools
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postbus.domain.event import Event
from postbus.domain.lifecycle import State
from postbus.domain.timeline import Sent
from postbus.ports import OpenTransaction, Timeline
from tests.fakes import stories
from tests.fakes.approvals import NOON

PAID = stories.paid("A1")
EVER = NOON + timedelta(days=1)

BATCHES = [
    [[0, 1, 2, 3]],
    [[0], [1], [2], [3]],
    [[3], [2], [1], [0]],
    [[0, 1], [1, 2], [3], [2, 3], [0]],
    [[3, 0], [1, 2]],
    [[2, 1, 3], [0]],
    [[0, 0, 1], [1, 2, 3], [0, 1, 2, 3]],
]


@pytest.mark.parametrize("batches", BATCHES)
def test_however_the_events_are_batched_the_story_is_the_same(
    timeline: Timeline, batches: list[list[int]]
) -> None:
    for batch in batches:
        assert timeline.record([PAID[index] for index in batch]) == {}
    story = timeline.story("visa-A1")
    assert list(story.events) == PAID
    assert story.state is State.POSTED


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_batching_order_or_repetition_changes_the_story(timeline: Timeline, data: st.DataObject) -> None:
    auth = uuid.uuid4().hex[:8]
    events = stories.paid(auth) if data.draw(st.booleans()) else stories.held(auth)[0]
    told = data.draw(st.permutations([*events, *data.draw(st.lists(st.sampled_from(events), max_size=4))]))
    while told:
        size = data.draw(st.integers(1, len(told)))
        timeline.record(told[:size])
        told = told[size:]
    assert list(timeline.story(f"visa-{auth}").events) == events
    listed = f"visa-{auth}" in set(timeline.idle(EVER))
    assert listed or timeline.story(f"visa-{auth}").is_final


def test_an_unknown_transaction_has_a_story_without_events(timeline: Timeline) -> None:
    assert timeline.story("visa-nobody").events == ()


def test_a_batch_of_many_transactions_keeps_each_story_apart(timeline: Timeline) -> None:
    all_paid = [stories.paid(f"B{number}") for number in range(40)]
    timeline.record([event for events in zip(*all_paid, strict=True) for event in events])
    for events in all_paid:
        assert list(timeline.story(events[0].transaction_id).events) == events


def test_every_word_of_an_event_comes_back(timeline: Timeline) -> None:
    event = Event.first(
        "TransactionAuthorized", "visa-Ünï", "record:x", NOON, {"text": "“ž”", "n": [1, None, True]}
    )
    timeline.record([replace(event, replay="again")])
    assert timeline.story("visa-Ünï").events == (replace(event, replay="again"),)


def test_a_replay_of_the_same_batch_does_not_take_the_place_of_what_was_told_first(
    timeline: Timeline,
) -> None:
    timeline.record(PAID)
    timeline.record([replace(event, replay="again") for event in PAID])
    timeline.record([replace(event, occurred_at=EVER) for event in PAID])
    assert list(timeline.story("visa-A1").events) == PAID


def test_what_is_not_final_is_listed_from_its_last_move_on(timeline: Timeline) -> None:
    timeline.record(PAID[:2])
    moved = PAID[1].occurred_at
    assert list(timeline.idle(moved)) == ["visa-A1"]
    assert list(timeline.idle(moved - timedelta(milliseconds=1))) == []
    assert list(timeline.open()) == [OpenTransaction("visa-A1", State.ENRICHED, PAID[0].occurred_at)]


def test_what_is_final_in_one_batch_is_never_listed(timeline: Timeline) -> None:
    timeline.record(PAID)
    assert list(timeline.open()) == []


@pytest.mark.parametrize("later", [[3], [2, 3]])
def test_a_final_event_takes_it_off_the_list(timeline: Timeline, later: list[int]) -> None:
    timeline.record(PAID[:2])
    timeline.record([PAID[index] for index in later])
    assert list(timeline.open()) == []


@pytest.mark.parametrize("apart", [True, False])
def test_a_voiding_of_another_story_neither_lists_nor_takes_off(timeline: Timeline, apart: bool) -> None:
    voided = stories.came_first("A1")[1].announcement()
    timeline.record([voided])
    assert list(timeline.open()) == []
    for batch in (PAID[:2], [voided]) if apart else ([*PAID[:2], voided],):
        timeline.record(batch)
    assert list(timeline.open()) == [OpenTransaction("visa-A1", State.ENRICHED, PAID[0].occurred_at)]
    timeline.record(PAID[2:])
    assert list(timeline.open()) == []


def test_a_remark_alone_lists_nothing(timeline: Timeline) -> None:
    timeline.record([PAID[1].then("ForeignTransactionFound", NOON, {})])
    assert list(timeline.open()) == []


def test_the_longest_idle_comes_first_whatever_their_ids(timeline: Timeline) -> None:
    ages = [7, 3, 9, 1, 8, 2, 6, 4, 0, 5, 11, 10]
    for number, age in enumerate(ages):
        timeline.record([stories.authorized(f"C{number}", NOON - timedelta(minutes=age))])
    expected = [
        f"visa-C{number}" for _, number in sorted(zip(ages, itertools.count(), strict=False), reverse=True)
    ]
    assert list(timeline.idle(NOON)) == expected


def test_more_than_a_page_is_listed_whole(timeline: Timeline) -> None:
    timeline.record([stories.authorized(f"D{number}") for number in range(300)])
    assert len(list(timeline.idle(EVER))) == 300
    assert len(list(timeline.open())) == 300


def test_the_sweeper_can_put_a_transaction_off_and_correct_what_is_listed(timeline: Timeline) -> None:
    timeline.record(PAID[:2])
    seen = timeline.story("visa-A1").idle_since
    assert seen == PAID[1].occurred_at
    corrected = OpenTransaction("visa-A1", State.HELD, NOON - timedelta(hours=1))
    timeline.look_again(corrected, seen, EVER)
    assert list(timeline.idle(EVER - timedelta(seconds=1))) == []
    assert list(timeline.idle(EVER)) == ["visa-A1"]
    assert list(timeline.open()) == [corrected]


def test_a_transaction_listed_anew_in_the_meantime_is_not_put_off(timeline: Timeline) -> None:
    timeline.record(PAID[:1])
    seen = timeline.story("visa-A1").idle_since
    assert seen is not None
    timeline.record(PAID[1:2])
    timeline.look_again(OpenTransaction("visa-A1", State.AUTHORIZED, NOON), seen, EVER)
    assert list(timeline.idle(PAID[1].occurred_at)) == ["visa-A1"]


def test_a_transaction_taken_off_in_the_meantime_is_not_listed_again(timeline: Timeline) -> None:
    timeline.record(PAID[:2])
    seen = timeline.story("visa-A1").idle_since
    assert seen is not None
    timeline.record(PAID[3:])
    timeline.look_again(OpenTransaction("visa-A1", State.ENRICHED, NOON), seen, EVER)
    assert list(timeline.open()) == []


def test_a_late_batch_may_list_what_is_final_until_the_sweeper_closes_it(timeline: Timeline) -> None:
    timeline.record(PAID[3:])
    timeline.record(PAID[:2])
    assert list(timeline.idle(EVER)) == ["visa-A1"]
    assert timeline.story("visa-A1").is_final
    timeline.close("visa-A1")
    timeline.close("visa-A1")
    assert list(timeline.open()) == []


def test_what_the_sweeper_sent_is_remembered_and_is_no_event(timeline: Timeline) -> None:
    timeline.record(PAID[:2])
    timeline.sent_again("visa-A1", Sent(PAID[1].event_id, EVER))
    story = timeline.story("visa-A1")
    assert story.sent == Sent(PAID[1].event_id, EVER)
    assert list(story.events) == PAID[:2]
