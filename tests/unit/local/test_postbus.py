"""The script `postbus`: which deployment it lets the command speak to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree whose environment tells what it was started with."""
    (tmp_path / "postbus").write_bytes((ROOT / "postbus").read_bytes())
    (tmp_path / "postbus").chmod(0o755)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$POSTBUS_DEPLOYMENT $AWS_ENDPOINT_URL $*"\n')
    python.chmod(0o755)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    """Without whatever the machine says of a deployment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POSTBUS_"))}
    return {**kept, **more}


def started(tree: Path, *words: str, **more: str) -> str:
    command = [str(tree / "postbus"), *words]
    done = subprocess.run(command, env=environment(**more), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def up(tree: Path, port: int) -> Path:
    file = tree / ".local" / f"stack-{port}" / "deployment.json"
    file.parent.mkdir(parents=True)
    file.touch()
    return file


def test_this_machines_stack_comes_first_whatever_region_is_set(tree: Path) -> None:
    file = up(tree, 4566)
    said = started(tree, "status", AWS_REGION="eu-west-1")
    assert said == f"{file} http://127.0.0.1:4566 -m postbus.cli status"
    other = up(tree, 4600)
    assert started(tree, "status", POSTBUS_PORT="4600").startswith(f"{other} http://127.0.0.1:4600 ")


def test_a_deployment_that_is_named_is_the_one(tree: Path) -> None:
    up(tree, 4566)
    assert started(tree, "--region", "eu-west-1", "status") == "-m postbus.cli --region eu-west-1 status"
    assert started(tree, "status", POSTBUS_DEPLOYMENT="/x.json") == "/x.json  -m postbus.cli status"


def test_where_no_stack_is_up_a_region_in_the_environment_does_not_lead_to_aws(tree: Path) -> None:
    (tree / "source").symlink_to(ROOT / "source")
    python = tree / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    done = subprocess.run(
        [str(tree / "postbus"), "sample", "load"],
        env=environment(AWS_REGION="eu-west-1"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no stack is up on port 4566 of this machine: `make demo`" in done.stderr


def test_the_help_names_the_command_as_it_is_typed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postbus.cli", "hold", "--help"],
        env=environment(PYTHONPATH=str(ROOT / "source" / "src"), COLUMNS="120"),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Usage: postbus hold " in done.stdout
    assert "cancel" not in done.stdout
