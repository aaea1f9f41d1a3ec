"""Compare what was approved with what came of it, and bring in what is missing."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from postbus.adapters.dynamodb_inbound import is_here
from postbus.cli.desk import AS_JSON, Desk, desk_of
from postbus.cli.errors import Exit
from postbus.cli.resubmission import RECORDS_AT_ONCE, Resubmission
from postbus.domain import card_numbers
from postbus.domain.errors import Malformed
from postbus.domain.transaction import Transaction

_COMPARED_AT_ONCE = 100


def reconcile(
    context: typer.Context,
    source: str | None = typer.Option(None, "--source", help="Only this source; by default all."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what is missing, and change nothing."),
    as_json: bool = AS_JSON,
) -> None:
    """Bring in approved records of which no trace is found: the stream forgets after 24 hours.

    Reads the whole input table.  Records that cannot be read are named, and left to be corrected.
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
    return {"compared": 0, "elsewhere": 0, **found}


def reconcile_source(desk: Desk, source: str, dry_run: bool, answer: dict[str, Any]) -> None:
    """Compare one source's table; adds to the answer, and resubmits unless it is a dry run."""
    way_in = Resubmission(desk, source)
    images = way_in.table.approved()
    with desk.progress(f"comparing {source}") as so_far:
        while chunk := list(islice(images, _COMPARED_AT_ONCE)):
            here = [image for image in chunk if is_here(image, desk.deployment.region)]
            answer["elsewhere"] += len(chunk) - len(here)
            missing = _missing(desk, way_in, source, here, answer)
            answer["compared"] += len(here)
            if not dry_run:
                for start in range(0, len(missing), RECORDS_AT_ONCE):
                    records = [
                        way_in.table.as_inserted(one) for one in missing[start : start + RECORDS_AT_ONCE]
                    ]
                    answer["resubmitted"] += way_in.submit(records)
            so_far(answer["compared"])


def _missing(
    desk: Desk, way_in: Resubmission, source: str, images: Sequence[Mapping[str, Any]], answer: dict[str, Any]
) -> list[Mapping[str, Any]]:
    """Those of the records that neither an outcome nor the timeline knows of."""
    readable: dict[str, tuple[Mapping[str, Any], Transaction]] = {}
    for image in images:
        read = way_in.read(image)
        if isinstance(read, Malformed):
            fault = {"source": source, "key": image.get(way_in.key, {}).get("S", "")}
            fault |= {"field": read.field, "expected": read.expected}
            # What is malformed may be a card number, in its key as well.
            answer["malformed"].append(card_numbers.masked(fault))
        else:
            readable[read.transaction_id] = (image, read)
    hashes = desk.decided.content_hashes(list(readable))
    missing = []
    for transaction_id, (image, transaction) in readable.items():
        if transaction_id in hashes:
            if hashes[transaction_id] != transaction.content_hash:
                answer["changed"].append(transaction_id)
        elif not desk.timeline.story(transaction_id).events:
            answer["missing"].append(transaction_id)
            missing.append(image)
    return missing


def _for_people(answer: Mapping[str, Any], dry_run: bool) -> list[Any]:
    said: list[Any] = [Text(f"{answer['compared']} approved records compared.")]
    if answer["elsewhere"]:
        said.append(Text(f"{answer['elsewhere']} of other regions were left to them."))
    if not answer["missing"]:
        said.append(Text("Nothing is missing: every one has an outcome or is on its way."))
    elif dry_run:
        said.append(Text(f"{len(answer['missing'])} are missing; the same without --dry-run brings them in:"))
        said += [Text(f"  {one}") for one in answer["missing"]]
    else:
        said.append(Text(f"{len(answer['resubmitted'])} were missing and have been brought in:"))
        said += [Text(f"  {one}") for one in answer["resubmitted"]]
    if answer["changed"]:
        said.append(Text("Changed after they were decided, which has no effect on what was posted:"))
        said += [Text(f"  {one}") for one in answer["changed"]]
    if answer["malformed"]:
        table = Table("source", "key", "field", "expected", title="cannot be read: correct them in the table")
        for fault in answer["malformed"]:
            table.add_row(fault["source"], fault["key"], fault["field"], fault["expected"])
        said.append(table)
    return said
