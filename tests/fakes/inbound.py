"""The inbound ports in memory; each runs the same suite as its adapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from postbus.domain.duplicates import Claim
from postbus.domain.enrichment import MOST_COUNTED
from postbus.domain.errors import Unavailable


@dataclass
class InMemoryClaims:
    """Claims by key; ``away_after`` so many single claims the store stops answering."""

    claims: dict[str, Claim] = field(default_factory=dict)
    away_after: int | None = None

    def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
        return [self._claim(one) for one in wanted]

    def _claim(self, wanted: Claim) -> Claim:
        if self.away_after is not None:
            if self.away_after == 0:
                raise Unavailable("claims table did not answer")
            self.away_after -= 1
        standing = self.claims.get(wanted.key)
        if (
            standing is None
            or standing.expires_at <= wanted.event_time
            or standing.transaction_id == wanted.instead_of
        ):
            standing = self.claims[wanted.key] = wanted
        return standing


@dataclass
class InMemoryDirectory:
    """Records by key, and what only a consistent read sees of them yet; counts how often it was asked."""

    records: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    changed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    asked: int = 0
    away: bool = False

    def find(self, keys: Sequence[str], consistent: bool = False) -> Mapping[str, Mapping[str, Any]]:
        if self.away:
            raise Unavailable("directory did not answer")
        self.asked += bool(keys)
        records = {**self.records, **(self.changed if consistent else {})}
        return {key: records[key] for key in keys if key in records}


@dataclass
class InMemoryVelocity:
    """Transaction ids by token and hour, in the order they were counted."""

    most_counted: int = MOST_COUNTED
    counted: dict[tuple[str, datetime], list[str]] = field(default_factory=dict)

    def count(self, token: str, transaction_id: str, at: datetime) -> int:
        hour = at.replace(minute=0, second=0, microsecond=0)
        ids = self.counted.setdefault((token, hour), [])
        if transaction_id in ids:
            return ids.index(transaction_id) + 1
        if len(ids) >= self.most_counted:
            return self.most_counted
        ids.append(transaction_id)
        return len(ids)


@dataclass
class InMemoryParking:
    """What was parked, with its reason."""

    parked: list[tuple[Mapping[str, Any], str]] = field(default_factory=list)
    away: bool = False

    def park(self, body: Mapping[str, Any], reason: str) -> None:
        if self.away:
            raise Unavailable("quarantine queue did not answer")
        self.parked.append((body, reason))
