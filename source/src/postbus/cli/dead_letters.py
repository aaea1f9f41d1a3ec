"""What could not be delivered or processed: listed, shown without loss, and sent where it belongs again.

A message is always sent first and deleted after: killed in between, it is there twice, which changes nothing,
and never gone.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from postbus.adapters.dynamodb_inbound import Forgotten, enters, stream_records
from postbus.adapters.lambda_functions import LambdaFunction
from postbus.adapters.sqs_dead_letters import DeadLetter, SqsDeadLetters
from postbus.cli.desk import AS_JSON, OPERATOR, Changing, Desk, ago, checked_reason, desk_of
from postbus.cli.errors import CannotRun, Exit, NotDone
from postbus.cli.reconcile import cannot_be_brought_in, nothing_yet, reconcile_source
from postbus.cli.resubmission import RECORDS_AT_ONCE, Resubmission
from postbus.domain import card_numbers
from postbus.domain.errors import Malformed
from postbus.domain.event import Event, format_time
from postbus.domain.inbound import SOURCES
from postbus.domain.inbound.source import APPROVED
from postbus.domain.iso20022.workflow import Next, StepCall, StepName

app = typer.Typer(help=__doc__, no_args_is_help=True)

QUARANTINE = "quarantine-"
PIPE = "pipe-"

NAME = typer.Argument(..., metavar="QUEUE", help="Its name in `./postbus dlq list`.")

# So many messages are shown unless more are asked for.
_SHOWN = 50

Send = Callable[[DeadLetter], None]


class Stays(Exception):
    """A message that cannot be sent on as things are; it stays where it is, and the reason is told."""


def queues_of(desk: Desk) -> dict[str, str]:
    """Every dead-letter and quarantine queue's URL by its name."""
    quarantines = {
        name: url for name, url in desk.deployment.all("queues").items() if name.startswith(QUARANTINE)
    }
    return {**desk.deployment.all("dead_letters"), **quarantines}


def _queue(desk: Desk, name: str) -> SqsDeadLetters:
    known = queues_of(desk)
    if name not in known:
        raise CannotRun(f"queue: one of {', '.join(sorted(known))}, not {name!r}.")
    return SqsDeadLetters(desk.deployment.client("sqs"), known[name])


