"""ISO 20022 messages: what waits for a person, the decisions about it, and a client to send one with."""

import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
from postbus.adapters.sqs_steps import SqsSteps
from postbus.cli.desk import AS_JSON, OPERATOR, REASON, Changing, Desk, ago, checked_reason, desk_of
from postbus.cli.errors import CannotRun, Exit, NotDone
from postbus.domain.event import format_time
from postbus.domain.iso20022.brokered import NotOurs, Outgoing, Refused
from postbus.domain.iso20022.client_requests import is_transaction_id, step_to_redrive
from postbus.domain.iso20022.decisions import Verdict
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.progress import UNSPECIFIED
from postbus.domain.iso20022.status import FINAL, Actor, may_move
from postbus.domain.iso20022.workflow import Decision, DecisionKind, Head, Next, StepName
from postbus.runtime.decisions import send_decide
from postbus.runtime.steps import send_step

if TYPE_CHECKING:
    from postbus.adapters.iso20022_api import HttpMessageApi

app = typer.Typer(help=__doc__, no_args_is_help=True)

TRANSACTION = typer.Argument(..., metavar="TRANSACTION", help="Its id, a UUID.")

# A step that was sent and not taken for so long stands still; so does one that was taken and led nowhere.
_STUCK_AFTER = timedelta(minutes=5)
_ASK_EVERY_SECONDS = 0.3


def _store(desk: Desk) -> DynamoDbMessages:
    return DynamoDbMessages(desk.deployment.client("dynamodb"), desk.deployment.table("iso20022"))


def _steps(desk: Desk) -> SqsSteps:
    urls = {step: desk.deployment.one("queues", step.value) for step in StepName}
    return SqsSteps(desk.deployment.client("sqs"), urls)


# -- looking -----------------------------------------------------------------------------------------------


@app.command("list")
def list_open(
    context: typer.Context,
    everything: bool = typer.Option(
        False, "--all", help="All open transactions, not only what waits for you."
    ),
    as_json: bool = AS_JSON,
) -> None:
    """Transactions that wait for an operator: pending, parked or standing still; the oldest first."""
    desk = desk_of(context)
    now = desk.now()
    with desk.progress("reading what is open") as so_far:
        found = []
        for number, head in enumerate(_store(desk).unfinished(), start=1):
            so_far(number)
            waits_for = _waits_for(head, now)
            if everything or waits_for:
                found.append((head, waits_for))
    found.sort(key=lambda one: (one[0].opened_at, one[0].transaction_id))
    table = Table("transaction", "status", "open for", "client", "message", "reasons", "waits for")
    for head, waits_for in found:
        table.add_row(
            head.transaction_id,
            head.status.value,
            ago((now - head.opened_at).total_seconds()),
            head.owner,
            str(head.message_type or ""),
            ", ".join(reason.code for reason in head.reasons),
            waits_for,
        )
    data = {"open": [{**_summary(head), "waits_for": waits_for} for head, waits_for in found]}
    desk.show(as_json, data, table if found else "Nothing waits.")


