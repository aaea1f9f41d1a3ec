import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local.pipe_runner import Clients, Pipe, Positions, Runner, Stopping, render

STREAM = "arn:aws:dynamodb:eu-central-1:000000000000:table/visa/stream/2026-01-01T00:00:00.000"
SHARD = "shardId-0"
BORN = 1_800_000_000


def definition(**stream_parameters: Any) -> dict[str, Any]:
    return {
        "name": "inbound",
        "source": STREAM,
        "enrichment": "deduplicate",
        "target": "arn:aws:events:eu-central-1:000000000000:event-bus/postbus",
        "source_parameters": {
            "filter_criteria": {
                "filters": [
                    {"pattern": json.dumps({"dynamodb": {"NewImage": {"status": {"S": ["APPROVED"]}}}})}
                ]
            },
            "dynamodb_stream_parameters": [
                {
                    "starting_position": "TRIM_HORIZON",
                    "batch_size": 10,
                    "maximum_retry_attempts": -1,
                    "maximum_record_age_in_seconds": -1,
                    "on_partial_batch_item_failure": "AUTOMATIC_BISECT",
                    "dead_letter_config": {"arn": "arn:aws:sqs:eu-central-1:000000000000:buried"},
                    **stream_parameters,
                }
            ],
        },
        "target_parameters": {
            "eventbridge_event_bus_parameters": {
                "source": "postbus.inbound",
                "detail_type": "TransactionAuthorized",
            }
        },
    }


