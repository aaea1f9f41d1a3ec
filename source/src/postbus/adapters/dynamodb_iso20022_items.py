"""The items of the ``iso20022`` table: key ``transaction_id`` and ``part``, all of a transaction together.

==============  ==========================================================================================
part            holds
==============  ==========================================================================================
HEAD            owner, status, reasons, version, opened_at, home_region; ``deadline`` as epoch seconds,
                rounded up so that nothing is ever early; ``open_shard`` while it is open (1 to 16, by the
                id); ``due``, as the deadline, while the clock may end it; ``incoming`` and ``documents``:
                key, sha256, length_bytes; message_type, message_id;
                ``steps`` by name: attempt, version, sent_at, taken_at, parked; ``children`` and
                ``children_open`` once all of them are kept
STATUS#00001 …  one per status, written with the change of HEAD and never touched again: at, by, reasons
CHILD#00001 …   one per transfer: state, what an answer quotes, the pipeline's id and the record for it
DECISION#<key>  kind, by, at, reasons, message, numbers, note; ``verdict`` once it was carried out
==============  ==========================================================================================

The index ``open`` (``open_shard``, ``deadline``) names every open transaction, the index ``due``
(``open_shard``, ``due``) those of them that the clock may end.  Times are RFC 3339 text.
"""

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from postbus.adapters.dynamodb_items import plain, typed
from postbus.domain.event import format_time, parse_time
from postbus.domain.iso20022 import decisions
from postbus.domain.iso20022.messages import Agent, MessageType, Reason, Status
from postbus.domain.iso20022.workflow import (
    Child,
    ChildState,
    Decision,
    DecisionKind,
    Document,
    Entry,
    Head,
    StepName,
    StepRecord,
)
from postbus.domain.money import Money

Item = Mapping[str, Any]

HEAD, STATUS, CHILD, DECISION = "HEAD", "STATUS#", "CHILD#", "DECISION#"
OPEN_INDEX, DUE_INDEX = "open", "due"

# Every transaction enters the indexes and leaves them: enough partitions for that, few enough to ask them
# all every 15 seconds.
SHARDS = range(1, 17)


def shard_of(transaction_id: str) -> int:
    """The partition of the open index a transaction is in."""
    return SHARDS[zlib.crc32(transaction_id.encode()) % len(SHARDS)]


def key(transaction_id: str, part: str) -> dict[str, Any]:
    return {"transaction_id": {"S": transaction_id}, "part": {"S": part}}


def status_part(version: int) -> str:
    return f"{STATUS}{version:05}"


def child_part(number: int) -> str:
    return f"{CHILD}{number:05}"


