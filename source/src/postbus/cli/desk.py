"""What every command works with: the deployment, the ports behind it, a way to answer people or programs."""

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from typer.core import TyperCommand

from postbus.adapters.aws_calls import answering
from postbus.adapters.dynamodb_outcome_reader import OutcomeReader
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
from postbus.adapters.eventbridge_bus import EventBridgeBus
from postbus.cli.deployment import Deployment
from postbus.cli.errors import CannotRun
from postbus.domain.card_numbers import long_numbers

if TYPE_CHECKING:
    from postbus.adapters.dynamodb_books import LedgerBooks

AS_JSON = typer.Option(False, "--json", help="Answer as JSON, for programs.")
REASON = typer.Option(..., "--reason", help="Why; it is kept with the decision.")
OPERATOR = typer.Option(
    None, "--operator", help="Your name; it is kept as claimed, after the identity AWS knows you by."
)

# No comma: what follows the known identity is to be told from it.
_OPERATOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9 @._:/+=-]{0,63}", re.ASCII)
_MOST_OF_A_REASON = 500


class SafeConsole(Console):
    """A terminal that texts from elsewhere cannot steer: what is ``printable``, letter for letter."""

    def __init__(self, **options: Any) -> None:
        super().__init__(emoji=False, markup=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


class Changing(TyperCommand):
    """A command that may change something: it says first which deployment it speaks to.

    To standard error; not for a program, and not where nothing is to be changed.
    """

    def invoke(self, ctx: Any) -> Any:
        if not ctx.params.get("as_json") and not ctx.params.get("dry_run"):
            desk = desk_of(ctx)
            SafeConsole(stderr=True, soft_wrap=True, highlight=False).print(
                f"to {desk.deployment}:", style="dim"
            )
        return super().invoke(ctx)


class Desk:
    """One operator's session with one deployment."""

    def __init__(self, find: Callable[[], Deployment]) -> None:
        self._find = find
        # A pipe or a file gets whole lines, whatever their length.
        self.console = SafeConsole(width=None if sys.stdout.isatty() else 160)
        # What is said beside an answer: how far it is, and what becomes of it meanwhile.
        self.aside = SafeConsole(stderr=True, soft_wrap=True, highlight=False)

    @cached_property
    def deployment(self) -> Deployment:
        return self._find()

    @cached_property
    def outcomes(self) -> DynamoDbOutcomes:
        return DynamoDbOutcomes(self.deployment.client("dynamodb"), self.deployment.table("ledger"))

    @cached_property
    def decided(self) -> OutcomeReader:
        """The same outcomes, in bulk."""
        return OutcomeReader(self.deployment.client("dynamodb"), self.deployment.table("ledger"))

    @cached_property
    def timeline(self) -> DynamoDbTimeline:
        return DynamoDbTimeline(self.deployment.client("dynamodb"), self.deployment.table("timeline"))

    @cached_property
    def bus(self) -> EventBridgeBus:
        return EventBridgeBus(self.deployment.client("events"), self.deployment.bus)

    @cached_property
    def books(self) -> "LedgerBooks":
        from postbus.adapters.dynamodb_books import LedgerBooks

        tables = self.deployment.table("ledger"), self.deployment.table("balances")
        return LedgerBooks(self.deployment.client("dynamodb"), *tables)

    def now(self) -> datetime:
        """To the millisecond, as everything is kept."""
        moment = datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def operator(self, claimed: str | None) -> str:
        """Who gives the command: the identity AWS knows, and after it the name claimed, if any."""
        if claimed is not None and (not _OPERATOR.fullmatch(claimed) or long_numbers(claimed)):
            raise CannotRun(
                "--operator: at most 64 letters, digits and @._:/+=- such as jane.doe@example.org, "
                "no number of 13 or more digits."
            )
        with answering("identity service"):
            known = str(self.deployment.client("sts").get_caller_identity()["Arn"])
        return f"{known}, as {claimed}" if claimed else known

    # -- answers -------------------------------------------------------------------------------------------

    def show(self, as_json: bool, data: Mapping[str, Any], *people: RenderableType) -> None:
        """Answer a program with ``data``, or people with something to read."""
        if as_json:
            text = json.dumps(data, indent=2)  # ASCII: nothing in it steers a terminal
            self.console.print(text, highlight=False, soft_wrap=True)
            return
        for renderable in people:
            if isinstance(renderable, Table):
                for column in renderable.columns:
                    column.overflow = "fold"  # an id is copied whole or not at all
            # A document stays as it is, for whoever pipes it on; a sentence is wrapped, on a terminal only.
            whole = isinstance(renderable, str) or not self.console.is_terminal
            self.console.print(renderable, soft_wrap=whole and not isinstance(renderable, Table))

    @contextmanager
    def progress(self, what: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """Show on the terminal that something is going on, and how far it is.

        Yields:
            Says how far it is, of ``total``; without a total, how many there were so far.
        """
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *([BarColumn()] if total is not None else [TextColumn("{task.completed:.0f}")]),
            TimeElapsedColumn(),
            console=self.aside,
            transient=True,
            disable=not self.aside.is_terminal,
        )
        with bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)


def printable(text: str) -> str:
    """``text`` without what would steer a terminal, hide or reorder what it shows; lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        one for one in text if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cf", "Cs")
    )


def desk_of(context: typer.Context) -> Desk:
    desk = context.obj
    assert isinstance(desk, Desk)
    return desk


def checked_reason(reason: str) -> str:
    """A reason fit to be kept and announced.

    Raises:
        CannotRun: empty, too long, or with something like a card number in it.
    """
    reason = reason.strip()
    if not reason:
        raise CannotRun("--reason: say why, for whoever asks later.")
    if len(reason) > _MOST_OF_A_REASON:
        raise CannotRun(f"--reason: at most {_MOST_OF_A_REASON} characters.")
    if long_numbers(reason):
        raise CannotRun("--reason: no number of 13 or more digits; it is announced to everyone who listens.")
    return reason


def ago(seconds: float) -> str:
    """A span of time for people: ``35 ms``, ``4.2 s``, ``12 min``, ``3 h 5 min``, ``2 d 4 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if whole < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
