"""Fetch a RabbitMQ server for the tests of the bridge: `make rabbitmq` runs this.

python3 local/rabbitmq.py .local/rabbitmq

Debian's packages (or Ubuntu's), as the system's own apt finds and verifies them, unpacked into a folder:
nothing is installed and no service is started.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SECONDS = 120


def main(folder: Path) -> None:
    started = time.monotonic()
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        print("… rabbitmq: no Debian packages on this machine; the tests that need a server are skipped")
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        _fetch(folder / "root")
    except (subprocess.SubprocessError, OSError) as problem:
        shutil.rmtree(folder, ignore_errors=True)
        said = getattr(problem, "stderr", None) or str(problem)
        # Where everything must run, a test that is skipped for want of its server has not passed.
        verdict = "could not be fetched" if os.environ.get("CI") else "not to be had; its tests are skipped"
        print(f"rabbitmq: {verdict}: {said.strip()[-500:]}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") else 0)
    _write_programs(folder)
    print(f"✓ rabbitmq is ready ({time.monotonic() - started:.0f} s)", flush=True)


def _fetch(root: Path) -> None:
    try:
        _unpack(_packages(), root)
    except subprocess.CalledProcessError:  # apt's lists are missing, or older than what they name
        _run(["apt-get", "update", "-q"], "/")
        _unpack(_packages(), root)


def _unpack(packages: list[str], root: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="rabbitmq-") as downloads:
        _run(["apt-get", "download", "-q", *packages], downloads)
        for archive in sorted(Path(downloads).glob("*.deb")):
            _run(["dpkg-deb", "-x", str(archive), str(root)], downloads)


def _packages() -> list[str]:
    """The server and the parts of Erlang that it needs."""
    found = _run(["apt-cache", "depends", "--recurse", "--important", "rabbitmq-server"], "/")
    erlang = {name for name in found.split() if name.startswith("erlang-")}
    return ["rabbitmq-server", *sorted(erlang)]


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=True)
    return done.stdout


def _write_programs(folder: Path) -> None:
    """Programs that start from here: the packaged ones know only the place they are installed to."""
    [runtime] = (folder / "root/usr/lib/erlang").glob("erts-*/bin")
    [scripts] = (folder / "root/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin")
    programs = {
        "erl": f"export ROOTDIR={runtime.parents[1]} BINDIR={runtime} EMU=beam PROGNAME=erl\n"
        'exec "$BINDIR/erlexec" "$@"',
        "epmd": f'exec {runtime}/epmd "$@"',
        "rabbitmq-server": f'exec {scripts}/rabbitmq-server "$@"',
    }
    (folder / "bin").mkdir()
    for name, text in programs.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    (folder / ".ready").touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
