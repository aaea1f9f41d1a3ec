import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local import emulator
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
    make_local()
    assert (tmp_path / ".local").stat().st_mode & 0o777 == 0o700
