"""The timeline in one DynamoDB table: what a batch says of a payment is one item.

=============  ================================  ===========================================================
entry          written by                        holds
=============  ================================  ===========================================================
events#<hash>  the recorder                      envelopes, compressed; the hash is of what they say
open           the recorder, then the sweeper    the place in the index of open transactions
sent           the sweeper                       which event it sent again, and when
note#<id>      the operator's command            what somebody did by hand: who, when and why
=============  ================================  ===========================================================

Batches overlap, repeat and overtake each other, and nothing here depends on their order.  Items of events are
only ever added.  The ``open`` item is a hint: a batch without a final event puts it, one with a final event
of the payment's own story deletes it, and the sweeper, which reads the whole story and the outcome, deletes
what a batch has put too much.
"""

import hashlib
import heapq
import json
import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.domain.errors import Unavailable
from postbus.domain.event import Event, format_time, parse_time
from postbus.domain.lifecycle import State
from postbus.domain.timeline import Sent, Story
from postbus.ports import OpenTransaction

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

OPEN_INDEX = "open"
_OPEN, _SENT, _EVENTS, _NOTE = "open", "sent", "events#", "note#"

# The index is written to at the pace of payments: more than one partition, few enough to read them all.
_BUCKETS = 8

_REQUESTS_PER_CALL = 25
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.05

# One batch's budget.  The last call it lets begin may take the client's three tries besides, and all must fit
# the function's time-out: of a batch that is cut off everything comes back, and is kept twice.
_RECORD_SECONDS = 10.0
_BUSY = "the timeline was too busy"

# An item may have 400 KB; events of one batch that would not fit, however badly they compress, take two.
_MOST_BYTES = 300_000

# Long enough for the last pause of the sweeper, and for someone who asks what it did.
_KEEP_SENT = timedelta(days=14)

# What envelopes have in common, so that even one alone compresses well: the four of a payment fit one write
# unit.  Never change it, or what was written with it cannot be read; zlib checks that it is the same.
_DICTIONARY = (
    b'"conversion_rate":"","counterparty_token":"","original_transaction_id":"","partial":true,'
    b'"end_to_end_id":"","duplicate_of":"","conflict_with":"","releasable":true,"counterparty":{"account_id":"'
    b'"direction":"debit","direction":"credit","shard":0},{"account":"","reason":{"code":"","text":""}'
    b'"findings":[{"id":"","code":"","severity":"hold","text":"","severity":"warn","operator":"","waived":["'
    b'"kind":"atm_withdrawal","kind":"refund","kind":"transfer","kind":"reversal","partial":true'
    b'{"type":"TransactionRejected{"type":"TransactionVoided{"type":"TransactionHeld{"type":"TransactionReleased'
    b'{"type":"TransactionPostingFailed{"type":"ForeignTransactionFound'
    b'{"type":"CurrencyConversionTransactionFound{"type":"WarningMerchantTypeTransactionFound'
    b'"posting_id":"","ledger":"dynamodb","entries":[{"account":"","direction":"debit","amount":"'
    b'"decision":{"ruleset":"","findings":[],"approved_by":"rules"}'
    b'"holds":[],"merchant":{"id":"","name":"","status":""},"facts":{"foreign":false,"converted":false,'
    b'"velocity_count":1}},"account":{"account_id":"","status":"open","currency":"EUR","type":"current",'
    b'"suspense_account":"","head_office_account":"","position_account":"","tax_category":""},'
    b'"schema_version":1,"occurred_at":"2026-01-01T00:00:00.000Z","correlation_id":"","causation_id":"record:'
    b'","transaction_id":"visa-"},"data":{"transaction":{"transaction_id":"visa-","source":"visa",'
    b'"kind":"purchase","amount":{"amount":"","currency":"EUR"},"billing":{"amount":"","currency":"EUR"},'
    b'"account_token":"tok_","content_hash":"","transmitted_at":"2026-01-01T00:00:00Z",'
    b'"home_region":"eu-central-1","pan_last_four":"","message_type":"0100","processing_code":"000000",'
    b'"local_time":"2026-01-01T00:00:00","stan":"","rrn":"","merchant_category_code":"","merchant_id":"",'
    b'"merchant_country":"","terminal_id":"","acquirer_country":"","acquiring_institution_id":"",'
    b'"pos_entry_mode":"051"},"fingerprint":"'
    b'[{"type":"TransactionPosted{"type":"TransactionPostingApproved","detail":{"metadata":{"event_id":"'
    b'{"type":"TransactionEnriched[{"type":"TransactionAuthorized","detail":{"metadata":{"event_id":"'
)


