"""`postbus rules`: what an operator types, and what comes of it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from postbus.adapters.rules_folder import packaged, read
from postbus.cli.app import app
from postbus.cli.errors import Exit

RULES = Path(__file__).parents[2] / "rules"


class Operator:
    """Types commands about one deployment."""

    def __init__(self, deployment: Path) -> None:
        self._deployment = deployment

    def types(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--deployment", str(self._deployment), "rules", *words])

    def asks(self, *words: str) -> Any:
        """The answer as JSON, of a command that must succeed."""
        result = self.types(*words, "--json")
        assert result.exit_code == Exit.DONE, result.output
        return json.loads(result.stdout)


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    kinds = ("tables", "queues", "dead_letters", "functions", "rules")
    names: dict[str, Any] = {"name_prefix": "", "region": "eu-west-1", "bus": "postbus"}
    names |= {kind: {} for kind in kinds} | {"buckets": {"rulesets": "rulesets"}}
    (tmp_path / "deployment.json").write_text(json.dumps(names))
    with mock_aws():
        s3 = boto3.client("s3", region_name="eu-west-1")
        s3.create_bucket(Bucket="rulesets", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket="rulesets", VersioningConfiguration={"Status": "Enabled"})
        yield Operator(tmp_path / "deployment.json")


def edited(folder: Path, limit: str, examples: bool = True) -> str:
    """A copy of the rules in which `> 20` payments an hour became another number; its path."""
    shutil.copytree(RULES, folder)
    for name in ("velocity.json", *(["examples/velocity.json"] if examples else [])):
        text = (folder / name).read_text()
        text = text.replace("> 20", f"> {limit}").replace(
            '"velocity_count": 20}', f'"velocity_count": {limit}}}'
        )
        (folder / name).write_text(
            text.replace('"velocity_count": 21}', f'"velocity_count": {int(limit) + 1}}}')
        )
    return str(folder)


def test_the_rules_in_the_tree_may_be_published(operator: Operator) -> None:
    answer = operator.asks("check")
    assert answer["problems"] == []
    assert answer["version"] == packaged().version
    assert "may be published" in operator.types("check").stdout


def test_a_change_without_its_examples_is_told_and_not_published(operator: Operator, tmp_path: Path) -> None:
    folder = edited(tmp_path / "rules", "30", examples=False)
    checked = operator.types("check", "--folder", folder)
    assert checked.exit_code == Exit.NOT_DONE
    assert "the twenty-first: expected busy-hour, found nothing" in checked.stdout
    published = operator.types("publish", "--folder", folder, "--reason", "a mistake")
    assert published.exit_code == Exit.NOT_DONE
    assert "nothing was changed" in published.stderr
    assert operator.asks("list") == {"in_force": None, "publications": []}


def test_published_listed_shown_and_rolled_back(operator: Operator, tmp_path: Path) -> None:
    assert "deployed with" in operator.types("list").stdout
    assert operator.asks("show")["version"] == packaged().version
    first = operator.asks("publish", "--reason", "as it was")["version"]
    folder = edited(tmp_path / "rules", "30")
    second = operator.asks("publish", "--folder", folder, "--reason", "summer", "--operator", "ann")
    assert second["version"] == read(Path(folder)).version != first
    assert second["previous"] == first
    assert operator.asks("show")["version"] == second["version"]
    assert operator.asks("show", first)["version"] == first
    assert "velocity_count > 30" in operator.types("show").stdout
    operator.asks("rollback", "--to", first, "--reason", "autumn")
    listed = operator.asks("list")
    assert listed["in_force"] == first
    assert [(one["action"], one["reason"]) for one in listed["publications"]] == [
        ("rollback", "autumn"),
        ("publish", "summer"),
        ("publish", "as it was"),
    ]
    assert "ann" in listed["publications"][1]["by"]
    assert "(in force)" in operator.types("list").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["rollback", "--to", "r000000000000", "--reason", "x"], Exit.NOT_DONE, "--to: a published version"),
        (["rollback", "--to", "../x", "--reason", "x"], Exit.NOT_DONE, "--to: a published version"),
        (["publish", "--reason", " "], Exit.BAD_INPUT, "--reason"),
        (["publish", "--folder", "nowhere", "--reason", "x"], Exit.BAD_INPUT, "ruleset.json"),
        (["check", "--folder", "nowhere"], Exit.BAD_INPUT, "ruleset.json"),
        (["show", "r000000000000"], Exit.BAD_INPUT, "RULESET: a published version"),
        (["show", "r000000000000", "--folder", "rules"], Exit.BAD_INPUT, "--folder"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(
    operator: Operator, words: list[str], code: Exit, said: str
) -> None:
    result = operator.types(*words)
    assert result.exit_code == code
    assert said in result.stderr
    assert "Traceback" not in result.output
