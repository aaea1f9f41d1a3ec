"""The bus' archive, and replays from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


@dataclass(frozen=True, slots=True)
class Archive:
    """What the archive holds, by its own count, which lags.

    Attributes:
        keeps: how long; ``None`` for ever.
    """

    name: str
    state: str
    events: int
    keeps: timedelta | None


@dataclass(frozen=True, slots=True)
class Replay:
    """How far a replay is.

    Attributes:
        state: STARTING, RUNNING, CANCELLING, COMPLETED, CANCELLED or FAILED.
        reached: bus time of the last event replayed; ``None`` before the first.
    """

    name: str
    state: str
    reason: str | None
    reached: datetime | None

    @property
    def is_over(self) -> bool:
        return self.state in ("COMPLETED", "CANCELLED", "FAILED")


class EventBridgeArchive:
    """One archive and the bus it replays to."""

    def __init__(self, client: "EventBridgeClient", name: str, archive_arn: str, bus_arn: str) -> None:
        self._client = client
        self._name = name
        self._archive_arn = archive_arn
        self._bus_arn = bus_arn

    def describe(self) -> Archive:
        with answering("archive"):
            found = self._client.describe_archive(ArchiveName=self._name)
        days = found.get("RetentionDays", 0)
        return Archive(
            self._name,
            str(found.get("State", "")),
            int(found.get("EventCount", 0)),
            timedelta(days=days) if days else None,
        )

    def start(self, name: str, since: datetime, until: datetime, rules: Sequence[str]) -> None:
        """Replay the events of ``[since, until)``, by their time on the bus, to these rules (ARNs) only."""
        with answering("archive"):
            self._client.start_replay(
                ReplayName=name,
                EventSourceArn=self._archive_arn,
                EventStartTime=since,
                EventEndTime=until,
                Destination={"Arn": self._bus_arn, "FilterArns": list(rules)},
            )

    def replay(self, name: str) -> Replay:
        with answering("archive"):
            found: Mapping[str, Any] = self._client.describe_replay(ReplayName=name)
        return Replay(name, found["State"], found.get("StateReason"), found.get("EventLastReplayedTime"))

    def pattern(self, bus: str, rule: str) -> str:
        """The pattern of a rule, as JSON text."""
        with answering("event bus"):
            return str(self._client.describe_rule(Name=rule, EventBusName=bus).get("EventPattern", "{}"))