class FakeStreams:
    """One shard of records; the iterator is the index of the next one, as text."""

    def __init__(self, statuses: Sequence[str]) -> None:
        self.records = [
            {
                "eventID": str(number),
                "eventName": "INSERT",
                "dynamodb": {
                    "Keys": {"auth": {"S": f"A{number}"}},
                    "NewImage": {"auth": {"S": f"A{number}"}, "status": {"S": status}},
                    "SequenceNumber": f"{number:021d}",
                    "ApproximateCreationDateTime": datetime.fromtimestamp(BORN, UTC),
                },
            }
            for number, status in enumerate(statuses)
        ]
        self.trimmed = False

    def describe_stream(self, StreamArn: str) -> dict[str, Any]:  # noqa: N803
        return {"StreamDescription": {"Shards": [{"ShardId": SHARD}]}}

    def get_shard_iterator(self, **place: str) -> dict[str, str]:
        if place["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER":
            if self.trimmed:
                raise ClientError(
                    {"Error": {"Code": "TrimmedDataAccessException", "Message": "gone"}}, "GetShardIterator"
                )
            return {"ShardIterator": str(int(place["SequenceNumber"]) + 1)}
        return {"ShardIterator": "0"}

    def get_records(self, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803
        at = int(ShardIterator)
        page = self.records[at : at + Limit]
        return {"Records": page, "NextShardIterator": str(at + len(page))}


class FakeFunctions:
    """Answers with the key of each record; refuses whole batches that hold a poisoned one."""

    def __init__(self) -> None:
        self.poisoned: set[str] = set()
        self.away = 0
        self.batches: list[list[str]] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        if self.away:
            self.away -= 1
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")
        keys = [record["dynamodb"]["Keys"]["auth"]["S"] for record in json.loads(Payload)]
        self.batches.append(keys)
        if self.poisoned & set(keys):
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "boom"}')}
        return {"Payload": io.BytesIO(json.dumps([{"auth": key} for key in keys]).encode())}


class FakeEvents:
    def __init__(self) -> None:
        self.accepted: list[Mapping[str, str]] = []
        self.refuse_once: set[str] = set()
        self.calls: list[int] = []

    def put_events(self, Entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append(len(Entries))
        results: list[dict[str, str]] = []
        for entry in Entries:
            key = json.loads(entry["Detail"])["auth"]
            if key in self.refuse_once:
                self.refuse_once.remove(key)
                results.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"})
            else:
                self.accepted.append(entry)
                results.append({"EventId": key})
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    @property
    def keys(self) -> list[str]:
        return [json.loads(entry["Detail"])["auth"] for entry in self.accepted]


class FakeQueues:
    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def get_queue_url(self, QueueName: str) -> dict[str, str]:  # noqa: N803
        return {"QueueUrl": QueueName}

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        assert QueueUrl == "buried"
        self.bodies.append(json.loads(MessageBody))


class World:
    def __init__(self, folder: Path, statuses: Sequence[str]) -> None:
        self.file = folder / "positions.json"
        self.streams = FakeStreams(statuses)
        self.functions = FakeFunctions()
        self.events = FakeEvents()
        self.queues = FakeQueues()
        self.time = float(BORN)

    def runner(self, positions: Positions | None = None, **parameters: Any) -> Runner:
        def wait(seconds: float) -> bool:
            self.time += seconds
            return False

        return Runner(
            Pipe.from_definition(definition(**parameters)),
            Clients(self.streams, self.functions, self.events, self.queues),
            positions or Positions(self.file),
            wait=wait,
            now=lambda: self.time,
            say=lambda text: None,
        )

    def drain(self, runner: Runner) -> None:
        iterators: dict[str, str] = {}
        while runner.pass_over(iterators):
            pass


MakeWorld = Callable[..., World]


@pytest.fixture
def world(tmp_path: Path) -> MakeWorld:
    return lambda *statuses: World(tmp_path, statuses or ["APPROVED"] * 25)


def numbered(count: int) -> list[str]:
    return [f"A{number}" for number in range(count)]


def test_approved_records_reach_the_bus_in_order_and_in_batches(world: MakeWorld) -> None:
    here = world()
    here.drain(here.runner())
    assert here.events.keys == numbered(25)
    assert here.events.calls == [10, 10, 5]
    assert here.events.accepted[0] == {
        "EventBusName": "arn:aws:events:eu-central-1:000000000000:event-bus/postbus",
        "Source": "postbus.inbound",
        "DetailType": "TransactionAuthorized",
        "Detail": '{"auth":"A0"}',
    }


def test_records_the_filter_holds_back_go_nowhere_and_are_not_read_again(world: MakeWorld) -> None:
    here = world("APPROVED", "DECLINED", "APPROVED", "PENDING")
    here.drain(here.runner())
    assert here.functions.batches == [["A0", "A2"]]
    here.drain(here.runner())
    assert here.events.keys == ["A0", "A2"]


def test_only_the_entries_the_bus_refused_are_sent_again(world: MakeWorld) -> None:
    here = world()
    here.events.refuse_once = {"A3", "A7"}
    here.drain(here.runner())
    assert sorted(here.events.keys) == sorted(numbered(25))
    assert here.events.calls == [10, 2, 10, 5]


def test_a_runner_killed_between_the_bus_and_its_checkpoint_delivers_again_and_loses_nothing(
    world: MakeWorld,
) -> None:
    class Killed(BaseException):
        pass

    class Mortal(Positions):
        def move(self, stream_arn: str, shard: str, sequence_number: str | None) -> None:
            raise Killed

    here = world()
    with pytest.raises(Killed):
        here.drain(here.runner(Mortal(here.file)))
    assert here.events.keys == numbered(10)
    here.drain(here.runner())
    assert here.events.keys == numbered(10) + numbered(25)


def test_a_new_runner_goes_on_where_the_last_one_stood(world: MakeWorld) -> None:
    here = world()
    here.drain(here.runner())
    here.streams.records += FakeStreams(["APPROVED"] * 27).records[25:]
    here.drain(here.runner())
    assert here.events.keys == numbered(27)


def test_a_position_the_stream_no_longer_knows_means_reading_from_the_oldest(world: MakeWorld) -> None:
    here = world("APPROVED", "APPROVED")
    here.drain(here.runner())
    here.streams.trimmed = True
    here.drain(here.runner())
    assert here.events.keys == ["A0", "A1", "A0", "A1"]


def test_a_recreated_table_starts_anew_though_its_shard_has_the_same_name(tmp_path: Path) -> None:
    positions = Positions(tmp_path / "positions.json")
    positions.move(STREAM, SHARD, "5")
    assert positions.of(STREAM.replace("2026", "2027"), SHARD) is None
    assert Positions(tmp_path / "positions.json").of(STREAM, SHARD) == "5"


def test_a_poison_record_is_singled_out_and_its_neighbours_are_done(world: MakeWorld) -> None:
    here = world(*["APPROVED"] * 10)
    here.functions.poisoned = {"A6"}
    here.drain(here.runner(maximum_retry_attempts=2))
    assert here.events.keys == [key for key in numbered(10) if key != "A6"]
    (buried,) = here.queues.bodies
    assert buried["context"]["condition"] == "RetryAttemptsExhausted"
    assert buried["DDBStreamBatchInfo"]["startSequenceNumber"] == f"{6:021d}"
    assert buried["DDBStreamBatchInfo"]["endSequenceNumber"] == f"{6:021d}"
    assert buried["DDBStreamBatchInfo"]["batchSize"] == 1
    assert here.functions.batches.count(["A6"]) == 3


def test_without_a_limit_on_attempts_a_record_is_retried_until_its_age_ends(world: MakeWorld) -> None:
    here = world("APPROVED")
    here.functions.poisoned = {"A0"}
    here.drain(here.runner(maximum_record_age_in_seconds=3600))
    assert here.queues.bodies[0]["context"]["condition"] == "MaximumRecordAgeExceeded"
    assert here.time - BORN >= 3600


def test_an_enrichment_that_is_away_for_a_while_delays_records_and_loses_none(world: MakeWorld) -> None:
    here = world()
    here.functions.away = 40
    here.drain(here.runner())
    assert sorted(here.events.keys) == sorted(numbered(25))
    assert here.queues.bodies == []


def test_lanes_deliver_every_record_once(world: MakeWorld) -> None:
    here = world(*["APPROVED"] * 95)
    here.drain(here.runner(parallelization_factor=4))
    assert sorted(here.events.keys) == sorted(numbered(95))
    assert max(here.events.calls) <= 10


def test_a_runner_that_is_to_end_leaves_a_failing_batch_for_the_next(world: MakeWorld) -> None:
    here = world("APPROVED")
    here.functions.poisoned = {"A0"}
    stopped = threading.Event()
    stopped.set()
    runner = Runner(
        Pipe.from_definition(definition()),
        Clients(here.streams, here.functions, here.events, here.queues),
        Positions(here.file),
        wait=stopped.wait,
    )
    with pytest.raises(Stopping):
        runner.pass_over({})
    assert Positions(here.file).of(STREAM, SHARD) is None


def test_a_template_takes_parts_of_the_element() -> None:
    element = {"detail": {"metadata": {"id": "1"}}, "detail-type": "Seen"}
    assert render("<$.detail>", element) == {"metadata": {"id": "1"}}
    assert render('{"kind": <$.detail-type>, "id": <$.detail.metadata.id>}', element) == {
        "kind": "Seen",
        "id": "1",
    }


def test_source_and_detail_type_may_be_paths_into_the_element(world: MakeWorld) -> None:
    here = world("APPROVED")
    changed = definition()
    changed["target_parameters"]["eventbridge_event_bus_parameters"]["detail_type"] = "$.auth"
    runner = Runner(
        Pipe.from_definition(changed),
        Clients(here.streams, here.functions, here.events, here.queues),
        Positions(here.file),
    )
    here.drain(runner)
    assert here.events.accepted[0]["DetailType"] == "A0"
