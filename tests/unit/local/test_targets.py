"""The rules of tests/conftest.py, on small suites of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]

SUITE = """
import pytest

@pytest.mark.needs("pipes")
def test_a_pipe():
    pass

def test_plain():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "tests"
    (folder / "unit").mkdir(parents=True)
    shutil.copy(TESTS / "conftest.py", folder)
    shutil.copy(TESTS.parent / "pyproject.toml", tmp_path)
    (folder / "unit" / "test_it.py").write_text(SUITE)
    permit(folder)
    return folder


def permit(folder: Path, *names: str, capabilities: str = "") -> None:
    (folder / "targets.toml").write_text(
        f'capabilities = ["pipes"]\n[small]\nname = "Small"\ncapabilities = [{capabilities}]\n'
        f"permitted_skips = {list(names)!r}\n"
    )


def run(suite: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("POSTBUS_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests"],
        cwd=suite.parent,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_target_everything_runs(suite: Path) -> None:
    done = run(suite)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_skip_that_is_not_permitted_fails_the_run(suite: Path) -> None:
    done = run(suite, POSTBUS_TARGET="small")
    assert done.returncode == 1, done.stdout
    assert "test_a_pipe: skipped, which small does not permit" in done.stdout
    assert "Small lacks pipes" in done.stdout


def test_a_permitted_skip_is_fine(suite: Path) -> None:
    permit(suite, "tests/unit/test_it.py::test_a_pipe")
    done = run(suite, POSTBUS_TARGET="small")
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_a_permitted_skip_that_ran_after_all_fails_the_run(suite: Path) -> None:
    permit(suite, "tests/unit/test_it.py::test_a_pipe", capabilities='"pipes"')
    done = run(suite, POSTBUS_TARGET="small")
    assert done.returncode == 1, done.stdout
    assert "ran, though small permits its skip" in done.stdout


def test_an_unknown_target_or_capability_is_refused(suite: Path) -> None:
    assert "one of small, not 'large'" in run(suite, POSTBUS_TARGET="large").stderr
    (suite / "unit" / "test_it.py").write_text(SUITE.replace("pipes", "wings"))
    assert "wings" in run(suite).stderr


def test_end_to_end_tests_say_what_they_need(suite: Path) -> None:
    (suite / "e2e").mkdir()
    (suite / "e2e" / "test_far.py").write_text("def test_far():\n    pass\n")
    done = run(suite)
    assert "needs a deployed stack: run `make e2e`" in done.stdout