@app.command()
def show(context: typer.Context, transaction_id: str = TRANSACTION, as_json: bool = AS_JSON) -> None:
    """One transaction: its history, its transfers without names and accounts, and what may be done."""
    desk = desk_of(context)
    store = _store(desk)
    head = _found(store, transaction_id)
    history, decisions = store.history(transaction_id), store.decisions(transaction_id)
    children = list(store.children(transaction_id))
    allowed = _allowed(head, decisions)
    data = {
        **_summary(head),
        "waits_for": _waits_for(head, desk.now()),
        "history": [
            {
                "status": entry.status.value,
                "at": format_time(entry.at),
                "by": entry.by,
                "reasons": _reasons(entry.reasons),
            }
            for entry in history
        ],
        "steps": {
            step.value: {
                "attempt": record.attempt,
                "sent_at": format_time(record.sent_at),
                "taken_at": format_time(record.taken_at) if record.taken_at else None,
                "parked": record.parked,
            }
            for step, record in head.steps.items()
        },
        "decisions": [
            {
                "kind": one.kind.value,
                "by": one.by,
                "at": format_time(one.at),
                "reasons": _reasons(one.reasons),
                "note": one.note,
                "verdict": one.verdict,
            }
            for one in decisions
        ],
        "transfers": [
            {
                "number": child.number,
                "state": child.state.value,
                "amount": str(child.amount) if child.amount else None,
                "pipeline_id": child.pipeline_id,
                "reasons": _reasons(child.reasons),
            }
            for child in children
        ],
        "allowed": allowed,
    }
    past = Table("status", "at", "by", "reasons", title="history")
    for entry in history:
        past.add_row(entry.status.value, format_time(entry.at), entry.by, _words(entry.reasons))
    steps = Table("step", "attempt", "sent", "taken", "parked", title="steps")
    for step, record in head.steps.items():
        taken = format_time(record.taken_at) if record.taken_at else ""
        steps.add_row(
            step.value, str(record.attempt), format_time(record.sent_at), taken, record.parked or ""
        )
    transfers = Table("transfer", "state", "amount", "pipeline id", "reasons", title="transfers")
    for child in children:
        amount = str(child.amount) if child.amount else ""
        transfers.add_row(
            str(child.number), child.state.value, amount, child.pipeline_id or "", _words(child.reasons)
        )
    decided = Table("decision", "by", "at", "note", "verdict", title="decisions")
    for one in decisions:
        decided.add_row(one.kind.value, one.by, format_time(one.at), one.note or "", one.verdict or "open")
    parts: list[Any] = [Text(f"{transaction_id} of {head.owner} is {head.status}"), past, steps]
    parts += [transfers] if children else []
    parts += [decided] if decisions else []
    desk.show(as_json, data, *parts, *[Text(f"• {line}") for line in allowed])


# -- deciding ----------------------------------------------------------------------------------------------


@app.command(cls=Changing)
def accept(
    context: typer.Context,
    transaction_id: str = TRANSACTION,
    reason: str = REASON,
    operator: str | None = OPERATOR,
    as_json: bool = AS_JSON,
) -> None:
    """Let a pending transaction go on: what it is held for is no obstacle."""
    _decide(desk_of(context), transaction_id, DecisionKind.CLEARANCE, reason, operator, as_json)


@app.command(cls=Changing)
def refuse(
    context: typer.Context,
    transaction_id: str = TRANSACTION,
    reason: str = REASON,
    operator: str | None = OPERATOR,
    as_json: bool = AS_JSON,
) -> None:
    """Reject a pending transaction; its client is told the code it is held for, never your reason."""
    _decide(desk_of(context), transaction_id, DecisionKind.REJECTION, reason, operator, as_json)


@app.command(cls=Changing)
def redrive(context: typer.Context, transaction_id: str = TRANSACTION, as_json: bool = AS_JSON) -> None:
    """Try the step again at which a transaction stands still; safe at any time."""
    desk = desk_of(context)
    store = _store(desk)
    head = _found(store, transaction_id)
    step = step_to_redrive(head, store.decisions(transaction_id))
    if step is None:
        raise NotDone(f"{transaction_id} is {head.status}: {_nothing_to_redrive(head)}")
    send_step(transaction_id, Next(step, again=True), store, _steps(desk), desk.now)
    desk.show(
        as_json,
        {"transaction_id": transaction_id, "step": step.value},
        Text(f"Done: {step} of {transaction_id} is tried again."),
    )


