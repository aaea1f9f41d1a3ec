"""Make a Python environment from a lock, with nothing but a Python: `make` runs this before all else.

python3 local/environment.py .venv requirements-dev.txt
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - for whoever runs it with an older python3
    sys.exit(
        f"Postbus needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.\n"
        "Name a newer one: make PYTHON=python3.13 ..."
    )

import subprocess
import threading
import time
import venv
from pathlib import Path

HEARTBEAT_SECONDS = 2.0


def main(folder: Path, lock: Path) -> None:
    started = time.monotonic()
    wanted = sum(
        1 for line in lock.read_text().splitlines() if "==" in line and not line.startswith((" ", "#"))
    )
    print(f"… {folder.name}: installing {lock.name}, {wanted} pinned distributions", flush=True)
    try:
        venv.create(folder, with_pip=True, clear=True)
    except subprocess.CalledProcessError as problem:
        sys.exit(
            f"{folder.name}: could not make an environment (on Debian: apt install python3-venv): {problem}"
        )
    options = [
        "--disable-pip-version-check",
        "--progress-bar=off",
        "--require-hashes",
        f"--requirement={lock}",
    ]
    pip = subprocess.Popen(
        [str(folder / "bin" / "python"), "-m", "pip", "install", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert pip.stdout is not None
    said: list[str] = []
    threading.Thread(target=_heartbeat, args=(folder.name, said, wanted, started), daemon=True).start()
    said.extend(pip.stdout)
    if pip.wait() != 0:
        sys.exit("".join(said[-20:]) + f"{folder.name}: pip could not install {lock.name}")
    print(f"✓ {folder.name} is ready ({time.monotonic() - started:.0f} s)", flush=True)


def _heartbeat(name: str, said: list[str], wanted: int, started: float) -> None:
    while True:
        time.sleep(HEARTBEAT_SECONDS)
        fetched = sum(line.startswith("Collecting ") for line in said)
        doing = "installing" if any(line.startswith("Installing") for line in said) else f"{fetched}/{wanted}"
        print(f"  {name}: {doing} ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
