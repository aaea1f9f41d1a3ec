import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from local import checks, emulator, stack, terraform
from local.__main__ import Interrupted, main
from local.processes import Background
from local.settings import CannotRun, Settings, make_local

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_background_process_is_found_again_and_ended(tmp_path: Path) -> None:
    background = Background("sleeper", tmp_path)
    background.start(SLEEP, os.environ)
    assert Background("sleeper", tmp_path).pid() is not None
    assert Background("sleeper", tmp_path).stop()
    assert background.pid() is None
    assert not background.stop()


def test_a_pid_that_another_program_has_got_since_is_not_touched(tmp_path: Path) -> None:
    background = Background("sleeper", tmp_path)
    other = subprocess.Popen(SLEEP)
    try:
        background.pid_file.write_text(json.dumps({"pid": other.pid, "started": "long ago"}))
        assert background.pid() is None
        assert not background.stop()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_what_does_not_listen_is_ended_with_its_children(tmp_path: Path) -> None:
    background = Background("stubborn", tmp_path)
    background.start([sys.executable, "-c", STUBBORN], os.environ)
    while not background.tail().strip().isdigit():
        assert background.pid() is not None, background.tail()
    child = int(background.tail())
    assert background.stop(grace_seconds=0.2)
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


# As Terraform and its provider: the one ends in order when interrupted, the other leaves that to it.
WORKER = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
plugin = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
def finish(*_):
    pathlib.Path(sys.argv[1]).write_text("finished")
    sys.exit(1)
signal.signal(signal.SIGINT, finish)
print(plugin.pid, flush=True)
time.sleep(60)
"""

# Waits for a worker, as `make up` does for Terraform.
WAITING = """
import os, pathlib, sys
from local.processes import Background
with Background("worker", pathlib.Path(sys.argv[1])).foreground(sys.argv[2:], os.environ) as worker:
    print(worker.pid, worker.stdout.readline().strip(), flush=True)
    worker.wait()
