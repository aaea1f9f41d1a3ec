"""Dead letters: counted, shown, sent where they belong; never lost, and never in a circle."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
from postbus.adapters.eventbridge_bus import entry
from postbus.adapters.sqs_steps import SqsSteps
from postbus.domain import sample
from postbus.domain.event import Event
from postbus.domain.inbound import SOURCES
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.workflow import Head, Next, StepName
from postbus.runtime.steps import send_step
from tests.component.cli.conftest import World
from tests.fakes import stories
from tests.fakes.approvals import NOON


def message(event: Event, **more: Any) -> dict[str, Any]:
    """As a rule delivers it."""
    return {
        "source": entry(event, "postbus")["Source"],
        "detail-type": event.type,
        "detail": event.to_detail(),
        **more,
    }


def depth(world: World, name: str) -> int:
    """How many messages a queue has, whether or not someone has them in work."""
    (queue,) = [one for one in world.ask("dlq", "list")["queues"] if one["name"] == name]
    return int(queue["messages"]) + int(queue["in_flight"])


def test_every_dead_letter_and_quarantine_queue_is_listed_with_its_depth(world: World) -> None:
    world.send("dead_letters", "posting", "garbage")
    queues = {one["name"]: one["messages"] for one in world.ask("dlq", "list")["queues"]}
    assert queues["posting"] == 1
    assert queues.keys() == {
        "enrich", "posting", "timeline", "business-rules", "bus", "sweep", "unheard-of", "receive", "process",
        *(f"{way}-{source}" for way in ("pipe", "quarantine") for source in SOURCES),
    }  # fmt: skip
    assert "postbus dlq show posting" in world.run("dlq", "list").stdout


def test_showing_a_queue_tells_why_and_takes_nothing_out(world: World) -> None:
    for number in range(25):
        world.send("dead_letters", "posting", f"garbage {number}", reason="body: JSON")
    for _ in range(2):
        shown = world.ask("dlq", "show", "posting")["messages"]
        assert {one["body"] for one in shown} == {f"garbage {number}" for number in range(25)}
        assert {one["reason"] for one in shown} == {"body: JSON"}
    assert depth(world, "posting") == 25
    assert len(world.ask("dlq", "show", "posting", "--most", "3")["messages"]) == 3


def test_a_card_number_in_a_dead_letter_is_masked(world: World) -> None:
    number = sample.pan(7)
    world.send("dead_letters", "posting", f"pan {number}", reason=f"not {number}")
    shown = world.run("dlq", "show", "posting", "--json").stdout + world.run("dlq", "show", "posting").stdout
    assert number not in shown


@pytest.mark.parametrize("name", ["enrich", "posting", "timeline"])
def test_a_processors_dead_letters_go_to_its_own_queue(world: World, name: str) -> None:
    body = json.dumps(message(stories.authorized()))
    world.send("dead_letters", name, body, reason="whatever")
    assert world.ask("dlq", "redrive", name)["redriven"] == 1
    assert world.bodies("queues", name) == [body]
    assert depth(world, name) == 0


def test_a_whole_queue_is_redriven_page_by_page(world: World) -> None:
    for number in range(23):
        world.send("dead_letters", "posting", f"m{number}")
    assert world.ask("dlq", "redrive", "posting")["redriven"] == 23
    assert len(world.bodies("queues", "posting")) == 23


def test_only_the_named_message_is_redriven(world: World) -> None:
    for number in range(3):
        world.send("dead_letters", "posting", f"m{number}")
    chosen = next(one for one in world.ask("dlq", "show", "posting")["messages"] if one["body"] == "m1")
    assert world.ask("dlq", "redrive", "posting", "--message", chosen["id"])["redriven"] == 1
    assert world.bodies("queues", "posting") == ["m1"]
    assert depth(world, "posting") == 2


def test_a_named_message_that_is_not_there_is_told_by_its_id(world: World) -> None:
    world.send("dead_letters", "posting", "m0")
    for how in ((), ("--discard", "--reason", "not ours")):
        answer = world.run("dlq", "redrive", "posting", "--message", "nobody", *how)
        assert answer.exit_code == 1
        assert "Not in posting now: nobody" in answer.stdout
    assert world.run("dlq", "redrive", "posting", "--message", "x", "--json").json["absent"] == ["x"]
    assert depth(world, "posting") == 1


def test_what_a_workflow_could_not_do_is_published_again(world: World) -> None:
    event = stories.paid()[1]
    world.send("dead_letters", "business-rules", message(event), reason="States.TaskFailed")
    assert world.ask("dlq", "redrive", "business-rules")["redriven"] == 1
    assert world.on_the_bus() == [event]


def test_what_came_from_a_replay_goes_on_as_part_of_that_replay(world: World) -> None:
    event = stories.paid()[1]
    world.send("dead_letters", "business-rules", message(event, **{"replay-name": "r1"}))
    world.ask("dlq", "redrive", "business-rules")
    assert world.on_the_bus() == [replace(event, replay="r1")]


def test_what_a_rule_could_not_deliver_to_a_queue_goes_to_that_queue(world: World) -> None:
    event = stories.paid()[2]
    target = "arn:aws:sqs:eu-central-1:123456789012:postbus-posting"
    world.send("dead_letters", "bus", message(event), TARGET_ARN=target, ERROR_CODE="NO_PERMISSIONS")
    world.ask("dlq", "redrive", "bus")
    assert [json.loads(body) for body in world.bodies("queues", "posting")] == [message(event)]
    assert world.on_the_bus() == []


def test_what_a_rule_could_not_deliver_elsewhere_is_published_again(world: World) -> None:
    event = stories.paid()[1]
    target = "arn:aws:states:eu-central-1:123456789012:stateMachine:postbus-business-rules"
    world.send("dead_letters", "bus", message(event), TARGET_ARN=target)
    world.ask("dlq", "redrive", "bus")
    assert world.on_the_bus() == [event]


def test_a_scheduled_run_that_failed_is_started_again(world: World) -> None:
    world.send("dead_letters", "sweep", {})
    world.ask("dlq", "redrive", "sweep")
    assert world.functions.started == [("postbus-sweep", {})]


def test_what_the_bus_refuses_stays_with_its_reason(world: World) -> None:
    class Deaf:
        def put_events(self, Entries: Any) -> Any:  # noqa: N803 - the client's own name
            return {"Entries": [{"ErrorCode": "ThrottlingException"} for _ in Entries]}

    world.send("dead_letters", "business-rules", message(stories.paid()[1]))
    world.deployment._clients["events"] = Deaf()
    answer = world.run("dlq", "redrive", "business-rules", "--json")
    assert answer.exit_code == 1
    assert "ThrottlingException" in answer.json["stay"][0]["reason"]
    assert depth(world, "business-rules") == 1


def test_a_message_is_deleted_only_after_it_was_sent(world: World) -> None:
    world.send("dead_letters", "posting", "precious")
    world.client("sqs").delete_queue(QueueUrl=world.deployment.one("queues", "posting"))
    assert world.run("dlq", "redrive", "posting").exit_code == 1
    assert [one["body"] for one in world.ask("dlq", "show", "posting")["messages"]] == ["precious"]


def test_garbage_among_them_stays_and_its_neighbours_go(world: World) -> None:
    event = stories.paid()[1]
    world.send("dead_letters", "business-rules", "garbage")
    world.send("dead_letters", "business-rules", message(event))
    answer = world.run("dlq", "redrive", "business-rules", "--json")
    assert (answer.exit_code, answer.json["redriven"]) == (1, 1)
    assert world.on_the_bus() == [event]
    assert depth(world, "business-rules") == 1


# -- ISO 20022 -------------------------------------------------------------------------------------------


def parked(world: World, transaction_id: str, changes: Mapping[str, Any] | None = None) -> DynamoDbMessages:
    """A transaction whose step was sent, taken and parked, as the function leaves it."""
    step = StepName.PROCESS
    store = DynamoDbMessages(world.client("dynamodb"), "iso20022")
    head = Head(
        transaction_id=transaction_id,
        owner="operator",
        status=Status.ACTC,
        version=1,
        opened_at=NOON,
        deadline=NOON + timedelta(hours=1),
        home_region="eu-central-1",
    )
    assert store.open(head, "operator")
    send_step(transaction_id, Next(step), store, steps_of(world, step), lambda: NOON)
    (sent,) = world.bodies("queues", step)
    store.step_taken(transaction_id, step, 1, NOON)
    store.step_parked(transaction_id, step, 1, "its message is gone")
    world.client("sqs").send_message(
        QueueUrl=world.deployment.one("dead_letters", step),
        MessageBody=json.dumps({**json.loads(sent), **(changes or {})}),
        MessageGroupId=transaction_id,
        MessageDeduplicationId=f"parked-{transaction_id}",
        MessageAttributes={"reason": {"DataType": "String", "StringValue": "its message is gone"}},
    )
    return store


def steps_of(world: World, step: StepName) -> SqsSteps:
    return SqsSteps(world.client("sqs"), {step: world.deployment.one("queues", step)})


def test_a_step_sent_again_within_five_minutes_does_not_vanish(world: World) -> None:
    store = parked(world, "t-1")
    for attempt in (2, 3):
        assert world.ask("dlq", "redrive", "process")["redriven"] == 1
        (body,) = world.bodies("queues", "process")
        assert json.loads(body) == {"transaction_id": "t-1", "step": "process", "attempt": attempt}
        world.client("sqs").send_message(
            QueueUrl=world.deployment.one("dead_letters", "process"),
            MessageBody=body,
            MessageGroupId="t-1",
            MessageDeduplicationId=f"again-{attempt}",
        )
    head = store.head("t-1")
    assert head is not None
    assert head.steps[StepName.PROCESS].parked is None


def test_the_steps_of_every_transaction_are_redriven_each_in_its_own_group(world: World) -> None:
    for number in range(13):
        parked(world, f"t-{number}")
    assert "process of t-3, attempt 1" in world.run("dlq", "show", "process").stdout
    assert world.ask("dlq", "redrive", "process")["redriven"] == 13
    url = world.deployment.one("queues", "process")
    sent = [
        message
        for _ in range(2)
        for message in world.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
        )["Messages"]
    ]
    groups = {message["Attributes"]["MessageGroupId"] for message in sent}
    assert groups == {f"t-{number}" for number in range(13)}
    assert depth(world, "process") == 0


@pytest.mark.parametrize(
    "changes",
    [{"transaction_id": "nobody's"}, {"step": "receive"}, {"step": "fly"}, {"attempt": 0}, {"attempt": None}],
)
def test_what_is_no_step_of_a_transaction_stays_until_it_is_discarded(
    world: World, changes: dict[str, Any]
) -> None:
    parked(world, "t-1", changes)
    answer = world.run("dlq", "redrive", "process", "--json")
    assert (answer.exit_code, answer.json["redriven"]) == (1, 0)
    assert answer.json["stay"][0]["reason"]
    assert depth(world, "process") == 1
    (letter,) = world.ask("dlq", "show", "process")["messages"]
    said = world.ask(
        "dlq", "redrive", "process", "--discard", "--message", letter["id"], "--reason", "not ours"
    )
    assert said["discarded"] == 1
    assert depth(world, "process") == 0


# -- the way in ------------------------------------------------------------------------------------------


def quarantine(world: World, **changes: Any) -> str:
    """A malformed record, parked by the function itself."""
    transaction_id = world.put_record(**changes)
    key = {"auth": {"S": transaction_id.removeprefix("visa-")}}
    image = world.client("dynamodb").get_item(TableName="visa", Key=key)["Item"]
    record = {"eventID": "e", "eventName": "INSERT", "dynamodb": {"Keys": key, "NewImage": image}}
    assert world.functions.known["postbus-deduplicate-visa"]([record]) == []
    return transaction_id


def test_a_quarantined_record_is_shown_by_the_key_it_has_in_its_table(world: World) -> None:
    quarantine(world, auth="Q1", transaction_currency="ZZZ")
    assert "visa record Q1, transaction_currency" in world.run("dlq", "show", "quarantine-visa").stdout
    world.send("queues", "quarantine-visa", {"source": "visa", "key": "?", "field": "f"})
    assert "visa record without a key, f" in world.run("dlq", "show", "quarantine-visa").stdout


def test_a_quarantined_record_stays_until_it_has_been_corrected_and_then_comes_in(world: World) -> None:
    transaction_id = quarantine(world, transaction_currency="ZZZ")
    answer = world.run("dlq", "redrive", "quarantine-visa", "--json")
    assert answer.exit_code == 1
    assert "transaction_currency" in answer.json["stay"][0]["reason"]
    assert world.put_record() == transaction_id
    assert world.ask("dlq", "redrive", "quarantine-visa")["redriven"] == 1
    (event,) = world.on_the_bus()
    assert (event.type, event.transaction_id) == ("TransactionAuthorized", transaction_id)
    assert depth(world, "quarantine-visa") == 0


def test_a_quarantined_record_that_is_no_longer_approved_or_there_stays_until_it_is_discarded(
    world: World,
) -> None:
    quarantine(world, auth="Q1", transaction_currency="ZZZ")
    quarantine(world, auth="Q2", transaction_currency="ZZZ")
    world.put_record(auth="Q1", status="DECLINED")
    world.client("dynamodb").delete_item(TableName="visa", Key={"auth": {"S": "Q2"}})
    answer = world.run("dlq", "redrive", "quarantine-visa", "--json")
    reasons = sorted(one["reason"] for one in answer.json["stay"])
    assert answer.exit_code == 1
    assert reasons[0].startswith("Q1 is not approved any more")
    assert reasons[1].startswith("no record with auth 'Q2'")
    assert depth(world, "quarantine-visa") == 2


def test_a_quarantined_record_can_be_discarded_by_name_and_with_a_reason_only(world: World) -> None:
    transaction_id = quarantine(world, transaction_currency="ZZZ")
    assert world.run("dlq", "redrive", "quarantine-visa", "--discard").exit_code == 2
    (parked,) = world.ask("dlq", "show", "quarantine-visa")["messages"]
    assert (
        world.run("dlq", "redrive", "quarantine-visa", "--discard", "--message", parked["id"]).exit_code == 2
    )
    discarded = world.ask(
        "dlq",
        "redrive",
        "quarantine-visa",
        "--discard",
        "--message",
        parked["id"],
        "--reason",
        "sent by mistake",
    )
    assert (discarded["discarded"], discarded["redriven"]) == (1, 0)
    assert discarded["operator"].startswith("arn:aws:sts::")
    (note,) = world.ask("trace", transaction_id)["notes"]
    assert (note["did"], note["reason"]) == ("discarded from quarantine-visa", "sent by mistake")
    assert json.loads(note["message"])["record"]["transaction_currency"] == {"S": "ZZZ"}
    assert "sent by mistake" in world.run("trace", transaction_id).stdout
    assert depth(world, "quarantine-visa") == 0
    assert world.on_the_bus() == []


class Stream:
    """A streams client: one shard, two records a call, and now and then an empty answer."""

    def __init__(self, world: World, *images: str, old: dict[str, Any] | None = None) -> None:
        client = world.client("dynamodb")
        self._records = []
        for number, auth in enumerate(images):
            image = client.get_item(TableName="visa", Key={"auth": {"S": auth}})["Item"]
            stored = {
                "Keys": {"auth": {"S": auth}}, "NewImage": image, "SequenceNumber": str(100 + number),
                "ApproximateCreationDateTime": NOON,
            }  # fmt: skip
            if old and auth in old:
                stored["OldImage"] = {**image, "status": {"S": old[auth]}}
            name = "MODIFY" if "OldImage" in stored else "INSERT"
            self._records.append({"eventID": f"e{number}", "eventName": name, "dynamodb": stored})
        world.deployment._clients["dynamodbstreams"] = self

    def get_shard_iterator(self, SequenceNumber: str, **_: Any) -> Any:  # noqa: N803 - the client's own name
        return {"ShardIterator": f"{int(SequenceNumber) - 100}/full"}

    def get_records(self, ShardIterator: str) -> Any:  # noqa: N803
        place, _, kind = ShardIterator.partition("/")
        if kind == "empty":
            return {"Records": [], "NextShardIterator": f"{place}/full"}
        records = self._records[int(place) : int(place) + 2]
        return {"Records": records, "NextShardIterator": f"{int(place) + len(records)}/empty"}


def positions(first: int, last: int) -> dict[str, Any]:
    """What the pipe parks: where in the stream the records are."""
    batch = {"streamArn": "arn", "shardId": "shard", "batchSize": last - first + 1}
    numbers = {"startSequenceNumber": str(100 + first), "endSequenceNumber": str(100 + last)}
    return {"DDBStreamBatchInfo": {**batch, **numbers}}


def test_what_the_pipe_gave_up_is_read_from_the_stream_again(world: World) -> None:
    ids = [world.put_record(auth=f"B{number}") for number in range(5)]
    Stream(world, *(f"B{number}" for number in range(5)))
    world.send("dead_letters", "pipe-visa", positions(1, 3))
    assert world.ask("dlq", "redrive", "pipe-visa")["redriven"] == 1
    assert sorted(event.transaction_id for event in world.on_the_bus()) == ids[1:4]


def test_what_the_pipe_would_not_have_let_in_does_not_come_in_this_way_either(world: World) -> None:
    world.put_record(auth="B0", status="DECLINED")
    world.put_record(auth="B1", home_region="us-east-1")
    world.put_record(auth="B2")
    approved = world.put_record(auth="B3")
    Stream(world, "B0", "B1", "B2", "B3", old={"B2": "APPROVED", "B3": "PENDING"})
    world.send("dead_letters", "pipe-visa", positions(0, 3))
    world.ask("dlq", "redrive", "pipe-visa")
    assert [event.transaction_id for event in world.on_the_bus()] == [approved]


def test_what_the_stream_has_forgotten_is_found_by_comparing_the_table(world: World) -> None:
    class Trimmed:
        def get_shard_iterator(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetShardIterator")

    approved = world.put_record(auth="B1")
    world.deployment._clients["dynamodbstreams"] = Trimmed()
    _, voided = stories.came_first("B1")  # a reversal that is not of it is no trace of it
    world.outcomes.decide(voided)
    world.timeline.record([voided.announcement()])
    for _ in range(2):
        world.send("dead_letters", "pipe-visa", positions(0, 0))
    assert world.ask("dlq", "redrive", "pipe-visa")["redriven"] == 2
    assert [event.transaction_id for event in world.on_the_bus()] == [approved]


def test_what_may_have_been_in_a_forgotten_position_and_cannot_be_brought_in_keeps_its_letter(
    world: World,
) -> None:
    class Trimmed:
        def get_shard_iterator(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetShardIterator")

    missing = world.put_record(auth="B1")
    changed = world.put_record(auth="A1")
    world.put_record(auth="B2", transaction_currency="ZZZ")
    world.outcomes.decide(stories.held("A1")[1])
    world.deployment._clients["dynamodbstreams"] = Trimmed()
    world.send("dead_letters", "pipe-visa", positions(0, 0))
    answer = world.run("dlq", "redrive", "pipe-visa", "--json")
    assert (answer.exit_code, answer.json["redriven"], depth(world, "pipe-visa")) == (1, 0, 1)
    (stays,) = answer.json["stay"]
    assert f"1 changed after they were decided ({changed}); 1 cannot be read (B2)" in stays["reason"]
    assert [event.transaction_id for event in world.on_the_bus()] == [missing]


@pytest.mark.parametrize("shard_is_open", [True, False])
def test_a_letter_is_not_taken_for_done_while_the_stream_has_not_told_all_of_it(
    world: World, shard_is_open: bool
) -> None:
    class Halting(Stream):
        def get_records(self, ShardIterator: str) -> Any:  # noqa: N803
            if ShardIterator.startswith("0/"):
                return super().get_records(ShardIterator)
            return {"Records": [], **({"NextShardIterator": ShardIterator} if shard_is_open else {})}

    for number in range(3):
        world.put_record(auth=f"B{number}")
    Halting(world, "B0", "B1", "B2")
    world.send("dead_letters", "pipe-visa", positions(0, 2))
    answer = world.run("dlq", "redrive", "pipe-visa")
    assert depth(world, "pipe-visa") == int(shard_is_open)
    assert ("try again" in answer.stderr) is shard_is_open
    assert len(world.on_the_bus()) == (0 if shard_is_open else 2)


def test_a_dead_letter_cannot_steer_the_terminal(world: World) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp"
    world.send("dead_letters", "posting", f"not json {evil}", reason="because \u202e of \x7f this")
    people = world.run("dlq", "show", "posting").stdout
    assert "not json" in people
    assert not set(people) & set("\x1b\x07\x9b\x7f\u202e")
    assert world.run("dlq", "show", "posting", "--json").stdout.isascii()
    stays = world.run("dlq", "redrive", "quarantine-visa")
    assert "\x1b" not in stays.stdout


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_what_a_dead_letter_says_is_shown_letter_for_letter(world: World, as_json: list[str]) -> None:
    world.send("dead_letters", "posting", "ACC:x:1 [bold]", reason="of :warning: this")
    shown = world.run("dlq", "show", "posting", *as_json).stdout
    assert "ACC:x:1 [bold]" in shown
    assert "of :warning: this" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dlq", "show", "nowhere"), "queue: one of bus, business-rules"),
        (("dlq", "redrive", "nowhere"), "queue: one of"),
        (("dlq", "redrive", "posting", "--reason", "x"), "--discard"),
        (("dlq", "show", "posting", "--most", "0"), "--most"),
    ],
)
def test_bad_input_is_named(world: World, words: tuple[str, ...], said: str) -> None:
    answer = world.run(*words)
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_a_queue_nobody_knows_a_way_for_is_left_alone(world: World) -> None:
    world.send("dead_letters", "unheard-of", "x")
    answer = world.run("dlq", "redrive", "unheard-of")
    assert answer.exit_code == 1
    assert depth(world, "unheard-of") == 1