@app.command("list")
def list_queues(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """Every dead-letter and quarantine queue, and how many messages wait there."""
    desk = desk_of(context)
    queues = []
    table = Table("queue", "messages", "in work", "what to do")
    for name, url in sorted(queues_of(desk).items()):
        depth = SqsDeadLetters(desk.deployment.client("sqs"), url).depth()
        queues.append({"name": name, "messages": depth.messages, "in_flight": depth.in_flight, "url": url})
        style = "bold" if depth.messages else "dim"
        todo = f"./postbus dlq show {name}" if depth.messages else ""
        table.add_row(name, str(depth.messages), str(depth.in_flight), todo, style=style)
    desk.show(as_json, {"queues": queues}, table)


@app.command()
def show(
    context: typer.Context,
    name: str = NAME,
    most: int = typer.Option(_SHOWN, "--most", min=1, max=10_000, help="Show at most so many."),
    as_json: bool = AS_JSON,
) -> None:
    """The messages of a queue, with why they are there; they stay."""
    desk = desk_of(context)
    queue = _queue(desk, name)
    letters: list[DeadLetter] = []
    try:
        with desk.progress(f"reading {name}") as so_far:
            for letter in queue.take(most):
                letters.append(letter)
                so_far(len(letters))
    finally:
        for letter in letters:
            queue.put_back(letter)
    now = desk.now()
    table = Table("message", "age", "what", "why")
    for letter in letters:
        why = letter.reason or "; ".join(f"{key}={value}" for key, value in letter.attributes.items())
        table.add_row(
            letter.message_id,
            ago((now - letter.sent_at).total_seconds()),
            _what(letter),
            card_numbers.mask(why),
        )
    data = {
        "messages": [
            {
                "id": letter.message_id,
                "sent_at": format_time(letter.sent_at),
                "reason": card_numbers.mask(letter.reason) if letter.reason else None,
                "attributes": card_numbers.masked(letter.attributes),
                "body": card_numbers.mask(letter.body),
            }
            for letter in letters
        ]
    }
    desk.show(as_json, data, table if letters else f"{name} is empty.")


@dataclass
class Redriven:
    """What became of the messages of a queue; absent are those that were named and are not there."""

    sent: int = 0
    discarded: int = 0
    stay: list[dict[str, str]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


@app.command(cls=Changing)
def redrive(
    context: typer.Context,
    name: str = NAME,
    message: list[str] = typer.Option([], "--message", help="Only this message id; repeat it for more."),
    discard: bool = typer.Option(False, "--discard", help="Delete the named messages instead."),
    reason: str | None = typer.Option(None, "--reason", help="Why they are discarded."),
    operator: str | None = OPERATOR,
    as_json: bool = AS_JSON,
) -> None:
    """Send a queue's messages where they belong again; what cannot go on stays, with its reason."""
    desk = desk_of(context)
    queue = _queue(desk, name)
    if discard and not message:
        raise CannotRun(
            "--message: name each message that is to be discarded; `./postbus dlq show` has the ids."
        )
    if discard and reason is None:
        raise CannotRun("--reason: say why they are discarded.")
    if not discard and reason is not None:
        raise CannotRun("--reason: belongs to --discard.")
    told: dict[str, Any] = {"queue": name}
    if discard:
        told |= {"reason": checked_reason(reason or ""), "operator": desk.operator(operator)}
        send = _discarded(desk, told)
    else:
        send = _way_of(desk, name)
    redriven = _through(desk, queue, name, set(message), send, discard)
    told |= {"redriven": redriven.sent, "discarded": redriven.discarded, "stay": redriven.stay}
    told |= {"absent": redriven.absent}
    table = Table("message", "stays, because")
    for one in redriven.stay:
        table.add_row(one["message"], one["reason"])
    done = f"{redriven.discarded} discarded" if discard else f"{redriven.sent} sent on"
    said: list[Any] = [Text(f"{name}: {done}, {len(redriven.stay)} stay.")]
    if redriven.stay:
        said.append(table)
    if redriven.absent:
        said.append(
            Text(f"Not in {name} now: {', '.join(redriven.absent)}; `./postbus dlq show {name}` has the ids.")
        )
    desk.show(as_json, told, *said)
    if redriven.stay or redriven.absent:
        raise typer.Exit(Exit.NOT_DONE)


def _through(
    desk: Desk, queue: SqsDeadLetters, name: str, wanted: set[str], send: Send, discard: bool
) -> Redriven:
    """Every message that is there now, or the wanted ones, through ``send``."""
    redriven = Redriven()
    left: list[DeadLetter] = []
    met: set[str] = set()
    began = desk.now()
    there = queue.depth().messages
    try:
        with desk.progress(f"emptying {name}", total=max(there, 1)) as so_far:
            for number, letter in enumerate(queue.take(max(there, len(wanted), 1) * 2), start=1):
                met.add(letter.message_id)
                # What comes back while this runs, refused again, is for another look, not for another turn.
                if (wanted and letter.message_id not in wanted) or (not wanted and letter.sent_at > began):
                    left.append(letter)
                    continue
                try:
                    send(letter)
                except (Stays, Malformed) as error:
                    why = card_numbers.mask(str(error))
                    redriven.stay.append({"message": letter.message_id, "reason": why})
                    left.append(letter)
                    continue
                except Exception:
                    left.append(letter)
                    raise
                queue.delete(letter)
                if discard:
                    redriven.discarded += 1
                else:
                    redriven.sent += 1
                so_far(number)
    finally:
        for letter in left:
            queue.put_back(letter)
    redriven.absent = sorted(wanted - met)
    return redriven


def _discarded(desk: Desk, told: Mapping[str, str]) -> Send:
    """Nothing is sent; who discarded what, and why, is kept with the transaction or the queue's name."""

    def keep(letter: DeadLetter) -> None:
        note = {"did": f"discarded from {told['queue']}", "at": format_time(desk.now())}
        note |= {"operator": told["operator"], "reason": told["reason"]}
        about = _transaction_of(letter) or told["queue"]
        body = card_numbers.mask(letter.body)
        desk.timeline.note(about, f"discarded-{letter.message_id}", {**note, "message": body})

    return keep


def _transaction_of(letter: DeadLetter) -> str | None:
    """The transaction a message is about, as far as it can be read."""
    try:
        body = json.loads(letter.body)
        if "detail" in body:
            return str(body["detail"]["metadata"]["transaction_id"])
        if "transaction_id" in body:
            return str(body["transaction_id"])
        source = SOURCES[body["source"]]
        return f"{source.name}-{body['key'][source.key]['S']}"
    except (ValueError, TypeError, KeyError):
        return None


# -- where each queue's messages belong --------------------------------------------------------------------


def _way_of(desk: Desk, name: str) -> Send:
    deployment = desk.deployment
    if name.startswith(QUARANTINE):
        return _corrected(Resubmission(desk, name.removeprefix(QUARANTINE)))
    if name.startswith(PIPE):
        return _stream_positions(desk, name.removeprefix(PIPE))
    if name == "bus":
        return _undelivered(desk)
    if name == "business-rules":
        return lambda letter: _publish(desk, letter.body)
    if name in set(StepName):
        return _further_attempt(desk, StepName(name))
    if name in deployment.all("queues"):
        own_queue = SqsDeadLetters(deployment.client("sqs"), deployment.one("queues", name))
        return lambda letter: own_queue.send(letter.body)
    if name in deployment.all("functions"):
        return _started(LambdaFunction(deployment.client("lambda"), deployment.one("functions", name)))
    raise NotDone(
        f"queue: nobody knows where messages of {name} belong; look at them: ./postbus dlq show {name}."
    )


def _publish(desk: Desk, body: str) -> None:
    """Put the event on the bus again.  Everyone who listens hears it again, which is safe by design."""
    event = Event.from_bus(_json(body))
    refused = desk.bus.publish([event])
    if refused:
        raise Stays(f"the bus refused it: {refused[event.event_id]}")


def _further_attempt(desk: Desk, step: StepName) -> Send:
    """A step of an ISO 20022 transaction, recorded and sent as its next attempt.

    The same message again would vanish where it was sent less than five minutes ago, and the transaction
    would be told as parked still.
    """
    from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
    from postbus.adapters.sqs_steps import SqsSteps
    from postbus.runtime.steps import send_step

    deployment = desk.deployment
    store = DynamoDbMessages(deployment.client("dynamodb"), deployment.table("iso20022"))
    steps = SqsSteps(deployment.client("sqs"), {step: deployment.one("queues", step)})

    def send(letter: DeadLetter) -> None:
        call = StepCall.from_data(_json(letter.body))
        if call.step is not step:
            raise Stays(f"it is a message of the step {call.step}")
        if store.head(call.transaction_id) is None:
            raise Stays(f"there is no transaction {call.transaction_id}")
        send_step(call.transaction_id, Next(step, again=True), store, steps, desk.now)

    return send


def _undelivered(desk: Desk) -> Send:
    """What a rule could not deliver: to the queue that was its target, else to the bus."""
    client = desk.deployment.client("sqs")
    urls: dict[str, str] = {}
    for url in desk.deployment.all("queues").values():
        urls[url.rpartition("/")[2]] = url

    def send(letter: DeadLetter) -> None:
        _, service, name = _arn(letter.attributes.get("TARGET_ARN", ""))
        if service == "sqs" and name in urls:
            SqsDeadLetters(client, urls[name]).send(letter.body)
        else:
            _publish(desk, letter.body)

    return send


def _started(function: LambdaFunction) -> Send:
    """A scheduled run that failed: the next one came anyway, so it is enough to start one."""

    def send(letter: DeadLetter) -> None:
        body = _json(letter.body)
        function.start(body if isinstance(body, Mapping) else {})

    return send


def _corrected(way_in: Resubmission) -> Send:
    """A quarantined record: as it is in the table now, if it has been corrected there."""

    def send(letter: DeadLetter) -> None:
        body = _json(letter.body)
        key = body.get("key", {}).get(way_in.key, {}).get("S") if isinstance(body, Mapping) else None
        image = way_in.table.find(key) if isinstance(key, str) and key else None
        if image is None:
            raise Stays(f"no record with {way_in.key} {key!r} in the table; if that is meant so, discard it")
        if image.get("status") != {"S": APPROVED}:
            raise Stays(f"{key} is not approved any more; if that is meant so, discard it")
        read = way_in.read(image)
        if isinstance(read, Malformed):
            raise Stays(f"{key} is still malformed: {read}; correct it in the table first")
        way_in.submit([way_in.table.as_inserted(image)])

    return send


def _stream_positions(desk: Desk, source: str) -> Send:
    """What the pipe gave up on: the message says only where in the stream; the records are read there again.

    What the stream has forgotten is found by comparing the whole table, once for all such messages.
    """
    way_in = Resubmission(desk, source)
    reconciled: list[dict[str, Any]] = []

    def send(letter: DeadLetter) -> None:
        body = _json(letter.body)
        batch = body.get("DDBStreamBatchInfo") if isinstance(body, Mapping) else None
        if not isinstance(batch, Mapping):
            raise Stays("it says no position in the stream; run `./postbus reconcile`, then discard it")
        streams = desk.deployment.client("dynamodbstreams")
        try:
            found = stream_records(
                streams,
                str(batch.get("streamArn")),
                str(batch.get("shardId")),
                str(batch.get("startSequenceNumber")),
                str(batch.get("endSequenceNumber")),
            )
        except Forgotten:
            if not reconciled:
                answer = nothing_yet()
                reconcile_source(desk, source, False, answer)
                reconciled.append(answer)
            if left := cannot_be_brought_in(reconciled[0]):
                # What was in it nobody knows any more: any of these may have been.
                raise Stays(
                    f"the stream has forgotten it; what is missing was brought in, but of the table {left}: "
                    "`./postbus reconcile` names them all; once they are right, or nothing new, discard it"
                ) from None
            return
        records = [record for record in found if enters(record, desk.deployment.home_region)]
        for start in range(0, len(records), RECORDS_AT_ONCE):
            way_in.submit(records[start : start + RECORDS_AT_ONCE])

    return send


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Stays("its body is not JSON") from None


def _key_of(body: Mapping[str, Any]) -> str:
    """The key of a quarantined record's item, as far as it can be read."""
    key = body["key"]
    values = key.values() if isinstance(key, Mapping) else ()
    texts = [str(next(iter(one.values()), "")) for one in values if isinstance(one, Mapping)]
    return card_numbers.mask(", ".join(texts)) or "without a key"


def _arn(arn: str) -> tuple[str, str, str]:
    parts = arn.split(":", 5)
    return (parts[3], parts[2], parts[5]) if len(parts) == 6 else ("", "", "")


def _what(letter: DeadLetter) -> str:
    """A message in a few words."""
    try:
        body = json.loads(letter.body)
    except ValueError:
        return card_numbers.mask(letter.body[:60])
    if isinstance(body, Mapping):
        if "detail-type" in body:
            metadata = (body.get("detail") or {}).get("metadata") or {}
            return f"{body['detail-type']} of {metadata.get('transaction_id', 'nobody')}"
        if "DDBStreamBatchInfo" in body:
            return f"{body['DDBStreamBatchInfo'].get('batchSize')} stream records"
        if "step" in body:
            return f"{body['step']} of {body.get('transaction_id')}, attempt {body.get('attempt')}"
        if "key" in body:
            return f"{body.get('source')} record {_key_of(body)}, {body.get('field')}"
    return card_numbers.mask(letter.body[:60])