def _decide(
    desk: Desk, transaction_id: str, kind: DecisionKind, reason: str, operator: str | None, as_json: bool
) -> None:
    note, by, store = checked_reason(reason), desk.operator(operator), _store(desk)
    head = _found(store, transaction_id)
    after = Status.ACSP if kind is DecisionKind.CLEARANCE else Status.RJCT
    if head.status is not Status.PDNG or not may_move(head.status, after, Actor.OPERATOR, head.reasons):
        raise NotDone(f"{transaction_id} is {head.status}: only what is pending is decided here.")
    codes = tuple(Reason(held.code) for held in head.reasons) or (UNSPECIFIED,)
    wanted = Decision(
        # One decision for each time that it is pending, whoever makes it.
        key=f"operator.{head.version}",
        kind=kind,
        by=by,
        at=desk.now(),
        reasons=codes if kind is DecisionKind.REJECTION else (),
        note=note,
    )
    standing = store.decide(transaction_id, wanted)
    if kind is DecisionKind.REJECTION and _let_nothing_go(standing):
        # The status is the one that was cleared, so that a refusal is still in time.
        wanted = replace(wanted, key=f"{wanted.key}.after_all")
        standing = store.decide(transaction_id, wanted)
    if standing.verdict is None:
        send_decide(transaction_id, store, _steps(desk), desk.now)
    is_ours = standing == wanted
    since = f"was decided before, by {standing.by} at {format_time(standing.at)}: {standing.kind}"
    told = f"Done: the {kind} of {transaction_id} is on its way." if is_ours else f"{transaction_id} {since}."
    data = {
        "transaction_id": transaction_id,
        "decision": standing.kind.value,
        "by": standing.by,
        "at": format_time(standing.at),
        "done": is_ours,
    }
    desk.show(as_json, data, Text(told))
    if standing.kind is not kind:
        raise typer.Exit(Exit.NOT_DONE)


def _let_nothing_go(standing: Decision) -> bool:
    """Whether it is a clearance that was carried out; what is pending all the same has not gone on yet."""
    return standing.kind is DecisionKind.CLEARANCE and standing.verdict == Verdict.CARRIED_OUT


def _found(store: DynamoDbMessages, transaction_id: str) -> Head:
    if not is_transaction_id(transaction_id):
        raise CannotRun("TRANSACTION: a UUID, as the API gave it; not an id of the pipeline.")
    head = store.head(transaction_id)
    if head is None:
        raise NotDone(f"{transaction_id} is not there.")
    return head


def _waits_for(head: Head, now: datetime) -> str:
    """What it stands still at; empty while it goes its way."""
    for step, record in head.steps.items():
        if record.parked is not None:
            return f"{step} is parked: {record.parked}"
    if head.status is Status.PDNG:
        return "a decision"
    for step, record in head.steps.items():
        if record.taken_at is None and now - record.sent_at > _STUCK_AFTER:
            return f"{step} was never taken"
    # The time-out comes every 15 seconds: what it could not end in minutes is no matter of time.
    return "its end: it is overdue" if now - (head.due or head.deadline) > _STUCK_AFTER else ""


def _allowed(head: Head, decisions: Iterable[Decision]) -> list[str]:
    """What may be done now, as commands to copy."""
    own = head.transaction_id
    if head.status in FINAL:
        return [f"nothing: it is {head.status}"]
    lines = []
    if head.status is Status.PDNG:
        lines += [f'postbus iso20022 {word} {own} --reason "…"' for word in ("accept", "refuse")]
    if step_to_redrive(head, decisions) is not None:
        lines.append(f"postbus iso20022 redrive {own}")
    return lines or [_nothing_to_redrive(head)]


def _nothing_to_redrive(head: Head) -> str:
    if head.status in FINAL:
        return "nothing follows."
    return "its message is awaited." if head.incoming is None else "a decision is awaited."


def _summary(head: Head) -> dict[str, Any]:
    return {
        "transaction_id": head.transaction_id,
        "client": head.owner,
        "status": head.status.value,
        "reasons": _reasons(head.reasons),
        "opened_at": format_time(head.opened_at),
        "deadline": format_time(head.deadline),
        "message_type": str(head.message_type) if head.message_type else None,
        "transfers_open": head.children_open,
    }


