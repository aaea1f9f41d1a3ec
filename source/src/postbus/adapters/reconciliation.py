"""What was approved, compared with what came of it: whoever finds a record lost asks here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from postbus.adapters.dynamodb_inbound import DynamoDbInbound, Image, is_here
from postbus.adapters.dynamodb_items import plain
from postbus.adapters.dynamodb_outcome_reader import OutcomeReader
from postbus.adapters.record_schemas import record_schema
from postbus.domain import card_numbers
from postbus.domain.errors import Malformed
from postbus.domain.inbound import RecordSchema
from postbus.domain.inbound.source import Source
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.transaction import Transaction
from postbus.ports import Timeline

_COMPARED_AT_ONCE = 100


@dataclass(slots=True)
class Comparison:
    """What was found of some records.

    Attributes:
        compared: how many of them are at home here.
        elsewhere: keys of those that are not, by the region they name: another deployment's, or nobody's.
        malformed: of those that cannot be read, the key, the field and what was expected of it.
        changed: transaction ids of those that were decided with other content.
        missing: those of which neither an outcome nor the timeline knows, by transaction id.  A reversal that
            came first and is not of it is no trace of it.
        without_effect: transaction ids of reversals that ended before what they name was seen, by the id of
            that, which is posted all the same: what it is is not what they take back.
    """

    compared: int = 0
    elsewhere: dict[str, list[str]] = field(default_factory=dict)
    malformed: list[dict[str, str]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: dict[str, Image] = field(default_factory=dict)
    without_effect: dict[str, str] = field(default_factory=dict)


class Reconciliation:
    """One source's table beside the outcomes and the timeline."""

    def __init__(
        self,
        source: Source,
        table: DynamoDbInbound,
        outcomes: OutcomeReader,
        timeline: Timeline,
        home_region: str,
    ) -> None:
        self._source = source
        self._schema = RecordSchema(record_schema(source.name))
        self._table = table
        self._outcomes = outcomes
        self._timeline = timeline
        self._home_region = home_region

    def compare(self) -> Iterator[Comparison]:
        """Go through the whole table, some records at a time."""
        images = self._table.approved()
        while chunk := list(islice(images, _COMPARED_AT_ONCE)):
            yield self._compared(chunk)

    def without_trace(self, missing: Mapping[str, Image]) -> list[str]:
        """Those found missing of which nothing is known now either."""
        return list(self._compared(list(missing.values())).missing)

    def _compared(self, images: Sequence[Image]) -> Comparison:
        found = Comparison()
        readable: dict[str, tuple[Image, Transaction]] = {}
        for image in images:
            if not is_here(image, self._home_region):
                region = card_numbers.mask(image["home_region"]["S"])
                found.elsewhere.setdefault(region, []).append(self._key(image))
                continue
            found.compared += 1
            read = self._source.read(image, plain, self._schema)
            if isinstance(read, Malformed):
                fault = {"source": self._source.name, "key": self._key(image)}
                fault |= {"field": read.field, "expected": read.expected}
                found.malformed.append(card_numbers.masked(fault))
            else:
                readable[read.transaction_id] = (image, read)
        decided = self._outcomes.find(list(readable))
        ended: dict[str, str] = {}
        for transaction_id, (image, transaction) in readable.items():
            outcome = decided.get(transaction_id)
            if outcome is not None and outcome.concerns(transaction.to_data()):
                if not outcome.is_of(transaction.content_hash):
                    found.changed.append(transaction_id)
                elif reverses := outcome.found_unposted:
                    ended[transaction_id] = reverses
            elif not self._timeline.story(transaction_id).own.events:
                found.missing[transaction_id] = image
        originals = self._outcomes.find(list(ended.values()))
        for transaction_id, reverses in ended.items():
            original = originals.get(reverses)
            if original is not None and original.state is OutcomeState.POSTED:
                found.without_effect[transaction_id] = reverses
        return found

    def _key(self, image: Mapping[str, Any]) -> str:
        """Of what may be anything, so that nothing like a card number is shown."""
        return card_numbers.mask(str(image[self._source.key].get("S", "")))
