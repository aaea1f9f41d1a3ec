"""Runs EventBridge Pipes from a DynamoDB stream to a bus where the target has no Pipes of its own.

It executes the very definition that Terraform makes the pipe from on AWS (its output `pipes`), by public
interfaces alone:

    dynamodbstreams -> filter patterns -> lambda:Invoke (enrichment) -> events:PutEvents

Each record is delivered at least once: the position moves, in a file written whole or not at all, only after
a batch was delivered or its rest was put into the dead-letter queue.  What fails is halved until the culprit
stands alone; the culprit is retried until its attempts or its age end.
"""

import argparse
import base64
import json
import os
import random
import re
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from postbus.domain.patterns import Test, compile_pattern

Record = Mapping[str, Any]

# What PutEvents takes in one call: entries, and bytes with room for the envelope of each.
ENTRIES_PER_CALL = 10
BYTES_PER_CALL = 240_000

# Refused entries are sent again this often before the batch counts as failed and is halved.
RESENDS = 5

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

# A stream is asked again at once while it has records, soon when it had some lately, seldom when it rests.
SOON_SECONDS = 0.1
SELDOM_SECONDS = 0.5
RESTS_AFTER_SECONDS = 30.0

FOREVER = float("inf")


class Stopping(Exception):
    """The runner is to end; what it was at comes again next time."""


class NotDelivered(Exception):
    """A batch did not get through; the message says at which stage and why."""


@dataclass(frozen=True, slots=True)
class Pipe:
    """A pipe as Terraform defines it.  Numbers that AWS writes as -1 ("no limit") are infinite here."""

    name: str
    stream_arn: str
    patterns: tuple[Test, ...]
    enrichment: str | None
    bus: str
    event_source: str
    detail_type: str
    detail: str | None
    starting_position: str
    batch_size: int
    lanes: int
    retries: float
    age_seconds: float
    bisects: bool
    dead_letter_arn: str | None

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> "Pipe":
        """Read one value of the output `pipes`: the arguments of `aws_pipes_pipe`.

        Raises:
            KeyError: names what the definition lacks.
            PatternError: a filter uses what the matcher does not know.
        """
        source = _block(definition["source_parameters"])
        stream = _block(source["dynamodb_stream_parameters"])
        target = _block(definition["target_parameters"])
        bus = _block(target["eventbridge_event_bus_parameters"])
        criteria = _block(source.get("filter_criteria"))
        filters = criteria.get("filters") or criteria.get("filter")
        return cls(
            name=definition["name"],
            stream_arn=definition["source"],
            patterns=tuple(compile_pattern(json.loads(one["pattern"])) for one in filters or ()),
            enrichment=definition.get("enrichment"),
            bus=definition["target"],
            event_source=bus["source"],
            detail_type=bus["detail_type"],
            detail=target.get("input_template"),
            starting_position=stream["starting_position"],
            batch_size=int(stream.get("batch_size") or 1),
            lanes=int(stream.get("parallelization_factor") or 1),
            retries=_limit(stream.get("maximum_retry_attempts")),
            age_seconds=_limit(stream.get("maximum_record_age_in_seconds")),
            bisects=stream.get("on_partial_batch_item_failure") == "AUTOMATIC_BISECT",
            dead_letter_arn=_block(stream.get("dead_letter_config")).get("arn"),
        )

    def lets_through(self, record: Record) -> bool:
        return not self.patterns or any(matches(record) for matches in self.patterns)


def _block(value: Any) -> Mapping[str, Any]:
    """A nested block: an object, a list of the one object (as providers print it), or nothing."""
    if isinstance(value, list):
        value = value[0] if value else None
    return value or {}


def _limit(value: Any) -> float:
    return FOREVER if value is None or int(value) < 0 else int(value)


@dataclass(frozen=True, slots=True)
class Clients:
    """The four services a pipe talks to."""

    streams: Any
    functions: Any
    events: Any
    queues: Any

    @classmethod
    def of(cls, session: Any) -> "Clients":
        # Retries are the runner's own business: it knows what was delivered already.
        config = Config(
            user_agent="postbus-pipe-runner",  # the SDK's own is made anew for each request
            connect_timeout=3,
            read_timeout=120,
            retries={"total_max_attempts": 1},
            max_pool_connections=32,
        )
        names = ("dynamodbstreams", "lambda", "events", "sqs")
        return cls(*(session.client(name, config=config) for name in names))


