"""The embedded emulator: MiniStack in its own environment, on 127.0.0.1, its state below `.local/`."""

import json
import socket
import time
import urllib.error
import urllib.request
from typing import Any

from local.processes import Background
from local.settings import ACCOUNT_ID, EMULATOR_BIN, ROOT, CannotRun, Settings

HOST = "127.0.0.1"
START_SECONDS = 30.0
_LET_GO_SECONDS = 15.0

# As many functions at once as two cores can bear: a burst waits instead of starting a process each.
ACCOUNT_CONCURRENCY = 24

_SERVER = ROOT / "local" / "emulator_server.py"


def process(settings: Settings) -> Background:
    return Background("emulator", settings.folder)


def start(settings: Settings) -> None:
    """Start the emulator, or find it running, and wait until it answers.

    Raises:
        CannotRun: its environment is missing, the port is taken, or it did not come up.
    """
    emulator = process(settings)
    if emulator.pid() is not None:
        _await_health(settings)
        return
    python = EMULATOR_BIN / "python"
    if not python.exists():
        raise CannotRun("The emulator is not installed: run `make venv`.")
    if port_taken(settings.port):
        raise CannotRun(
            f"Port {settings.port} is in use by another program.\n"
            f"End that program, or choose another port: POSTBUS_PORT={settings.port + 1} make demo"
        )
    command = [str(python), "-P", str(_SERVER), HOST, str(settings.port)]
    emulator.start(command, environment(settings))
    _await_health(settings)


def environment(settings: Settings) -> dict[str, str]:
    """A clean environment: functions inherit it, and must not lean on what this machine happens to set."""
    scratch = settings.folder / "emulator"
    (scratch / "tmp").mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{EMULATOR_BIN}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch / "tmp"),
        "LANG": "C.UTF-8",
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": "localhost",
        "MINISTACK_REGION": settings.region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true" if settings.enforce_iam else "false",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(scratch / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(scratch / "s3"),
        "LAMBDA_ACCOUNT_CONCURRENCY": str(ACCOUNT_CONCURRENCY),
        "LOG_LEVEL": "WARNING",
    }


def stop(settings: Settings, *, keep_state: bool = True) -> bool:
    """End the emulator that was started here, and no other.  Whether it was running.

    Args:
        keep_state: let it write its state, which takes a while, for the next start to go on with.
    """
    was_running = process(settings).stop(grace_seconds=60 if keep_state else 0)
    # Killed, it is gone for whoever asks before the last of its threads has let go of the port.
    deadline = time.monotonic() + _LET_GO_SECONDS
    while was_running and port_taken(settings.port) and time.monotonic() < deadline:
        time.sleep(0.05)
    return was_running


def health(settings: Settings) -> dict[str, Any] | None:
    """Its own account of its health, or ``None`` when it does not answer."""
    try:
        # The port may be another program's: a deadline, and no proxy in between.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{settings.endpoint}/_ministack/health", timeout=2) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (urllib.error.URLError, OSError, ValueError):
        return None


def port_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _await_health(settings: Settings) -> None:
    deadline = time.monotonic() + START_SECONDS
    while health(settings) is None:
        if process(settings).pid() is None:
            raise CannotRun(f"The emulator ended as it started:\n{process(settings).tail()}")
        if time.monotonic() > deadline:
            raise CannotRun(
                f"The emulator did not answer within {START_SECONDS:.0f} s:\n{process(settings).tail()}"
            )
        time.sleep(0.05)
