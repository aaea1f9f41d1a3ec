"""Business rules: see the decision tables in force, check new ones, publish them, or go back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from postbus.adapters import rules_folder, zen_rules
from postbus.adapters.s3_rulesets import Publication, PublishedMeanwhile, S3Rulesets
from postbus.cli.desk import AS_JSON, OPERATOR, REASON, Changing, Desk, checked_reason, desk_of
from postbus.cli.errors import CannotRun, Exit, NotDone
from postbus.domain.errors import Malformed
from postbus.domain.ruleset import Ruleset

app = typer.Typer(help=__doc__, no_args_is_help=True)

FOLDER = typer.Option(
    None, "--folder", help="Where the tables and their examples are; by default this tree's rules/."
)


@app.command("list")
def list_publications(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """Every ruleset that was put in force: which, when, by whom and why; the latest first."""
    desk = desk_of(context)
    rulesets = _rulesets(desk)
    current, history = rulesets.current(), rulesets.history()
    table = Table("ruleset", "since", "action", "by", "reason")
    for number, one in enumerate(history):
        in_force = number == 0 and current is not None
        table.add_row(
            one.version + (" (in force)" if in_force else ""), one.at, one.action, one.by, Text(one.reason)
        )
    data = {
        "in_force": current.version if current else None,
        "publications": [asdict(one) for one in history],
    }
    told = [table] if history else []
    none = "No published ruleset is in force: functions judge by the one they were deployed with."
    desk.show(as_json, data, *told, *([] if current else [none]))


@app.command()
def show(
    context: typer.Context,
    version: str | None = typer.Argument(None, metavar="[RULESET]", help="By default the one in force."),
    folder: Path | None = FOLDER,
    as_json: bool = AS_JSON,
) -> None:
    """The decision tables of a ruleset: what each row asks, and what it finds."""
    desk = desk_of(context)
    if folder is not None and version is not None:
        raise CannotRun("--folder: either a published ruleset or a folder, not both.")
    ruleset, whence = _chosen(desk, version, folder)
    tables = []
    for decision in ruleset.tables:
        table = Table("row", "when all of this holds", "finding", "severity", "text", title=decision.name)
        for row in decision.rows:
            asks = "\n".join(f"{fact} {cell}" for fact, cell in row.cells.items())
            table.add_row(row.id, Text(asks), row.finding.id, row.finding.severity.value, row.finding.text)
        tables.append(table)
    data = {"version": ruleset.version, "whence": whence, **ruleset.bundle}
    desk.show(as_json, data, Text(f"Ruleset {ruleset.version}, {whence}."), *tables)


@app.command()
def check(context: typer.Context, folder: Path | None = FOLDER, as_json: bool = AS_JSON) -> None:
    """Run every example of a ruleset, and all else that must hold before it may be published."""
    desk = desk_of(context)
    ruleset = _from_folder(folder)
    problems = zen_rules.check(ruleset)
    examples = sum(len(examples) for examples in ruleset.examples.values())
    rows = sum(len(table.rows) for table in ruleset.tables)
    counts = f"{len(ruleset.tables)} tables, {rows} rows, {examples} examples"
    data = {
        "version": ruleset.version,
        "tables": len(ruleset.tables),
        "rows": rows,
        "examples": examples,
        "problems": problems,
    }
    if not problems:
        desk.show(as_json, data, Text(f"Ruleset {ruleset.version} may be published: {counts}."))
        return
    told = [Text(f"Ruleset {ruleset.version} may not be published ({counts}):")]
    desk.show(as_json, data, *told, *(Text(f"  - {problem}") for problem in problems))
    raise typer.Exit(Exit.NOT_DONE)


@app.command(cls=Changing)
def publish(
    context: typer.Context,
    folder: Path | None = FOLDER,
    reason: str = REASON,
    operator: str | None = OPERATOR,
    as_json: bool = AS_JSON,
) -> None:
    """Check a ruleset and put it in force, without deploying anything."""
    desk = desk_of(context)
    ruleset, reason = _from_folder(folder), checked_reason(reason)
    if zen_rules.check(ruleset):
        raise NotDone("The ruleset fails its check; nothing was changed. See `./postbus rules check`.")
    with _alone():
        done = _rulesets(desk).publish(ruleset, desk.operator(operator), reason, desk.now())
    _tell(desk, as_json, done)


@app.command(cls=Changing)
def rollback(
    context: typer.Context,
    to: str = typer.Option(..., "--to", metavar="RULESET", help="An earlier one, of `./postbus rules list`."),
    reason: str = REASON,
    operator: str | None = OPERATOR,
    as_json: bool = AS_JSON,
) -> None:
    """Put an earlier published ruleset in force again."""
    desk = desk_of(context)
    reason = checked_reason(reason)
    with _alone("--to"):
        done = _rulesets(desk).roll_back(to, desk.operator(operator), reason, desk.now())
    _tell(desk, as_json, done)


def _rulesets(desk: Desk) -> S3Rulesets:
    return S3Rulesets(desk.deployment.client("s3"), desk.deployment.one("buckets", "rulesets"))


def _chosen(desk: Desk, version: str | None, folder: Path | None) -> tuple[Ruleset, str]:
    if folder is not None:
        return _from_folder(folder), f"as it is in {folder}"
    rulesets = _rulesets(desk)
    if version is not None:
        with _typed("RULESET"):
            return rulesets.ruleset(version), "as it was published"
    current = rulesets.current()
    if current is None:
        return rules_folder.packaged(), "as it is in this tree; nothing was published yet"
    return rulesets.ruleset(current.version), f"in force since {current.at}"


def _from_folder(folder: Path | None) -> Ruleset:
    return rules_folder.packaged() if folder is None else rules_folder.read(folder)


@contextmanager
def _typed(argument: str) -> Iterator[None]:
    """A version that is refused is told by the argument it was typed for."""
    try:
        yield
    except Malformed as error:
        raise Malformed(argument, error.expected) if error.field == "version" else error from None


@contextmanager
def _alone(argument: str = "version") -> Iterator[None]:
    """A refusal that is about the state of things, and not about what was typed."""
    try:
        with _typed(argument):
            yield
    except PublishedMeanwhile as error:
        raise NotDone(f"{error}.") from None
    except Malformed as error:
        raise NotDone(f"{error}; nothing was changed.") from None


def _tell(desk: Desk, as_json: bool, done: Publication) -> None:
    before = f" instead of {done.previous}" if done.previous else ""
    told = f"Ruleset {done.version} is in force{before}; functions take it up within half a minute."
    data: dict[str, Any] = asdict(done)
    desk.show(as_json, data, Text(told))
