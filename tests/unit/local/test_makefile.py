"""The commands of the Makefile in a tree that was only just fetched."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(MAKE is None, reason="there is no make")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).parents[3] / "Makefile", tmp_path)
    return tmp_path


def make(tree: Path, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    assert MAKE is not None
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        [MAKE, *words], cwd=tree, env=kept | ({"PATH": path} if path else {}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["down", "status"])
def test_to_look_or_to_end_something_installs_nothing(tree: Path, target: str) -> None:
    done = make(tree, target)
    assert (done.returncode, done.stdout) == (0, "no stack is up: nothing was started here\n")
    assert [one.name for one in tree.iterdir()] == ["Makefile"]


@pytest.mark.parametrize("target", ["demo", "up", "test", "e2e"])
def test_without_terraform_nothing_is_installed_before_that_is_said(tree: Path, target: str) -> None:
    done = make(tree, target, path=str(tree / "nowhere"))
    assert done.returncode != 0
    assert "Terraform 1.7.1 or newer is needed" in done.stderr
    assert [one.name for one in tree.iterdir()] == ["Makefile"]


def test_clean_takes_what_was_made_and_leaves_what_somebody_keeps(tree: Path) -> None:
    made = (".venv", ".build", ".local/cache", "source/.terraform", "source/modules/ledger/.terraform")
    for name in made:
        (tree / name).mkdir(parents=True)
    locks = [tree / "source" / ".terraform.lock.hcl", tree / "source/modules/ledger/.terraform.lock.hcl"]
    state = tree / "source" / "terraform.tfstate"
    for file in (*locks, state):
        file.touch()
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    subprocess.run(["git", "add", str(locks[0])], cwd=tree, check=True)
    assert make(tree, "clean").returncode == 0
    assert not [name for name in made if (tree / name).exists()]
    assert [file.exists() for file in (*locks, state)] == [True, False, True]
