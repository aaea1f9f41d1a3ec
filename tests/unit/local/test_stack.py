"""Bringing the stack up: what is tried again, and what is not."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local import emulator, stack
from local.processes import Background
from local.settings import Settings
from local.terraform import Failed

LOST = "creating API Gateway Resource: https response error StatusCode: 409, ConflictException: already there"
LOST_GROUP = "creating Log Group: StatusCode: 400, ResourceAlreadyExistsException: the group already exists"


@dataclass
class Deploying:
    """As much of Terraform as brings a stack up; each apply takes the next ending."""

    settings: Any
    endings: list[str]
    done: list[str] = field(default_factory=list)

    def init(self) -> None:
        self.done.append("init")

    def apply(self) -> None:
        self.done.append("apply")
        if ending := self.endings.pop(0):
            raise Failed(ending)


@dataclass(frozen=True)
class Folder:
    folder: Path


@pytest.fixture
def deploying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploying:
    found = Deploying(Folder(tmp_path / "stack"), [])
    found.settings.folder.mkdir()
    monkeypatch.setattr(emulator, "stop", lambda _settings, keep_state: found.done.append("stop"))
    monkeypatch.setattr(emulator, "start", lambda _settings: found.done.append("start"))
    return found


@pytest.mark.parametrize("error", [LOST, LOST_GROUP])
def test_an_answer_that_was_lost_is_made_up_for_from_nothing(deploying: Deploying, error: str) -> None:
    deploying.endings = [error, ""]
    stack._deploy(deploying, from_nothing=True)  # type: ignore[arg-type]
    assert deploying.done == ["init", "apply", "stop", "start", "init", "apply"]
    assert not deploying.settings.folder.exists()


def test_it_is_made_up_for_a_few_times(deploying: Deploying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "start", lambda settings: settings.folder.mkdir())
    deploying.endings = [*[LOST] * 2, ""]
    stack._deploy(deploying, from_nothing=True)  # type: ignore[arg-type]
    assert deploying.done.count("apply") == 3
    deploying.endings = [LOST] * 3
    with pytest.raises(Failed):
        stack._deploy(deploying, from_nothing=True)  # type: ignore[arg-type]
    assert deploying.endings == []


@pytest.mark.parametrize(("error", "from_nothing"), [(LOST, False), ("StatusCode: 400", True)])
def test_what_is_there_already_or_really_wrong_is_left_as_it_is(
    deploying: Deploying, error: str, from_nothing: bool
) -> None:
    deploying.endings = [error, ""]
    with pytest.raises(Failed) as failed:
        stack._deploy(deploying, from_nothing)  # type: ignore[arg-type]
    assert ("`make down`" in str(failed.value)) is (error is LOST)
    assert deploying.done == ["init", "apply"]
    assert deploying.settings.folder.exists()


def test_the_emulator_is_ended_once_its_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    letting_go = [True, True, False]
    monkeypatch.setattr(Background, "stop", lambda _self, grace_seconds: True)
    monkeypatch.setattr(emulator, "port_taken", lambda _port: letting_go.pop(0))
    assert emulator.stop(Settings(), keep_state=False)
    assert letting_go == []
