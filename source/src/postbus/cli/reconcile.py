"""Compare what was approved with what came of it, and bring in what is missing."""

from collections.abc import Mapping
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from postbus.adapters.reconciliation import Comparison, Reconciliation
from postbus.cli.desk import AS_JSON, Desk, desk_of
from postbus.cli.errors import Exit
from postbus.cli.resubmission import RECORDS_AT_ONCE, Resubmission
from postbus.domain.inbound import SOURCES

# Of another region's records, how many keys people are shown; --json has all.
_NAMED = 10


def reconcile(
    context: typer.Context,
    source: str | None = typer.Option(None, "--source", help="Only this source; by default all."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what is missing, and change nothing."),
    as_json: bool = AS_JSON,
) -> None:
    """Bring in approved records of which no trace is found: the stream forgets after 24 hours.

    Reads the whole input table.  Records that cannot be read are named, and left to be corrected; those of
    other regions are named as well, for in a region that is nobody's they would lie for ever.
    """
    desk = desk_of(context)
    answer = nothing_yet()
    for name in [source] if source else desk.deployment.sources:
        reconcile_source(desk, name, dry_run, answer)
    desk.show(as_json, answer, *_for_people(answer, dry_run))
    if dry_run and answer["missing"]:
        raise typer.Exit(Exit.NOT_DONE)


def nothing_yet() -> dict[str, Any]:
    """The answer before anything was compared."""
    found: dict[str, Any] = {name: [] for name in ("missing", "resubmitted", "changed", "malformed")}
    return {"compared": 0, "elsewhere": {}, "without_effect": {}, **found}


def cannot_be_brought_in(answer: Mapping[str, Any]) -> str | None:
    """What was found and is an operator's to look at, in a line; ``None`` when there is nothing."""
    keys = [fault["key"] for fault in answer["malformed"]]
    said = [
        f"{len(named)} {what} ({', '.join(named[:_NAMED])}{', …' if len(named) > _NAMED else ''})"
        for what, named in (("changed after they were decided", answer["changed"]), ("cannot be read", keys))
        if named
    ]
    return "; ".join(said) or None


def reconcile_source(desk: Desk, source: str, dry_run: bool, answer: dict[str, Any]) -> None:
    """Compare one source's table; adds to the answer, and resubmits unless it is a dry run."""
    way_in = Resubmission(desk, source)
    reconciliation = Reconciliation(
        SOURCES[source], way_in.table, desk.decided, desk.timeline, desk.deployment.home_region
    )
    with desk.progress(f"comparing {source}") as so_far:
        for found in reconciliation.compare():
            _add(answer, found)
            if not dry_run:
                records = [way_in.table.as_inserted(image) for image in found.missing.values()]
                for start in range(0, len(records), RECORDS_AT_ONCE):
                    answer["resubmitted"] += way_in.submit(records[start : start + RECORDS_AT_ONCE])
            so_far(answer["compared"])


def _add(answer: dict[str, Any], found: Comparison) -> None:
    answer["compared"] += found.compared
    answer["missing"] += found.missing
    answer["changed"] += found.changed
    answer["malformed"] += found.malformed
    answer["without_effect"] |= found.without_effect
    for region, keys in found.elsewhere.items():
        answer["elsewhere"].setdefault(region, []).extend(keys)


def _for_people(answer: Mapping[str, Any], dry_run: bool) -> list[Any]:
    said: list[Any] = [Text(f"{answer['compared']} approved records compared.")]
    for region, keys in sorted(answer["elsewhere"].items()):
        more = ", …" if len(keys) > _NAMED else ""
        said.append(Text(f"{len(keys)} left to {region}, if there is one: {', '.join(keys[:_NAMED])}{more}"))
    if not answer["missing"]:
        said.append(Text("Nothing is missing: every one has an outcome or is on its way."))
    elif dry_run:
        said.append(Text(f"{len(answer['missing'])} are missing; the same without --dry-run brings them in:"))
        said += [Text(f"  {one}") for one in answer["missing"]]
    else:
        said.append(Text(f"{len(answer['resubmitted'])} were missing and have been brought in:"))
        said += [Text(f"  {one}") for one in answer["resubmitted"]]
    if answer["changed"]:
        said.append(
            Text("Changed in the table after they were decided, which has no effect on what was decided:")
        )
        said += [Text(f"  {one}") for one in answer["changed"]]
    if answer["without_effect"]:
        said.append(Text("Reversals that came first and do not fit what came after, which is posted; look:"))
        for reversal, original in sorted(answer["without_effect"].items()):
            said.append(Text(f"  {reversal} of {original}"))
    if answer["malformed"]:
        table = Table("source", "key", "field", "expected", title="cannot be read: correct them in the table")
        for fault in answer["malformed"]:
            table.add_row(fault["source"], fault["key"], fault["field"], fault["expected"])
        said.append(table)
    return said