"""


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def worker(folder: Path) -> list[str]:
    return [sys.executable, "-c", WORKER, str(folder / "report")]


def waited_for(folder: Path) -> tuple[subprocess.Popen[str], int, int]:
    """Somebody who waits for a worker, the worker, and what the worker started."""
    caller = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(folder), *worker(folder)], stdout=subprocess.PIPE, text=True
    )
    assert caller.stdout is not None
    pid, plugin = map(int, caller.stdout.readline().split())
    return caller, pid, plugin


def test_what_is_waited_for_is_interrupted_with_the_caller_and_leaves_nothing(tmp_path: Path) -> None:
    background = Background("worker", tmp_path)
    with suppress(KeyboardInterrupt), background.foreground(worker(tmp_path), os.environ) as running:
        assert running.stdout is not None
        plugin = int(running.stdout.readline())
        assert background.pid() == running.pid
        raise KeyboardInterrupt
    assert (tmp_path / "report").read_text() == "finished"
    assert not is_running(running.pid)
    assert not is_running(plugin)
    assert not background.pid_file.exists()


def test_what_does_not_heed_an_interrupt_is_ended_after_the_grace_period(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    background = Background("worker", tmp_path)
    command = [sys.executable, "-c", deaf]
    with suppress(KeyboardInterrupt), background.foreground(command, os.environ, 0.2) as running:
        assert running.stdout is not None
        running.stdout.readline()
        raise KeyboardInterrupt
    assert not is_running(running.pid)


def test_what_outlived_the_one_who_waited_for_it_can_be_ended_by_another(tmp_path: Path) -> None:
    caller, pid, plugin = waited_for(tmp_path)
    caller.kill()
    caller.wait()
    assert is_running(pid)
    assert Background("worker", tmp_path).stop(grace_seconds=0)
    assert not is_running(pid)
    assert not is_running(plugin)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system lets nobody look")
def test_what_a_worker_left_when_it_was_killed_can_be_ended_as_well(tmp_path: Path) -> None:
    caller, pid, plugin = waited_for(tmp_path)
    other, _, others = waited_for(tmp_path / "elsewhere")
    try:
        caller.kill()
        caller.wait()
        os.kill(pid, signal.SIGKILL)
        while is_running(pid):
            time.sleep(0.01)
        assert is_running(plugin)
        assert Background("worker", tmp_path).stop(grace_seconds=0)
        assert not is_running(plugin)
        assert is_running(others)
    finally:
        Background("worker", tmp_path / "elsewhere").stop(grace_seconds=0)
        other.wait()


# As `make test-terraform`, which only wants to know what it said.  A script that starts something behind
# itself (`make test &`) has it ignore interrupts, and all that it starts.
ASKING = """
import os, signal, sys
from local.terraform import run
signal.signal(signal.SIGINT, signal.default_int_handler)
run(sys.argv[1:], os.environ)
"""

# As above, but whoever waits for it reads it at its end only.
ASKED = WORKER.replace(
    "print(plugin.pid, flush=True)", "pathlib.Path(sys.argv[1]).write_text(str(plugin.pid))"
)


def test_what_is_only_asked_is_interrupted_with_the_caller_and_leaves_nothing(tmp_path: Path) -> None:
    report = tmp_path / "report"
    command = [sys.executable, "-c", ASKING, sys.executable, "-c", ASKED, str(report)]
    caller = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (report.exists() and report.read_text().isdigit()):
        assert caller.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    plugin = int(report.read_text())
    caller.send_signal(signal.SIGINT)
    caller.wait()
    assert report.read_text() == "finished"
    assert not is_running(plugin)


def test_what_is_asked_answers_and_fails_with_all_that_it_said() -> None:
    both = "import sys; print('said'); print('meant', file=sys.stderr); sys.exit(int(sys.argv[1]))"
    assert terraform.run([sys.executable, "-c", both, "0"], os.environ) == "said\n"
    with pytest.raises(terraform.Failed, match=r"\nsaid\nmeant\n$"):
        terraform.run([sys.executable, "-c", both, "1"], os.environ)


@pytest.mark.parametrize("verb", ["test-terraform", "e2e", "plan"])
def test_an_interrupted_check_says_so_in_a_word(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checks, "terraform", interrupted)
    monkeypatch.setattr(checks, "end_to_end", interrupted)
    monkeypatch.setattr(stack, "terraform", interrupted)
    with pytest.raises(Interrupted, match=r"^interrupted$"):
        main([verb])


def test_an_interrupted_demo_says_how_to_end_what_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(settings: Settings) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "up", interrupted)
    monkeypatch.delenv("POSTBUS_PORT", raising=False)
    with pytest.raises(Interrupted, match=r"^interrupted; `make down` ends what was started$"):
        main(["demo"])
    monkeypatch.setenv("POSTBUS_PORT", "4600")
    with pytest.raises(Interrupted, match="`POSTBUS_PORT=4600 make down`"):
        main(["up"])


def test_down_ends_a_terraform_that_was_left_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("local.settings.LOCAL", tmp_path)
    monkeypatch.setattr(stack, "LOCAL", tmp_path)
    settings = Settings(port=4600)
    terraform.process(settings).start(SLEEP, os.environ)
    pid = terraform.process(settings).pid()
    assert pid
    stack.down(settings)
    assert not is_running(pid)
    assert not settings.folder.exists()
    assert "ended terraform" in capsys.readouterr().out
    stack.down(settings)
    assert "nothing was running" in capsys.readouterr().out


@pytest.mark.parametrize("beside", ["stack-4601", "cache", ""])
def test_down_leaves_nothing_of_a_stack_and_all_of_what_is_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    local = tmp_path / ".local"
    monkeypatch.setattr("local.settings.LOCAL", local)
    monkeypatch.setattr(stack, "LOCAL", local)
    settings = Settings(port=4600)
    (settings.folder / "emulator").mkdir(parents=True)
    if beside:
        (local / beside).mkdir()
    stack.down(settings)
    assert [one.name for one in tmp_path.glob(".local/*")] == [one for one in [beside] if one]
    assert local.exists() == bool(beside)


def test_where_no_stack_is_up_the_status_says_what_starts_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("local.settings.LOCAL", tmp_path)
    stack.status(Settings(port=4600))
    assert "no stack is up on port 4600: `make demo`" in capsys.readouterr().out


def test_a_port_in_use_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.settings.LOCAL", tmp_path)
    monkeypatch.setattr(emulator, "EMULATOR_BIN", Path(sys.executable).parent)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotRun, match=rf"Port {port} is in use.*\n.*POSTBUS_PORT={port + 1}"):
            emulator.start(Settings(port=port))


def test_functions_inherit_nothing_of_the_callers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.settings.LOCAL", tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    seen = emulator.environment(Settings(port=4600))
    assert "PYTHONPATH" not in seen
    assert seen["BIND_HOST"] == "127.0.0.1"
    assert seen["STATE_DIR"].startswith(str(tmp_path))


def test_what_a_stack_leaves_on_disk_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.settings.LOCAL", tmp_path / ".local")
    (tmp_path / ".local" / "cache").mkdir(parents=True)  # as a test's cache does, for everybody to read
    make_local()
    assert (tmp_path / ".local").stat().st_mode & 0o777 == 0o700
