"""How long each function's handler module takes to import cold, and how large its package is.

Each figure is the median of ten fresh interpreters, with the package's own contents and nothing else on
the path, so that nothing leans on what the machine happens to have installed.
"""

import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = 10

# As source/modules deploy them; all others run from the core package.
_PACKAGE_OF = {
    "evaluate_rules": "rules",
    "generate_visa": "mock",
    "screen_parties": "screening",
    **dict.fromkeys(("read_broker", "write_broker"), "mq"),
    **dict.fromkeys(
        (
            "serve_iso20022", "receive_message", "process_message", "decide_message", "collect_outcomes",
            "release_message", "time_out_messages", "check_identity", "check_fraud", "reserve_liquidity",
        ),
        "iso20022",
    ),
}  # fmt: skip

_MEASURE = """
import sys, time
sys.path.insert(0, {package!r})
began = time.perf_counter()
import {module}
print((time.perf_counter() - began) * 1000)
"""


def handlers() -> list[str]:
    found = sorted(path.parent.name for path in (ROOT / "source/src/postbus/functions").glob("*/handler.py"))
    if not found:
        raise SystemExit("no function has a handler.py: is this the project's root?")
    return found


def cold_import_ms(package: Path, function: str) -> float:
    """Median import time of a handler in fresh isolated interpreters, in milliseconds."""
    script = _MEASURE.format(package=str(package), module=f"postbus.functions.{function}.handler")
    times = [
        float(
            subprocess.run(
                [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(RUNS)
    ]
    return statistics.median(times)


def report(archives: Mapping[str, Path]) -> None:
    """Print a line for each function and each package.

    Args:
        archives: packages by name; one that can run here under its plain name, others only for their size.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for function in handlers():
            package = _PACKAGE_OF.get(function, "core")
            folder = Path(scratch) / package
            if not folder.exists():
                with zipfile.ZipFile(archives[package]) as zipped:
                    zipped.extractall(folder)
            print(f"{function:<20} {package:<8} {cold_import_ms(folder, function):>7.0f} ms", flush=True)
    for name, archive in archives.items():
        print(f"package {name:<20} {archive.stat().st_size / 1e6:>7.2f} MB")
