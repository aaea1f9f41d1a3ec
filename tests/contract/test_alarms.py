"""Every alarm is in the dashboard's list, and whoever it wakes finds what to do first."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "source"
RUNBOOKS = (ROOT / "docs" / "runbooks" / "README.md").read_text(encoding="utf-8")
FOLDERS = [SOURCE, *sorted(path.parent for path in SOURCE.glob("modules/*/main.tf"))]
ALARM = re.compile(r'^resource "aws_cloudwatch_metric_alarm" "(\w+)" {\n(.*?)^}', re.DOTALL | re.MULTILINE)
MODULE = re.compile(r'^module "(\w+)" {\n\s+source\s+= "([^"]+)"', re.MULTILINE)


def written(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.tf")))


def names(alarm: str) -> list[str]:
    """How the names of this resource's alarms end: what follows the last thing that is put in."""
    [name] = re.findall(r'alarm_name\s+= "(.*)"', alarm)
    if "each.key" not in name:
        return [name.rpartition("}")[2]]
    keys = re.findall(r"^    ([\w-]+)\s+= ", alarm.partition("alarm_name")[0], re.MULTILINE)
    assert keys, name
    return [f"-{key.lower()}" if "lower(" in name else f"-{key}" for key in keys]


ALARMS = [(folder, *found) for folder in FOLDERS for found in ALARM.findall(written(folder))]
NAMES = [name for _, _, alarm in ALARMS for name in names(alarm)]
ROWS = re.findall(r"^\| (`-.*?) \|", RUNBOOKS, re.MULTILINE)
ENDINGS = [ending for row in ROWS for ending in re.findall(r"`([^`]+)`", row)]


def test_every_alarm_is_found() -> None:
    assert len(NAMES) > 20
    assert len(ALARMS) == sum(written(folder).count("alarm_name ") for folder in FOLDERS)


@pytest.mark.parametrize("name", NAMES)
def test_whoever_an_alarm_wakes_finds_it_in_the_runbooks(name: str) -> None:
    assert [ending for ending in ENDINGS if name.endswith(ending)]


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_runbook_waits_for_an_alarm_that_there_is_not(ending: str) -> None:
    assert [name for name in NAMES if name.endswith(ending)]


def test_the_runbooks_say_which_alarms_also_sound_when_their_job_is_silent() -> None:
    [sentence] = re.findall(r"^(`-[^.]*?) also sound when", RUNBOOKS, re.MULTILINE)
    silent = [
        name
        for folder, _, alarm in ALARMS
        if '= "breaching"' in alarm and re.search(r"scheduled_job|aws_scheduler_schedule", written(folder))
        for name in names(alarm)
    ]
    told = {ending: [name for name in silent if name.endswith(ending)] for ending in ENDINGS}
    assert {ending for ending, found in told.items() if found} == set(re.findall(r"`([^`]+)`", sentence))


@cache
def holds_alarms(folder: Path) -> bool:
    return any(where == folder for where, _, _ in ALARMS) or any(
        holds_alarms((folder / source).resolve()) for _, source in MODULE.findall(written(folder))
    )


def handed_on(folder: Path) -> str:
    """What makes up the list of this folder's alarms: without such an output, all that it gives."""
    text = written(folder)
    settings = dict(re.findall(r"^  (\w+)\s+= (.*?)(?=^  \w+\s+= |^}|^  #)", text, re.DOTALL | re.MULTILINE))
    outputs = dict(re.findall(r'^output "(\w+)" {\n(.*?)^}', text, re.DOTALL | re.MULTILINE))
    listed = settings["alarms"] if folder == SOURCE else outputs.get("alarms", "\n".join(outputs.values()))
    return "\n".join([listed, *(settings.get(name, "") for name in re.findall(r"local\.(\w+)", listed))])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_alarm_reaches_the_list_that_the_dashboard_shows(folder: Path) -> None:
    own = {f"aws_cloudwatch_metric_alarm.{name}" for where, name, _ in ALARMS if where == folder}
    inner = {
        f"module.{name}"
        for name, source in MODULE.findall(written(folder))
        if holds_alarms((folder / source).resolve())
    }
    handed = handed_on(folder) if own | inner else ""
    assert {one for one in own | inner if not re.search(rf"{re.escape(one)}\b", handed)} == set()


def test_the_path_of_a_payment_is_made_of_modules_alone() -> None:
    assert re.findall(r"^(?!module|#|}| |$).*", (SOURCE / "main.tf").read_text(), re.MULTILINE) == []
