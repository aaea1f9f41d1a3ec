"""The documents hold together: links lead somewhere, and there is one word for each thing."""

import re
from pathlib import Path

import pytest
import typer

from postbus.cli.app import app
from postbus.domain.lifecycle import COMMANDS, OutcomeState, State
from postbus.domain.transaction import Kind

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("events/**/*.md")])
GLOSSARY = re.findall(
    r"^\| ([^|]+?) \| ([^|]+) \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_every_link_within_the_project_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(document.read_text())):
        path, _, heading = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        assert found.is_relative_to(ROOT), target
        if heading and found.suffix == ".md":
            assert heading in anchors(found.read_text()), target


@pytest.mark.parametrize(
    ("language", "file"),
    [
        ("python", "source/src/postbus/functions/record_timeline/handler.py"),
        ("json", "events/routes/timeline.json"),
        ("hcl", "source/main.tf"),
    ],
)
def test_the_sample_of_a_processor_is_what_is_deployed(language: str, file: str) -> None:
    text = (ROOT / "docs" / "adding-a-processor.md").read_text()
    [sample] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert sample in (ROOT / file).read_text()


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "code", text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """What may be linked to in a document, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


def test_the_glossary_has_each_word_once() -> None:
    words = [word for row, _ in GLOSSARY if row not in ("word", "---") for word in row.split(", ")]
    assert len(words) > 50
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("word", [*Kind, *State, *OutcomeState])
def test_the_glossary_explains_every_kind_and_state(word: str) -> None:
    assert word in {row for row, _ in GLOSSARY}


@pytest.mark.parametrize(
    "command", sorted({command for commands in COMMANDS.values() for command in commands})
)
def test_every_command_that_the_lifecycle_offers_exists(command: str) -> None:
    found = typer.main.get_command(app)
    for word in command.split():
        assert word in found.commands, command  # type: ignore[attr-defined]
        found = found.commands[word]  # type: ignore[attr-defined]
