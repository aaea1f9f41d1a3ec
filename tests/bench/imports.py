"""How long each function's handler module takes to import cold, and how large its package is.

    python -m tests.bench.imports [--json]

Each figure is the median of ten fresh interpreters, with the package's own contents and nothing else on
the path, so that nothing leans on what the machine happens to have installed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = 10

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--packages", type=Path, default=ROOT / "source/build/dist")
    options = parser.parse_args()
    archives = {path.stem: path for path in sorted(options.packages.glob("*.zip"))}
    if not archives:
        raise SystemExit(f"no package in {options.packages}: run `make packages` first")
    package_of = {"evaluate_rules": "rules", "generate_visa": "mock"}
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, archive in archives.items():
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(Path(scratch) / name)
        for function in handlers():
            package = package_of.get(function, "core")
            if package in archives:
                milliseconds = cold_import_ms(Path(scratch) / package, function)
                rows.append(
                    {"function": function, "package": package, "cold_import_ms": round(milliseconds, 1)}
                )
    sizes = {name: path.stat().st_size for name, path in archives.items()}
    if options.json:
        print(json.dumps({"functions": rows, "package_bytes": sizes}))
        return
    for row in rows:
        print(f"{row['function']:<20} {row['package']:<8} {row['cold_import_ms']:>8} ms")
    for name, size in sizes.items():
        print(f"package {name:<12} {size / 1e6:>8.2f} MB")


if __name__ == "__main__":
    main()
