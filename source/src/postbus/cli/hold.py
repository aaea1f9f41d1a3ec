"""Held payments: see them, release them, refuse them; and cancel what is not posted yet."""

from collections.abc import Mapping
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from postbus.adapters.dynamodb_directory import DynamoDbDirectory
from postbus.cli.decisions import Decided, Decisions, Examination
from postbus.cli.desk import AS_JSON, OPERATOR, REASON, Changing, Desk, ago, checked_reason, desk_of
from postbus.cli.errors import CannotRun, Exit
from postbus.cli.resubmission import Resubmission
from postbus.domain import release
from postbus.domain.enrichment import Rejection
from postbus.domain.errors import Malformed
from postbus.domain.event import format_time
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.release import Command
from postbus.domain.transaction import Transaction

app = typer.Typer(help="Held payments: see them, release them, refuse them.", no_args_is_help=True)


def _given(transaction_id: str) -> str:
    if not transaction_id.strip():
        raise CannotRun("TRANSACTION: an id, such as visa-A10005, not an empty text.")
    return transaction_id


TRANSACTION = typer.Argument(..., metavar="TRANSACTION", help="Its id, such as visa-A10005.", callback=_given)


def decisions(desk: Desk) -> Decisions:
    from datetime import timedelta

    from postbus.adapters.rules_folder import packaged
    from postbus.adapters.s3_rulesets import CurrentRuleset, S3Rulesets
    from postbus.adapters.zen_rules import ZenRuleEngine

    deployment = desk.deployment
    rulesets = S3Rulesets(deployment.client("s3"), deployment.one("buckets", "rulesets"))
    return Decisions(
        desk.outcomes,
        desk.timeline,
        desk.bus,
        DynamoDbDirectory(deployment.client("dynamodb"), deployment.table("accounts"), "token"),
        ZenRuleEngine(CurrentRuleset(rulesets, packaged, desk.now, keep=timedelta(0))),
    )


