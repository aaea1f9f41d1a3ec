"""Processes with a pid file: whoever comes later ends them only if they are the ones that were started."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# A process that is waited for says with this where its pid file is, and so does whatever it starts.
_MARK = "POSTBUS_PID_FILE"


@dataclass(frozen=True, slots=True)
class Background:
    """One process of a stack: its pid file and its log stand in ``folder``."""

    name: str
    folder: Path

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it in a session of its own, so that it outlives the caller and can be ended as a group."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._mark(process.pid)

    @contextmanager
    def foreground(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        grace_seconds: float = 60.0,
        errors: IO[str] | int = subprocess.STDOUT,
    ) -> Iterator[subprocess.Popen[str]]:
        """Run it while the caller waits for it; whatever ends the caller ends it too, with its children.

        It is in a session of its own, so an interrupt at the terminal reaches it once, from here, and it has
        the grace period to finish what it is at; a second interrupt cuts that short.

        Args:
            errors: the file its errors go to; unless one is given, they come with its output.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            list(command),
            env={**environment, _MARK: str(self.pid_file)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        try:
            self._mark(process.pid)
            yield process
            process.wait()
        except BaseException:
            _signal(os.killpg, process.pid, signal.SIGINT)
            # Nobody listens any more, and it must not wait for that.
            threading.Thread(target=_drain, args=(process,), daemon=True).start()
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_seconds)
            raise
        finally:
            if process.poll() is None:
                _signal(os.killpg, process.pid, signal.SIGKILL)
                process.wait()
            self._end_orphans()
            self.pid_file.unlink(missing_ok=True)

    def _mark(self, pid: int) -> None:
        mark = {"pid": pid, "started": _started(pid)}
        self.pid_file.write_text(json.dumps(mark), encoding="utf-8")

    def pid(self) -> int | None:
        """Its process id while it runs.  A pid that another program has got since is not it."""
        try:
            mark = json.loads(self.pid_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        pid = int(mark["pid"])
        _reap(pid)
        started = _started(pid)
        return pid if started and started == mark["started"] else None

    def stop(self, grace_seconds: float = 10.0) -> bool:
        """Ask it to end; after the grace period end its whole group.  Whether it was running."""
        pid = self.pid()
        if pid is not None:
            _signal(os.kill, pid, signal.SIGTERM)
            deadline = time.monotonic() + grace_seconds
            while self.pid() is not None and time.monotonic() < deadline:
                time.sleep(0.05)
            # Its children (an emulator's workers) are in its group and go with it.
            _signal(os.killpg, pid, signal.SIGKILL)
            while self.pid() is not None:
                time.sleep(0.05)
        outlived = self._end_orphans()
        self.pid_file.unlink(missing_ok=True)
        return pid is not None or outlived

    def _end_orphans(self) -> bool:
        """End what it started and outlived it, such as a plugin of Terraform's.  Whether there was any."""
        mark = f"{_MARK}={self.pid_file}".encode()
        found = False
        while orphans := [pid for pid, inherited in _environments() if mark in inherited]:
            found = True
            for orphan in orphans:
                _signal(os.kill, orphan, signal.SIGKILL)
            time.sleep(0.02)
        return found

    def tail(self, lines: int = 15) -> str:
        """The end of its log, for a message."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _started(pid: int) -> str:
    """When the process began, in the system's own words; empty when there is none."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            # After the command in brackets: state is the first field, the start time the twentieth.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] == "Z" else fields[19]
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    """The running processes with the variables they began with, where the system lets one look (Linux)."""
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield int(entry.parent.name), entry.read_bytes().split(b"\0")
        except OSError:  # another user's, or gone by now
            continue


def _drain(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for _ in process.stdout:
        pass


def _reap(pid: int) -> None:
    """If it is a child of this very process, take note of its end."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _signal(send, pid: int, number: signal.Signals) -> None:  # type: ignore[no-untyped-def]
    try:
        send(pid, number)
    except ProcessLookupError:
        return
