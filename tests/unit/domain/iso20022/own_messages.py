"""The project's own example messages, as they stand or with a few words changed."""

from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

from postbus.domain.iso20022.business_checks import Agreement, check
from postbus.domain.iso20022.message_source import Reading
from postbus.domain.iso20022.messages import Fault, MessageType
from postbus.domain.iso20022.reading import read

FOLDER = Path(__file__).parent / "messages"
NAMES = sorted(path.stem for path in FOLDER.glob("*.xml"))

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)

Changes = dict[str, str]


def own_message(name: str, changes: Changes | None = None) -> Reading:
    """Read one; each key of ``changes`` must be in it, and is replaced wherever it is."""
    text = (FOLDER / f"{name}.xml").read_text(encoding="utf-8")
    for old, new in (changes or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    return read(etree.fromstring(text.encode()), MessageType.of(name))


def faults_of(name: str, changes: Changes | None = None, **agreed: object) -> tuple[Fault, ...]:
    """What the checks find in one, under an agreement that allows dates ahead unless told."""
    now = agreed.pop("now", NOW)
    assert isinstance(now, datetime)
    return check(own_message(name, changes), Agreement(**{"most_days_ahead": 30, **agreed}), now)  # type: ignore[arg-type]


def codes_of(name: str, changes: Changes | None = None, **agreed: object) -> list[tuple[str, int | None]]:
    """Code and transfer of each fault."""
    return [(found.reason.code, found.transfer) for found in faults_of(name, changes, **agreed)]