def seconds_up(moment: datetime) -> int:
    """Epoch seconds, the next whole one."""
    return math.ceil(moment.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# -- head ------------------------------------------------------------------------------------------------


def of_head(head: Head) -> dict[str, Any]:
    """The item of a transaction that begins."""
    due = decisions.due(head)
    return key(head.transaction_id, HEAD) | typed(
        {
            "owner": head.owner,
            "status": head.status.value,
            "reasons": _reason_values(head.reasons),
            "version": head.version,
            "opened_at": format_time(head.opened_at),
            "deadline": seconds_up(head.deadline),
            "due": None if due is None else seconds_up(due),
            "home_region": head.home_region,
            "open_shard": shard_of(head.transaction_id),
            "documents": {},
            "steps": {},
        }
    )


def to_head(item: Item) -> Head:
    values = plain(item)
    message_type = values.get("message_type")
    return Head(
        transaction_id=values["transaction_id"],
        owner=values["owner"],
        status=Status(values["status"]),
        version=values["version"],
        opened_at=parse_time(values["opened_at"]),
        deadline=_moment(values["deadline"]),
        due=_moment(values["due"]) if "due" in values else None,
        home_region=values["home_region"],
        reasons=_reasons(values["reasons"]),
        incoming=_document(values.get("incoming")),
        message_type=MessageType.of(message_type) if message_type else None,
        message_id=values.get("message_id"),
        documents={name: Document(**document) for name, document in values["documents"].items()},
        children=values.get("children"),
        children_open=values.get("children_open"),
        steps=_steps(values["steps"]),
    )


def of_document(document: Document) -> dict[str, Any]:
    return {"M": typed(asdict(document))}


def _document(values: Mapping[str, Any] | None) -> Document | None:
    return None if values is None else Document(**values)


def of_step(record: StepRecord) -> dict[str, Any]:
    return {
        "M": typed(
            {
                "attempt": record.attempt,
                "version": record.version,
                "sent_at": format_time(record.sent_at),
                "taken_at": _time_text(record.taken_at),
                "parked": record.parked,
            }
        )
    }


def _steps(values: Mapping[str, Mapping[str, Any]]) -> dict[StepName, StepRecord]:
    return {
        StepName(name): StepRecord(
            attempt=record["attempt"],
            version=record["version"],
            sent_at=parse_time(record["sent_at"]),
            taken_at=_time(record.get("taken_at")),
            parked=record.get("parked"),
        )
        for name, record in values.items()
    }


# -- history ---------------------------------------------------------------------------------------------


def of_entry(transaction_id: str, version: int, entry: Entry) -> dict[str, Any]:
    return key(transaction_id, status_part(version)) | typed(
        {
            "status": entry.status.value,
            "at": format_time(entry.at),
            "by": entry.by,
            "reasons": _reason_values(entry.reasons),
        }
    )


def to_entry(item: Item) -> Entry:
    values = plain(item)
    return Entry(
        status=Status(values["status"]),
        at=parse_time(values["at"]),
        by=values["by"],
        reasons=_reasons(values["reasons"]),
    )


# -- children --------------------------------------------------------------------------------------------


def of_child(transaction_id: str, child: Child) -> dict[str, Any]:
    values = {
        "number": child.number,
        "state": child.state.value,
        "amount": None if child.amount is None else child.amount.to_data(),
        "end_to_end_id": child.end_to_end_id,
        "pipeline_id": child.pipeline_id,
        "record": child.record,
        "instruction_id": child.instruction_id,
        # The item's own key has that name already.
        "original_transaction_id": child.transaction_id,
        "payment_information_id": child.payment_information_id,
        "uetr": child.uetr,
        "instructing_agent": _agent_values(child.instructing_agent),
        "instructed_agent": _agent_values(child.instructed_agent),
        "creditor_agent": _agent_values(child.creditor_agent),
        "settlement_agent": child.settlement_agent,
        "requested_date": child.requested_date,
        "reasons": _reason_values(child.reasons),
        "settled_at": _time_text(child.settled_at),
        "held_at": _time_text(child.held_at),
    }
    return key(transaction_id, child_part(child.number)) | typed(values)


def to_child(item: Item) -> Child:
    values = plain(item)
    return Child(
        number=values["number"],
        state=ChildState(values["state"]),
        amount=Money.from_data(values["amount"]) if "amount" in values else None,
        end_to_end_id=values.get("end_to_end_id"),
        pipeline_id=values.get("pipeline_id"),
        record=values.get("record"),
        instruction_id=values.get("instruction_id"),
        transaction_id=values.get("original_transaction_id"),
        payment_information_id=values.get("payment_information_id"),
        uetr=values.get("uetr"),
        instructing_agent=_agent(values.get("instructing_agent")),
        instructed_agent=_agent(values.get("instructed_agent")),
        creditor_agent=_agent(values.get("creditor_agent")),
        settlement_agent=values.get("settlement_agent"),
        requested_date=values.get("requested_date"),
        reasons=_reasons(values["reasons"]),
        settled_at=_time(values.get("settled_at")),
        held_at=_time(values.get("held_at")),
    )


# -- decisions -------------------------------------------------------------------------------------------


def of_decision(transaction_id: str, decision: Decision) -> dict[str, Any]:
    values = {
        "kind": decision.kind.value,
        "by": decision.by,
        "at": format_time(decision.at),
        "reasons": _reason_values(decision.reasons),
        "message": None if decision.message is None else asdict(decision.message),
        "request": decision.request,
        "numbers": list(decision.numbers),
        "verdict": decision.verdict,
        "note": decision.note,
    }
    return key(transaction_id, f"{DECISION}{decision.key}") | typed(values)


def to_decision(item: Item) -> Decision:
    values = plain(item)
    return Decision(
        key=values["part"].removeprefix(DECISION),
        kind=DecisionKind(values["kind"]),
        by=values["by"],
        at=parse_time(values["at"]),
        reasons=_reasons(values["reasons"]),
        message=_document(values.get("message")),
        request=values.get("request"),
        numbers=tuple(values["numbers"]),
        verdict=values.get("verdict"),
        note=values.get("note"),
    )


# -- what they share -------------------------------------------------------------------------------------


def reason_list(reasons: Iterable[Reason]) -> dict[str, Any]:
    return {"L": [{"M": typed(reason)} for reason in _reason_values(reasons)]}


def _reason_values(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [{"code": reason.code, "additional": list(reason.additional)} for reason in reasons]


def _reasons(values: Iterable[Mapping[str, Any]]) -> tuple[Reason, ...]:
    return tuple(Reason(reason["code"], tuple(reason["additional"])) for reason in values)


def _agent_values(agent: Agent | None) -> dict[str, Any] | None:
    return None if agent is None else asdict(agent)


def _agent(values: Mapping[str, Any] | None) -> Agent | None:
    return None if values is None else Agent(**values)


def _time_text(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)