class Positions:
    """How far each shard has been delivered; survives the end of the process at any moment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}

    def of(self, stream_arn: str, shard: str) -> str | None:
        """Sequence number of the last record that needs nothing more."""
        return self._known.get(f"{stream_arn} {shard}")

    def move(self, stream_arn: str, shard: str, sequence_number: str | None) -> None:
        """Write the new position (or forget it): the whole file, or nothing of it."""
        with self._lock:
            if sequence_number is None:
                self._known.pop(f"{stream_arn} {shard}", None)
            else:
                self._known[f"{stream_arn} {shard}"] = sequence_number
            beside = self._file.with_suffix(".new")
            with beside.open("w", encoding="utf-8") as opened:
                json.dump(self._known, opened, indent=1)
                opened.flush()
                os.fsync(opened.fileno())
            beside.replace(self._file)


class Runner:
    """Delivers the records of one pipe.

    Args:
        wait: waits so many seconds, and answers true when the runner is to end.
        now: epoch seconds.
    """

    def __init__(
        self,
        pipe: Pipe,
        clients: Clients,
        positions: Positions,
        *,
        wait: Callable[[float], bool | None] = time.sleep,
        now: Callable[[], float] = time.time,
        say: Callable[[str], None] = print,
    ) -> None:
        self._pipe = pipe
        self._clients = clients
        self._positions = positions
        self._wait = wait
        self._now = now
        self._say = say
        self._lanes = ThreadPoolExecutor(pipe.lanes, thread_name_prefix=pipe.name)

    def run(self, stopped: threading.Event) -> None:
        """Deliver until ``stopped``; an emulator that is away is waited for."""
        iterators: dict[str, str] = {}
        away = False
        worked_at = self._now()
        while not stopped.is_set():
            try:
                worked = self.pass_over(iterators)
            except Stopping:
                return
            except (ClientError, BotoCoreError) as problem:
                if not away:
                    self._say(f"{self._pipe.name}: the stream does not answer, waiting for it: {problem}")
                away = True
                iterators.clear()
                self._wait(1.0)
                continue
            if away:
                self._say(f"{self._pipe.name}: the stream answers again")
                away = False
            if worked:
                worked_at = self._now()
            else:
                rests = self._now() - worked_at > RESTS_AFTER_SECONDS
                stopped.wait(SELDOM_SECONDS if rests else SOON_SECONDS)

    def pass_over(self, iterators: dict[str, str]) -> bool:
        """Read each open shard once and deliver what it gave.  Whether there was anything.

        Args:
            iterators: shard id to its iterator; an empty text stands for a shard that was read to its end.
        """
        if not iterators or "" in iterators.values():
            for shard in self._new_shards(iterators):
                iterators[shard] = self._iterator(shard)
        worked = False
        for shard, iterator in list(iterators.items()):
            if iterator:
                worked = self._read(shard, iterator, iterators) or worked
        return worked

    def _new_shards(self, known: Mapping[str, str]) -> Iterator[str]:
        """Shards not read yet whose parent has been: a child's records come after its parent's."""
        shards = self._clients.streams.describe_stream(StreamArn=self._pipe.stream_arn)["StreamDescription"][
            "Shards"
        ]
        listed = {shard["ShardId"] for shard in shards}
        for shard in shards:
            parent = shard.get("ParentShardId")
            if shard["ShardId"] not in known and (parent not in listed or known.get(parent) == ""):
                yield shard["ShardId"]

    def _iterator(self, shard: str) -> str:
        place = {"StreamArn": self._pipe.stream_arn, "ShardId": shard}
        position = self._positions.of(self._pipe.stream_arn, shard)
        if position is not None:
            try:
                return str(
                    self._clients.streams.get_shard_iterator(
                        **place, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=position
                    )["ShardIterator"]
                )
            except ClientError as problem:
                if problem.response["Error"]["Code"] not in (
                    "TrimmedDataAccessException",
                    "ValidationException",
                ):
                    raise
                # Deleted meanwhile, or the emulator lost it: from the oldest; what comes twice is harmless.
                self._say(f"{self._pipe.name}: position {position} is gone, reading from the oldest record")
                self._positions.move(self._pipe.stream_arn, shard, None)
                place["ShardIteratorType"] = "TRIM_HORIZON"
        else:
            place["ShardIteratorType"] = self._pipe.starting_position
        return str(self._clients.streams.get_shard_iterator(**place)["ShardIterator"])

    def _read(self, shard: str, iterator: str, iterators: dict[str, str]) -> bool:
        try:
            answer = self._clients.streams.get_records(
                ShardIterator=iterator, Limit=self._pipe.batch_size * self._pipe.lanes
            )
        except ClientError as problem:
            if problem.response["Error"]["Code"] != "ExpiredIteratorException":
                raise
            iterators[shard] = self._iterator(shard)
            return True
        records = [_as_event(record, self._pipe.stream_arn) for record in answer["Records"]]
        if records:
            self._deliver_all(shard, [record for record in records if self._pipe.lets_through(record)])
            self._positions.move(self._pipe.stream_arn, shard, records[-1]["dynamodb"]["SequenceNumber"])
        iterators[shard] = answer.get("NextShardIterator") or ""
        return bool(records)

    def _deliver_all(self, shard: str, records: Sequence[Record]) -> None:
        """Deliver side by side, records of one key in order in one lane; return when all are done."""
        lanes: list[list[Record]] = [[] for _ in range(self._pipe.lanes)]
        for record in records:
            key = json.dumps(record["dynamodb"]["Keys"], sort_keys=True).encode()
            lanes[zlib.crc32(key) % len(lanes)].append(record)
        size = self._pipe.batch_size
        batches = [[lane[at : at + size] for at in range(0, len(lane), size)] for lane in lanes if lane]

        def deliver_lane(lane: list[list[Record]]) -> None:
            for batch in lane:
                self.deliver(shard, batch)

        for _ in self._lanes.map(deliver_lane, batches):
            pass  # an error of ours surfaces here, before the position moves

    def deliver(self, shard: str, batch: Sequence[Record]) -> None:
        """Return when each record of the batch was delivered or stands in the dead-letter queue."""
        attempt = 0
        while True:
            try:
                self._put(self._enrich(batch))
                return
            except (NotDelivered, ClientError, BotoCoreError) as problem:
                reason = str(problem)
            if len(batch) > 1 and self._pipe.bisects:
                middle = len(batch) // 2
                self.deliver(shard, batch[:middle])
                self.deliver(shard, batch[middle:])
                return
            if attempt == 0:
                self._say(f"{self._pipe.name}: not delivered, trying again: {reason}")
            if attempt >= self._pipe.retries:
                self._bury(shard, batch, "RetryAttemptsExhausted", attempt + 1)
                return
            if self._now() - min(_arrival(record) for record in batch) >= self._pipe.age_seconds:
                self._bury(shard, batch, "MaximumRecordAgeExceeded", attempt + 1)
                return
            self._pause(attempt)
            attempt += 1

    def _enrich(self, batch: Sequence[Record]) -> list[Any]:
        """The elements the enrichment makes of the batch: as many as it likes, none too."""
        if self._pipe.enrichment is None:
            return list(batch)
        answer = self._clients.functions.invoke(
            FunctionName=self._pipe.enrichment, Payload=json.dumps(list(batch)).encode()
        )
        payload = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise NotDelivered(f"enrichment: {payload.decode(errors='replace')[:500]}")
        elements = json.loads(payload or b"null")
        if isinstance(elements, list):
            return elements
        return [elements] if elements else []

    def _put(self, elements: Sequence[Any]) -> None:
        """Put each element on the bus; entries the bus refused, and those alone, are sent again."""
        pending = [self._entry(element) for element in elements]
        for resend in range(RESENDS + 1):
            refused: list[tuple[dict[str, str], str]] = []
            for call in _calls(pending):
                results = self._clients.events.put_events(Entries=call)["Entries"]
                refused += [
                    (entry, f"{result['ErrorCode']} {result.get('ErrorMessage', '')}")
                    for entry, result in zip(call, results, strict=True)
                    if "ErrorCode" in result
                ]
            if not refused:
                return
            pending = [entry for entry, _ in refused]
            if resend < RESENDS:
                self._pause(resend)
        raise NotDelivered(f"bus refused {len(refused)} entries: {refused[0][1]}")

    def _entry(self, element: Any) -> dict[str, str]:
        detail = element if self._pipe.detail is None else render(self._pipe.detail, element)
        return {
            "EventBusName": self._pipe.bus,
            "Source": _resolved(self._pipe.event_source, element),
            "DetailType": _resolved(self._pipe.detail_type, element),
            "Detail": json.dumps(detail, separators=(",", ":"), ensure_ascii=False),
        }

    def _bury(self, shard: str, batch: Sequence[Record], condition: str, attempts: int) -> None:
        """Note in the dead-letter queue which records were given up: where they stand, as Pipes does."""
        first, last = batch[0], batch[-1]
        self._say(f"{self._pipe.name}: gave up {len(batch)} records after {attempts} attempts: {condition}")
        if self._pipe.dead_letter_arn is None:
            return
        body = {
            "context": {"partnerResourceArn": self._pipe.name, "condition": condition},
            "version": "1.0",
            "timestamp": _text_time(self._now()),
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": first["dynamodb"]["SequenceNumber"],
                "endSequenceNumber": last["dynamodb"]["SequenceNumber"],
                "approximateArrivalOfFirstRecord": _text_time(_arrival(first)),
                "approximateArrivalOfLastRecord": _text_time(_arrival(last)),
                "batchSize": len(batch),
                "streamArn": self._pipe.stream_arn,
            },
        }
        name = self._pipe.dead_letter_arn.rpartition(":")[2]
        attempt = 0
        while True:
            try:
                url = self._clients.queues.get_queue_url(QueueName=name)["QueueUrl"]
                self._clients.queues.send_message(QueueUrl=url, MessageBody=json.dumps(body))
                return
            except (ClientError, BotoCoreError) as problem:
                # Without its note a record would be lost in silence: rather stand still.
                self._say(f"{self._pipe.name}: the dead-letter queue {name} does not answer: {problem}")
            self._pause(attempt)
            attempt += 1

    def _pause(self, attempt: int) -> None:
        ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(attempt, 16))
        if self._wait(ceiling * (0.5 + random.random() / 2)):
            raise Stopping


def render(template: str, element: Any) -> Any:
    """A target's input template: ``<$.path>`` stands for that part of the element.

    Raises:
        NotDelivered: what comes out is not JSON.
    """
    whole = re.fullmatch(r"\s*<(\$[^>]*)>\s*", template)
    if whole:
        return _at(whole[1], element)
    text = re.sub(r"<(\$[^>]*)>", lambda found: json.dumps(_at(found[1], element)), template)
    try:
        return json.loads(text)
    except ValueError as problem:
        raise NotDelivered(f"input template: {problem}") from None


def _resolved(text: str, element: Any) -> str:
    return str(_at(text, element)) if text.startswith("$.") else text


def _at(path: str, element: Any) -> Any:
    """The part of the element at a path such as ``$.detail-type``; the names in it hold no dots."""
    found = element
    for name in path.removeprefix("$").strip(".").split("."):
        if name:
            found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _calls(entries: Sequence[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    """Divide entries into calls that PutEvents takes."""
    call: list[dict[str, str]] = []
    size = 0
    for entry in entries:
        length = sum(len(value.encode()) for value in entry.values())
        if call and (len(call) == ENTRIES_PER_CALL or size + length > BYTES_PER_CALL):
            yield call
            call, size = [], 0
        call.append(entry)
        size += length
    if call:
        yield call


def _as_event(record: Record, stream_arn: str) -> Record:
    """A record as Pipes hands it on: plain JSON, times in epoch seconds, with its stream's name."""
    plain: dict[str, Any] = json.loads(json.dumps(record, default=_plain))
    plain["eventSourceARN"] = stream_arn
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _arrival(record: Record) -> float:
    return float(record["dynamodb"].get("ApproximateCreationDateTime", FOREVER))


def _text_time(epoch_seconds: float) -> str:
    if epoch_seconds == FOREVER:
        return ""
    return (
        datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pipes", type=Path, required=True, help="Terraform's output `pipes`, as JSON")
    parser.add_argument("--positions", type=Path, required=True, help="file to keep the positions in")
    options = parser.parse_args(arguments)

    def say(text: str) -> None:
        print(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}", flush=True)

    pipes = [Pipe.from_definition(one) for one in json.loads(options.pipes.read_text()).values()]
    positions = Positions(options.positions)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    clients = Clients.of(boto3.Session())
    runners = [Runner(pipe, clients, positions, wait=stopped.wait, say=say) for pipe in pipes]
    threads = [threading.Thread(target=runner.run, args=(stopped,)) for runner in runners]
    for thread in threads:
        thread.start()
    say(f"running {', '.join(pipe.name for pipe in pipes) or 'no pipes'}")
    while not stopped.wait(1.0):
        if not all(thread.is_alive() for thread in threads):
            stopped.set()
            sys.exit("a pipe ended by an error of its own, see above")
    for thread in threads:
        thread.join()
    say("stopped")


if __name__ == "__main__":
    main(sys.argv[1:])