class DynamoDbTimeline:
    """``ports.Timeline`` on DynamoDB."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        record_seconds: float = _RECORD_SECONDS,
    ) -> None:
        """
        Args:
            sleep: waits so many seconds.
            clock: seconds, from any beginning.
            record_seconds: how long after its beginning ``record`` still begins a call.
        """
        self._client = client
        self._table = table
        self._sleep = sleep
        self._clock = clock
        self._record_seconds = record_seconds

    # -- the recorder ------------------------------------------------------------------------------------

    def record(self, events: Sequence[Event]) -> Mapping[str, str]:
        """See ``ports.Timeline``; a transaction's items are kept all or are all reported.

        Once the table no longer answers, or the time is up, the rest is not tried and reported too.

        Raises:
            Unavailable: the table did not answer from the beginning.
        """
        deadline = self._clock() + self._record_seconds
        by_transaction: dict[str, list[Event]] = {}
        for event in events:
            by_transaction.setdefault(event.transaction_id, []).append(event)
        requests = [
            request
            for transaction_id, told in by_transaction.items()
            for request in _requests(transaction_id, Story.of(told))
        ]
        refused: dict[str, str] = {}
        for start in range(0, len(requests), _REQUESTS_PER_CALL):
            if start and self._clock() >= deadline:
                refused |= dict.fromkeys(_transactions(requests[start:]), _BUSY)
                break
            try:
                left = self._write(requests[start : start + _REQUESTS_PER_CALL], deadline)
            except Unavailable as error:
                if not start:
                    raise
                refused |= dict.fromkeys(_transactions(requests[start:]), str(error))
                break
            refused |= dict.fromkeys(_transactions(left), _BUSY)
        return {
            event.event_id: reason
            for transaction_id, reason in refused.items()
            for event in by_transaction[transaction_id]
        }

    def _write(self, requests: list[Any], deadline: float) -> list[Any]:
        """Write them; those the table did not take after several tries, or until the deadline."""
        for tries in range(_TRIES):
            if tries:
                pause = _FIRST_PAUSE_SECONDS * 2**tries * (0.5 + random.random() / 2)
                if self._clock() + pause >= deadline:
                    break
                self._sleep(pause)
            with answering("timeline"):
                answer = self._client.batch_write_item(RequestItems={self._table: requests})
            requests = list(answer.get("UnprocessedItems", {}).get(self._table, []))
            if not requests:
                break
        return requests

    # -- the sweeper -------------------------------------------------------------------------------------

    def story(self, transaction_id: str) -> Story:
        events: list[Event] = []
        sent = idle_since = None
        for item in self._pages(
            KeyConditionExpression="transaction_id = :id",
            ExpressionAttributeValues={":id": {"S": transaction_id}},
            ConsistentRead=True,
        ):
            entry = item["entry"]["S"]
            if entry == _OPEN:
                idle_since = parse_time(item["idle_since"]["S"])
            elif entry == _SENT:
                sent = Sent(item["event_id"]["S"], parse_time(item["sent_at"]["S"]))
            elif entry.startswith(_EVENTS):
                events += _unpacked(item["events"]["B"])
        return Story.of(events, sent, idle_since)

    def idle(self, since: datetime) -> Iterator[str]:
        def bucket(number: int) -> Iterator[Item]:
            return self._pages(
                IndexName=OPEN_INDEX,
                KeyConditionExpression="open_bucket = :bucket AND idle_since <= :since",
                ExpressionAttributeValues={
                    ":bucket": {"S": f"open#{number}"},
                    ":since": {"S": format_time(since)},
                },
                ProjectionExpression="transaction_id, idle_since",
            )

        oldest_first = heapq.merge(
            *map(bucket, range(_BUCKETS)), key=lambda item: str(item["idle_since"]["S"])
        )
        return (item["transaction_id"]["S"] for item in oldest_first)

    def sent_again(self, transaction_id: str, sent: Sent) -> None:
        with answering("timeline"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    "transaction_id": {"S": transaction_id},
                    "entry": {"S": _SENT},
                    "event_id": {"S": sent.event_id},
                    "sent_at": {"S": format_time(sent.at)},
                    "expires_at": {"N": str(int((sent.at + _KEEP_SENT).timestamp()))},
                },
            )

    def look_again(self, listed: OpenTransaction, seen: datetime, since: datetime) -> None:
        try:
            with answering("timeline"):
                self._client.put_item(
                    TableName=self._table,
                    Item=_listed(listed, since),
                    ConditionExpression="idle_since = :seen",
                    ExpressionAttributeValues={":seen": {"S": format_time(seen)}},
                )
        except ClientError as error:
            # It was listed anew, or taken off, since: whoever did that knew more.
            if code_of(error) != "ConditionalCheckFailedException":
                raise

    def close(self, transaction_id: str) -> None:
        with answering("timeline"):
            self._client.delete_item(TableName=self._table, Key=_key(transaction_id, _OPEN))

    def open(self) -> Iterator[OpenTransaction]:
        for number in range(_BUCKETS):
            for item in self._pages(
                IndexName=OPEN_INDEX,
                KeyConditionExpression="open_bucket = :bucket",
                ExpressionAttributeValues={":bucket": {"S": f"open#{number}"}},
            ):
                yield OpenTransaction(
                    item["transaction_id"]["S"],
                    State(item["state"]["S"]),
                    parse_time(item["open_since"]["S"]),
                )

    # -- whoever does something by hand ---------------------------------------------------------------------

    def note(self, transaction_id: str, note_id: str, note: Mapping[str, str]) -> None:
        """Keep what was done about a transaction by hand; the same note again is the same note."""
        text = json.dumps(dict(note), ensure_ascii=False)
        item = {**_key(transaction_id, f"{_NOTE}{note_id}"), "note": {"S": text}}
        with answering("timeline"):
            self._client.put_item(TableName=self._table, Item=item)

    def notes(self, transaction_id: str) -> list[dict[str, str]]:
        """Everything that was noted about a transaction."""
        found = self._pages(
            KeyConditionExpression="transaction_id = :id AND begins_with(entry, :note)",
            ExpressionAttributeValues={":id": {"S": transaction_id}, ":note": {"S": _NOTE}},
        )
        return [json.loads(item["note"]["S"]) for item in found]

    # -- whoever counts -----------------------------------------------------------------------------------

    def everything(self) -> Iterator[Event]:
        """Every event of every transaction, each once; reads the whole table."""
        with answering("timeline"):
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._table, FilterExpression="attribute_exists(events)"
            )
            # Items of one transaction come one after the other.
            transaction_id, seen = "", set[str]()
            for page in pages:
                for item in page["Items"]:
                    if item["transaction_id"]["S"] != transaction_id:
                        transaction_id, seen = item["transaction_id"]["S"], set()
                    for event in _unpacked(item["events"]["B"]):
                        if event.event_id not in seen:
                            seen.add(event.event_id)
                            yield event

    def _pages(self, **query: Any) -> Iterator[Item]:
        with answering("timeline"):
            for page in self._client.get_paginator("query").paginate(TableName=self._table, **query):
                yield from page["Items"]


def _requests(transaction_id: str, told: Story) -> Iterator[Any]:
    """The writes for what one batch tells of one transaction."""
    for events in _chunks(told.events):
        # Of the words, not of the ids: a replay tells the same events in other words, and may not take the
        # place of what was told first.
        hashed = hashlib.sha256("".join(event.to_json() for event in events).encode()).hexdigest()[:32]
        item = {**_key(transaction_id, f"{_EVENTS}{hashed}"), "events": {"B": _packed(events)}}
        yield {"PutRequest": {"Item": item}}
    # What another story says of it may be in vain: it lists nothing and takes nothing off.
    told = told.own
    state, began_at, moved_at = told.state, told.began_at, told.moved_at
    if told.is_final:
        # With the story's first event in the same batch nobody has listed it before, unless something came
        # twice or overtook: then the sweeper finds it final and takes it off, which is cheaper than asking
        # for a deletion each time.
        if not told.has_beginning:
            yield {"DeleteRequest": {"Key": _key(transaction_id, _OPEN)}}
    elif state is not None and began_at is not None and moved_at is not None:
        # A remark alone lists nothing: the event it remarks on does.
        listed = OpenTransaction(transaction_id, state, began_at)
        yield {"PutRequest": {"Item": _listed(listed, moved_at)}}


def _transactions(requests: Iterable[Any]) -> Iterator[str]:
    for request in requests:
        ((_, what),) = request.items()
        yield (what.get("Item") or what["Key"])["transaction_id"]["S"]


def _chunks(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """The events by id, so that in any order the same ones are the same item; cut where it grows too big."""
    chunk: list[Event] = []
    size = 0
    for event in sorted(events, key=lambda event: event.event_id):
        grown = len(event.to_json().encode())
        if chunk and size + grown > _MOST_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(event)
        size += grown
    if chunk:
        yield chunk


def _packed(events: Sequence[Event]) -> bytes:
    told = sorted(events, key=lambda event: event.occurred_at)
    text = json.dumps(
        [{"type": event.type, "detail": event.to_detail()} for event in told],
        separators=(",", ":"),
        ensure_ascii=False,
    )
    compressor = zlib.compressobj(level=9, zdict=_DICTIONARY)
    return compressor.compress(text.encode()) + compressor.flush()


def _unpacked(packed: bytes) -> list[Event]:
    decompressor = zlib.decompressobj(zdict=_DICTIONARY)
    told = json.loads(decompressor.decompress(packed) + decompressor.flush())
    return [Event.from_detail(one["type"], one["detail"]) for one in told]


def _key(transaction_id: str, entry: str) -> Item:
    return {"transaction_id": {"S": transaction_id}, "entry": {"S": entry}}


def _listed(listed: OpenTransaction, idle_since: datetime) -> Item:
    bucket = zlib.crc32(listed.transaction_id.encode()) % _BUCKETS
    return {
        **_key(listed.transaction_id, _OPEN),
        "open_bucket": {"S": f"open#{bucket}"},
        "idle_since": {"S": format_time(idle_since)},
        "open_since": {"S": format_time(listed.since)},
        "state": {"S": listed.state.value},
    }