@app.command("list")
def list_held(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """Every held payment, the longest held first."""
    desk = desk_of(context)
    with desk.progress("reading what is held") as so_far:
        held = []
        for outcome in desk.outcomes.in_state(OutcomeState.HELD):
            held.append(outcome)
            so_far(len(held))
    now = desk.now()
    table = Table("transaction", "held for", "amount", "card", "findings", "release?")
    for outcome in held:
        transaction = Transaction.from_data(outcome.data["transaction"])
        table.add_row(
            outcome.transaction_id,
            ago((now - outcome.decided_at).total_seconds()),
            str(transaction.amount),
            f"…{transaction.pan_last_four}" if transaction.pan_last_four else "",
            ", ".join(finding.id for finding in release.holding(outcome)),
            "yes" if release.releasable(outcome) else "no, a conflict",
        )
    data = {"held": [_summary(outcome) for outcome in held]}
    desk.show(as_json, data, table if held else "Nothing is held.")


@app.command()
def show(context: typer.Context, transaction_id: str = TRANSACTION, as_json: bool = AS_JSON) -> None:
    """One held payment: what was found, what it is compared with, and what may be done."""
    desk = desk_of(context)
    decide = decisions(desk)
    held = decide.held(transaction_id)
    other_id = held.data.get("duplicate_of") or held.data.get("conflict_with")
    other = _other(desk, other_id) if other_id else None
    is_held = held.state is OutcomeState.HELD
    found = decide.examine(held) if is_held and release.releasable(held) else None
    allowed = _allowed(held, found)
    data: dict[str, Any] = {**_summary(held), "transaction": held.data.get("transaction"), "allowed": allowed}
    for name in ("duplicate_of", "conflict_with"):
        if name in held.data:
            data[name] = held.data[name]
    if other is not None:
        data["other"] = other
    if held.context and "trace" in held.context:
        data["trace"] = held.context["trace"]
    if conflicts := held_conflicts(desk, transaction_id):
        data["held_conflicts"] = conflicts
    data["record_changed"] = _record_changed(desk, held) if is_held else False
    parts: list[Any] = [Text(f"{transaction_id} is {held.state.value} since {format_time(held.decided_at)}")]
    if data["record_changed"]:
        parts.append(
            Text("Its record has changed since: what is decided here is what came in.", "bold yellow")
        )
    findings = Table("finding", "severity", "text", title="findings")
    for finding in data["findings"]:
        findings.add_row(finding["id"], finding["severity"], finding["text"])
    beside = _side_by_side(held, other_id, other)
    parts += [table for table in (findings, beside) if table.row_count]
    parts += [Text(f"• {line}") for line in (*allowed, *map(told_of_conflict, conflicts))]
    desk.show(as_json, data, *parts)


@app.command("release", cls=Changing)
def release_held(
    context: typer.Context,
    transaction_id: str = TRANSACTION,
    waive: list[str] = typer.Option([], "--waive", help="Id of a finding that no longer matters; repeat it."),
    reason: str = REASON,
    operator: str | None = OPERATOR,
    as_json: bool = AS_JSON,
) -> None:
    """Let a held payment be posted, though it was found wanting; every such finding is to be named."""
    desk = desk_of(context)
    decided = decisions(desk).release(transaction_id, waive, _command(desk, reason, operator))
    _tell(desk, as_json, decided, OutcomeState.RELEASED, OutcomeState.SENDING, OutcomeState.POSTED)


@app.command(cls=Changing)
def refuse(
    context: typer.Context,
    transaction_id: str = TRANSACTION,
    reason: str = REASON,
    operator: str | None = OPERATOR,
    as_json: bool = AS_JSON,
) -> None:
    """Never post a held payment."""
    desk = desk_of(context)
    decided = decisions(desk).refuse(transaction_id, _command(desk, reason, operator))
    _tell(desk, as_json, decided, OutcomeState.VOIDED)


def cancel(
    context: typer.Context,
    transaction_id: str = TRANSACTION,
    reason: str = REASON,
    operator: str | None = OPERATOR,
    as_json: bool = AS_JSON,
) -> None:
    """Never post a payment that is not posted yet, wherever it is on its way."""
    desk = desk_of(context)
    decided = decisions(desk).cancel(transaction_id, _command(desk, reason, operator))
    _tell(desk, as_json, decided, OutcomeState.VOIDED)


def nothing_known(desk: Desk, transaction_id: str) -> str:
    """What to say of a transaction that neither an outcome nor the timeline knows, and where to look."""
    source = next((one for one in desk.deployment.sources if transaction_id.startswith(f"{one}-")), None)
    parked = f"`./postbus dlq show quarantine-{source}`" if source else "`./postbus dlq list`"
    return (
        f"transaction: nothing is known of {transaction_id!r}.  An id is <source>-<authorisation id>, "
        f"such as visa-A10005; was the record approved?  A malformed one lies in quarantine: {parked}.  "
        "`./postbus reconcile --dry-run` finds the lost."
    )


def held_conflicts(desk: Desk, transaction_id: str) -> list[str]:
    """Ids of what is held because it came under this transaction's id with other content."""
    return sorted(one.transaction_id for one in desk.outcomes.conflicts(transaction_id))


def told_of_conflict(conflict: str) -> str:
    return f"the same id came with other content, which is held: ./postbus hold show {conflict}"


def _record_changed(desk: Desk, held: Outcome) -> bool:
    """Whether the record in the input table is not what was held any more: later content is not looked at."""
    transaction = Transaction.from_data(held.data["transaction"])
    if transaction.source not in desk.deployment.sources:
        return False
    way_in = Resubmission(desk, transaction.source)
    came_as = held.data.get("conflict_with", held.transaction_id)
    image = way_in.table.find(came_as.removeprefix(f"{transaction.source}-"))
    if image is None:
        return False
    now = way_in.read(image)
    return isinstance(now, Malformed) or now.content_hash != held.content_hash


def _command(desk: Desk, reason: str, operator: str | None) -> Command:
    return Command(reason=checked_reason(reason), operator=desk.operator(operator), at=desk.now())


def _tell(desk: Desk, as_json: bool, decided: Decided, *meant: OutcomeState) -> None:
    """Say how it ended; a failure, unless what stands is what was meant, whoever brought it about."""
    outcome = decided.outcome
    by = outcome.data.get("operator") or outcome.data.get("decision", {}).get("operator")
    told = f"{outcome.transaction_id} is {outcome.state.value}"
    if decided.done:
        told = f"Done: {told}."
    else:
        since = f"since {format_time(outcome.decided_at)}{f', by {by}' if by else ''}"
        told = f"Nothing was changed: {told} {since}; that was announced again."
    if not decided.announced:
        told += " The bus did not take the announcement; the sweeper sends it within minutes."
    data = {
        "transaction_id": outcome.transaction_id,
        "state": outcome.state.value,
        "event": outcome.event_type,
        "done": decided.done,
        "announced": decided.announced,
        "decided_at": format_time(outcome.decided_at),
    }
    desk.show(as_json, data if not by else {**data, "operator": by}, Text(told))
    if outcome.state not in meant:
        raise typer.Exit(Exit.NOT_DONE)


def _summary(outcome: Outcome) -> dict[str, Any]:
    summary = {
        "transaction_id": outcome.transaction_id,
        "state": outcome.state.value,
        "since": format_time(outcome.decided_at),
        "findings": outcome.data.get("findings") or outcome.data.get("decision", {}).get("findings", []),
    }
    if outcome.state is OutcomeState.HELD:
        summary["releasable"] = release.releasable(outcome)
    if "transaction" in outcome.data:
        summary["amount"] = outcome.data["transaction"]["amount"]
    return summary


def _other(desk: Desk, transaction_id: str) -> dict[str, Any]:
    """What is known of the payment it is compared with."""
    story = desk.timeline.story(transaction_id)
    outcome = desk.outcomes.find(transaction_id)
    told = next((event.data["transaction"] for event in story.events if "transaction" in event.data), None)
    if told is None and outcome is not None:
        told = outcome.data.get("transaction")
    state = outcome.state.value if outcome else story.state.value if story.state else "unknown"
    return {"transaction_id": transaction_id, "state": state, "transaction": told}


def _side_by_side(held: Outcome, other_id: str | None, other: Mapping[str, Any] | None) -> Table:
    ours: Mapping[str, Any] = held.data.get("transaction", {})
    theirs: Mapping[str, Any] = (other or {}).get("transaction") or {}
    table = Table("field", held.transaction_id)
    if other_id:
        table.add_column(f"{other_id} ({other['state'] if other else 'unknown'})")
    for name in dict.fromkeys((*ours, *theirs)):
        row = [name, _text(ours.get(name))]
        if other_id:
            row.append(_text(theirs.get(name)))
        differs = bool(theirs) and ours.get(name) != theirs.get(name)
        table.add_row(*row, style="bold yellow" if differs else None)
    return table


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and value.keys() == {"amount", "currency"}:
        from postbus.domain.money import Money

        return str(Money.from_data(value))
    return "" if value is None else str(value)


def _allowed(held: Outcome, found: Examination | None) -> list[str]:
    """What may be done now, as commands to copy."""
    if held.state is not OutcomeState.HELD:
        return [f"nothing: it is {held.state.value}; see ./postbus trace {held.transaction_id}"]
    refusal = f'./postbus hold refuse {held.transaction_id} --reason "…"'
    if found is None:
        return [refusal, "a release is not allowed: of two contents under one id one may be posted at most"]
    if isinstance(found.enriched, Rejection):
        return [refusal, f"a release is not allowed now: {found.enriched.text} ({found.enriched.code})"]
    against = release.holding(held, found.evaluation)
    refusing = [finding.id for finding in against if finding.severity == "refuse"]
    if refusing:
        return [refusal, f"a release is not allowed: {', '.join(refusing)} refuses it by the rules in force"]
    waive = " ".join(f"--waive {finding.id}" for finding in against)
    return [f'./postbus hold release {held.transaction_id} {waive} --reason "…"', refusal]
