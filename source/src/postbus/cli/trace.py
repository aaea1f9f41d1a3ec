"""One payment's story: each hop, when, how long it took and why."""

from collections.abc import Mapping
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from postbus.cli.desk import AS_JSON, Desk, ago, desk_of
from postbus.cli.errors import CannotRun
from postbus.cli.hold import TRANSACTION, held_conflicts, nothing_known, told_of_conflict
from postbus.domain.event import Event, format_time
from postbus.domain.lifecycle import COMMANDS, FACTS, FINAL_STATES, OutcomeState, State
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.timeline import Story


def trace(context: typer.Context, transaction_id: str = TRANSACTION, as_json: bool = AS_JSON) -> None:
    """Everything that happened to one payment."""
    desk = desk_of(context)
    story = desk.timeline.story(transaction_id)
    outcome = desk.outcomes.find(transaction_id)
    notes = desk.timeline.notes(transaction_id)
    if not story.events and outcome is None and not notes:
        # A program may ask before the first event is there.
        desk.show(as_json, _as_data(transaction_id, story, None))
        if as_json:
            return
        raise CannotRun(nothing_known(desk, transaction_id))
    look = _to_look_at(desk, story, outcome)
    if outcome is not None and not outcome.concerns(story.transaction):
        outcome = None
    data = {**_as_data(transaction_id, story, outcome), "notes": notes}
    if look:
        data["look"] = look
    contradicting = held_conflicts(desk, transaction_id)
    if contradicting:
        data["held_conflicts"] = contradicting
    by_hand = [
        Text(f"{note['did']} at {note['at']} by {note['operator']}: “{note['reason']}”") for note in notes
    ]
    against = [*map(Text, look), *(Text(told_of_conflict(one)) for one in contradicting)]
    desk.show(as_json, data, *_for_people(transaction_id, story, outcome), *against, *by_hand)


def _state(story: Story, outcome: Outcome | None) -> State | None:
    """Where it is: whatever a reversal said that came first and is not of it."""
    is_voided_by_another_story = outcome is not None and outcome.is_provisional
    return story.state if is_voided_by_another_story or not story.own.events else story.own.state


def _is_final(story: Story, outcome: Outcome | None) -> bool:
    unseen = outcome is not None and outcome.is_provisional and story.transaction is None
    return _state(story, outcome) in FINAL_STATES and not unseen


def _to_look_at(desk: Desk, story: Story, outcome: Outcome | None) -> list[str]:
    """What a reversal and a payment that met in the wrong order leave for a person to see."""
    if outcome is None:
        return []
    if outcome.is_provisional and story.transaction is None:
        return ["It has not been seen: it is voided if it is what that reversal takes back."]
    if not outcome.concerns(story.transaction):
        return [f"{outcome.data.get('reversed_by')} names it and takes back something else: look at both."]
    if outcome.found_unposted is not None:
        original = desk.outcomes.find(outcome.found_unposted)
        if original is not None and original.state is OutcomeState.POSTED:
            return [f"It had no effect, and {outcome.found_unposted} is posted: look at both."]
    return []


def _as_data(transaction_id: str, story: Story, outcome: Outcome | None) -> dict[str, Any]:
    state = _state(story, outcome)
    data: dict[str, Any] = {
        "transaction_id": transaction_id,
        "state": state.value if state else None,
        "final": _is_final(story, outcome),
        "events": [
            {
                "type": event.type,
                "source": FACTS[event.type].source if event.type in FACTS else None,
                "after_seconds": after,
                "why": why(event),
                "detail": event.to_detail(),
            }
            for event, after in _hops(story)
        ],
        "outcome": None,
        "next": list(COMMANDS[state]) if state else [],
    }
    if outcome is not None:
        data["outcome"] = {
            "state": outcome.state.value,
            "event": outcome.event_type,
            "decided_at": format_time(outcome.decided_at),
        }
    if story.sent is not None:
        data["sent_again"] = {"event_id": story.sent.event_id, "at": format_time(story.sent.at)}
    return data


def _hops(story: Story) -> list[tuple[Event, float]]:
    """Each event with the seconds since the one that gave rise to it."""
    known = {event.event_id: event.occurred_at for event in story.events}
    return [
        (
            event,
            round((event.occurred_at - known.get(event.causation_id, event.occurred_at)).total_seconds(), 3),
        )
        for event in story.events
    ]


def why(event: Event) -> str:
    """What an event says beyond its name, in a line."""
    data = event.data
    parts: list[str] = []
    if event.replay:
        parts.append(f"replayed by {event.replay}")
    for name in ("duplicate_of", "conflict_with", "reversed_by", "original_transaction_id"):
        if name in data:
            parts.append(f"{name.replace('_', ' ')} {data[name]}")
    reason = data.get("reason")
    if isinstance(reason, Mapping):
        parts.append(f"{reason.get('code')}: {reason.get('text')}")
    decision = data.get("decision", {})
    alone = [data["finding"]] if "finding" in data else []
    found = data.get("findings") or decision.get("findings") or alone
    parts += [f"{finding['id']} ({finding['severity']})" for finding in found]
    waived = data.get("waived") or decision.get("waived")
    if waived:
        parts.append(f"waived {', '.join(waived)}")
    operator = data.get("operator") or decision.get("operator")
    if operator:
        parts.append(f"by {operator}")
    said = reason if isinstance(reason, str) else decision.get("reason")
    if said:
        parts.append(f"“{said}”")
    for entry in data.get("entries", ()):
        money = Money.from_data({"amount": entry["amount"], "currency": entry["currency"]})
        parts.append(f"{entry['direction']} {entry['account']} {money}")
    if event.type == "TransactionAuthorized" and not parts:
        transaction = data.get("transaction", {})
        parts.append(f"{transaction.get('kind')} of {Money.from_data(transaction.get('amount'))}")
    return "; ".join(parts)


def _for_people(transaction_id: str, story: Story, outcome: Outcome | None) -> list[Any]:
    table = Table("when", "event", "took", "why")
    for event, after in _hops(story):
        # What was decided before is announced as it was decided: earlier than what asked for it again.
        took = "earlier" if after < 0 else ago(after) if after else ""
        table.add_row(format_time(event.occurred_at), event.type, took, why(event))
    state, is_final = _state(story, outcome), _is_final(story, outcome)
    lines = [Text(f"{transaction_id} is {state or 'unknown'}{', for good' if is_final else ''}.")]
    if story.events and story.began_at and story.moved_at:
        whole = (story.moved_at - story.began_at).total_seconds()
        lines.append(Text(f"From its first event to its last it took {ago(whole)}."))
    if outcome is not None:
        told = any(event.type == outcome.event_type for event in story.events)
        lines.append(
            Text(
                f"Decided: {outcome.state.value} at {format_time(outcome.decided_at)}"
                + ("." if told else "; its announcement is not in the timeline yet.")
            )
        )
    if story.sent is not None:
        lines.append(Text(f"The sweeper last sent an event of it again at {format_time(story.sent.at)}."))
    if state and not is_final:
        lines.append(Text("What may be done: " + ", ".join(f"postbus {one}" for one in COMMANDS[state])))
    return [table, *lines]