def _reasons(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [{"code": reason.code, "additional": list(reason.additional)} for reason in reasons]


def _words(reasons: Iterable[Reason]) -> str:
    return "; ".join(" ".join([reason.code, *reason.additional]) for reason in reasons)


# -- sending -----------------------------------------------------------------------------------------------


@app.command(cls=Changing)
def send(
    context: typer.Context,
    file: Path = typer.Argument(..., metavar="FILE", help="An ISO 20022 message in XML."),
    client: str | None = typer.Option(
        None, "--client", help="Whose credentials to use, by the client's name."
    ),
    fresh: bool = typer.Option(
        False, "--fresh", help="Send it under references and dates of now, as a message of its own."
    ),
    suffix: str | None = typer.Option(
        None,
        "--suffix",
        help="For --fresh: the end of its references, the same for messages that belong together.",
    ),
    wait: float = typer.Option(60.0, "--wait", min=0, help="How many seconds to follow it for."),
    as_json: bool = AS_JSON,
) -> None:
    """Send a message as a client does, follow it to its end, and print the answer."""
    desk = desk_of(context)
    body = _body(file, fresh, suffix, desk.now())
    api = _api(desk, client)
    # The same file is the same transaction: sent again, it is followed and answered again.
    accepted = api.submit(f"cli-{hashlib.sha256(body).hexdigest()[:32]}", body)
    if isinstance(accepted, Refused):
        raise NotDone(f"{file}: the API refused it: {accepted.reason}")
    own = accepted.transaction_id
    _say(desk, as_json, f"{own} is sent.")
    standing = _follow(desk, api, own, wait, as_json)
    answer = api.outgoing(own) if standing.get("final") else NotOurs()
    text = answer.body.decode("utf-8", "replace") if isinstance(answer, Outgoing) else None
    data = {
        "transaction_id": own,
        "status": standing["status"],
        "history": standing["history"],
        "outgoing": text,
    }
    desk.show(as_json, data, text or f"{own} is {standing['status']} and has no answer.")
    if not standing.get("final"):
        raise typer.Exit(Exit.NO_ANSWER)
    if standing["status"] != Status.ACSC:
        raise typer.Exit(Exit.NOT_DONE)


def _body(file: Path, fresh: bool, suffix: str | None, now: datetime) -> bytes:
    try:
        body = file.read_bytes()
    except OSError as error:
        raise CannotRun(f"{file}: cannot be read: {error.strerror or error}.") from None
    if suffix is not None and not (fresh and suffix.isascii() and suffix.isalnum() and len(suffix) <= 12):
        raise CannotRun("--suffix: with --fresh, at most 12 letters and digits.")
    if not fresh:
        return body
    from postbus.domain.iso20022.renewal import renewed

    return renewed(body, suffix or secrets.token_hex(4), now)


def _follow(desk: Desk, api: "HttpMessageApi", own: str, wait: float, as_json: bool) -> Mapping[str, Any]:
    """Tell each status as it comes, until the last one or until the time is over."""
    told, until = 0, time.monotonic() + wait
    with desk.progress("following it"):
        while True:
            standing = api.standing(own)
            for entry in standing["history"][told:]:
                codes = ", ".join(reason["code"] for reason in entry["reasons"])
                _say(desk, as_json, f"{entry['at']}  {entry['status']}{f'  {codes}' if codes else ''}")
            told = len(standing["history"])
            if standing.get("final") or time.monotonic() > until:
                return standing
            time.sleep(_ASK_EVERY_SECONDS)


def _say(desk: Desk, as_json: bool, line: str) -> None:
    if not as_json:
        desk.aside.print(Text(line))


def _api(desk: Desk, client: str | None) -> "HttpMessageApi":
    from postbus.adapters.secrets import Secret
    from postbus.runtime.message_api import message_api

    front = desk.deployment.names.get("iso20022")
    if not isinstance(front, Mapping) or not front.get("client_secrets"):
        raise CannotRun("deployment.iso20022: not there; deploy with iso20022 = true and a client.")
    names = front["client_secrets"]
    # The bridge's credentials are the bridge's.
    name = client or next((one for one in sorted(names) if one != "mq-bridge"), "")
    if name not in names:
        raise CannotRun(f"--client: no {name!r}; there is {', '.join(sorted(names))}.")
    return message_api(str(front["url"]), Secret(desk.deployment.client("secretsmanager"), names[name]))
