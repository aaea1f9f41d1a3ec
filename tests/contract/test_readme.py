"""The documents promise nothing that is not there: every command, name and example in them is real."""

import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from postbus.adapters.dynamodb_items import plain
from postbus.adapters.record_schemas import record_schema
from postbus.domain import sample
from postbus.domain.inbound import source_named
from postbus.domain.inbound.source import RecordSchema
from postbus.domain.sample import Mix
from postbus.domain.transaction import Transaction

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/runbooks/*.md")])
README = (ROOT / "README.md").read_text()
CODE = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def commands(of: str) -> Iterator[str]:
    """Lines of the shell blocks and pieces of inline code that begin with ``of``, in any document."""
    for document in DOCUMENTS:
        for block, inline in CODE.findall(document.read_text()):
            for line in (block or inline).replace("\\\n", " ").splitlines():
                if line.strip().startswith(of):
                    yield line.split("#")[0].strip()


def test_the_readmes_record_is_one_that_enters() -> None:
    text = README.partition("<<EOF\n")[2].partition("\nEOF")[0]
    now = datetime.now(UTC)
    text = text.replace("$(date -u +%Y-%m-%dT%H:%M:%SZ)", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    text = text.replace("$(date -u +%Y-%m-%dT%H:%M:%S)", now.strftime("%Y-%m-%dT%H:%M:%S"))
    text = text.replace("$REGION", "eu-west-1")
    assert "$" not in text
    read = source_named("visa").read(json.loads(text), plain, RecordSchema(record_schema("visa")))
    assert isinstance(read, Transaction), read
    assert f"trace {read.transaction_id}" in README
    assert read.account_token in {account["token"] for account in sample.NAMED_ACCOUNTS}


def test_every_make_target_that_is_named_exists() -> None:
    there = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in commands("make ") for word in line.split()[1:]}
    assert {"demo", "test", "bench"} <= named
    assert named <= there


def test_every_terraform_variable_and_output_that_is_named_exists() -> None:
    stack = "".join(path.read_text() for path in (ROOT / "source").glob("*.tf"))
    variables = set(re.findall(r'^variable "(\w+)"', stack, re.MULTILINE))
    outputs = set(re.findall(r'^output "(\w+)"', stack, re.MULTILINE))
    given = {name for line in commands("terraform ") for name in re.findall(r'-var="(\w+)=', line)}
    given |= {name for line in commands("-var=") for name in re.findall(r'-var="(\w+)=', line)}
    assert {"region", "name_prefix", "force_destroy_buckets"} <= given
    assert given <= variables
    turned = set(
        re.findall(r"`(\w+)`", (ROOT / "docs" / "cost.md").read_text().partition("Turning it down")[2])
    )
    assert {name for name in turned if "_" in name} <= variables
    assert set(re.findall(r"\(output `(\w+)`\)", README)) <= outputs
    assert {"stream_arn", "dashboard", "workflow_arn", "archive"} <= outputs


def test_every_variable_that_a_target_sets_exists() -> None:
    declared = (ROOT / "source" / "variables.tf").read_text()
    variables = set(re.findall(r'^variable "(\w+)"', declared, re.MULTILINE))
    for file in (ROOT / "local").glob("*.tfvars"):
        # Terraform only warns of one that does not, and goes on without it.
        assert set(re.findall(r"^(\w+) *=", file.read_text(), re.MULTILINE)) <= variables, file.name


def test_every_option_of_the_mock_that_is_named_exists() -> None:
    sentence = README.partition("`visa-mock` takes ")[2].partition(" and more")[0]
    options = re.findall(r"`(\w+)`", sentence)
    assert len(options) >= 5
    for option in options:
        Mix.from_options({option: 0.1 if option.endswith("_rate") else 5}, datetime.now(UTC))


def test_every_module_that_is_run_by_hand_exists() -> None:
    named = {line.split()[2] for line in commands("python -m ")}
    assert named
    for name in named:
        assert importlib.util.find_spec(name), name


def test_every_command_of_the_operator_that_is_named_exists() -> None:
    from postbus.cli.app import app

    there = set(_paths(typer.main.get_command(app)))
    for table in re.findall(r"\| command \| \|\n\|---\|---\|\n((?:\|.*\n)+)", README):
        for row in table.splitlines():
            first, *rest = re.findall(r"`([^`]+)`", row.split("|")[1])
            group = first.split()[0]
            assert first_words(first) in there or group in there, first
            for name in rest:
                assert any(path in there for path in (first_words(name), f"{group} {first_words(name)}")), (
                    name
                )
    for line in [*commands("./postbus "), *commands("postbus ")]:
        words = re.sub(r"--(region|prefix|deployment) \S+", "", line).split()[1:]
        if words and not words[0].startswith("-"):
            assert first_words(" ".join(words)) in there or words[0] in there, line


def first_words(text: str) -> str:
    """The command's own words: lower-case ones before the first option or argument."""
    found = re.match(r"[a-z-]+( [a-z-]+)*", re.split(r" --| [A-Z<\[]", text)[0])
    return found.group() if found else ""


def _paths(command: object, path: str = "") -> Iterator[str]:
    for name, inner in getattr(command, "commands", {}).items():
        yield f"{path} {name}".strip()
        yield from _paths(inner, f"{path} {name}".strip())


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_every_file_that_is_named_in_passing_exists(document: Path) -> None:
    for _, inline in CODE.findall(document.read_text()):
        if re.fullmatch(r"(source|tests|events|rules|local|docs|domain|adapters|runtime)/[\w./-]+", inline):
            inside = (
                ROOT
                if inline.split("/")[0] in ("source", "tests", "events", "rules", "local", "docs")
                else (ROOT / "source" / "src" / "postbus")
            )
            assert (inside / inline).exists(), inline


def test_the_launcher_says_what_it_lacks(tmp_path: Path) -> None:
    launcher = tmp_path / "postbus"
    launcher.write_bytes((ROOT / "postbus").read_bytes())
    launcher.chmod(0o755)
    ran = subprocess.run([str(launcher)], capture_output=True, text=True, check=False)
    assert (ran.returncode, "make venv" in ran.stderr) == (2, True)
