"""Progress for a person: a live line on a terminal, plain lines elsewhere, and never long silence."""

import sys
import threading
import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.status import Status

# Nothing is silent for longer than this.
HEARTBEAT_SECONDS = 2.0

# Nobody's window bounds what goes to a file or another program.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


class Step:
    """One step of the work, used as ``with Step("starting the emulator") as step: ...``."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._detail = ""
        self._result = ""
        self._started = time.monotonic()
        self._last_line = self._started
        self._ended = threading.Event()
        self._status: Status | None = None

    def __enter__(self) -> "Step":
        if sys.stdout.isatty():
            self._status = console.status(self._text())
            self._status.start()
        else:
            print(f"… {self._title}", flush=True)
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()
        return self

    def update(self, detail: str) -> None:
        """What is going on now; shown at once on a terminal, at the next heartbeat elsewhere."""
        self._detail = detail

    def note(self, line: str) -> None:
        """A line that stays."""
        console.print(f"  {escape(line)}")
        self._last_line = time.monotonic()

    def done(self, result: str) -> None:
        """What the step came to; printed when it ends."""
        self._result = result

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._heart.join()
        if self._status:
            self._status.stop()
        seconds = f"{time.monotonic() - self._started:.1f} s"
        if kind is None:
            console.print(f"[green]✓[/green] {escape(self._result or self._title)} [dim]({seconds})[/dim]")
        else:
            console.print(f"[red]✗[/red] {escape(self._title)} [dim]({seconds})[/dim]")

    def _text(self) -> str:
        seconds = f"{time.monotonic() - self._started:.0f} s"
        return escape(f"{self._title}{': ' if self._detail else ''}{self._detail} ({seconds})")

    def _beat(self) -> None:
        while not self._ended.wait(0.2):
            if self._status:
                self._status.update(self._text())
            elif time.monotonic() - self._last_line >= HEARTBEAT_SECONDS:
                print(f"  {self._text()}", flush=True)
                self._last_line = time.monotonic()
