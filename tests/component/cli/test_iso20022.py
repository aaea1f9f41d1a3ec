"""What an operator sees of ISO 20022 transactions and decides about them, and the small client."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.workflow import OUTGOING, DecisionKind, Head, StepName
from postbus.functions.serve_iso20022.handler import build
from postbus.runtime.api import serve
from tests.component.cli.conftest import World
from tests.component.serve_iso20022.conftest import Api
from tests.fakes.gateway import application
from tests.fakes.messages import begun, entry, transaction_id, transfers

WHY = ("--reason", "another person of the same name")
EXAMPLE = Path(__file__).parents[3] / "events" / "iso20022" / "examples" / "pacs.008-single.xml"
NOW = datetime.now(UTC)
TOKEN = "a.b.c"


@pytest.fixture
def store(world: World) -> DynamoDbMessages:
    queues = world.deployment.names["queues"]
    for step in set(StepName) - queues.keys():
        made = world.client("sqs").create_queue(QueueName=f"{step}.fifo", Attributes={"FifoQueue": "true"})
        queues[step.value] = made["QueueUrl"]
    return DynamoDbMessages(world.client("dynamodb"), "iso20022")


def open_one(store: DynamoDbMessages, number: int = 1, *statuses: Status, code: str = "RR04") -> Head:
    """A transaction of just now, brought through these statuses."""
    head = begun(store, number, opened_at=NOW, deadline=NOW + timedelta(hours=1))
    for status in statuses:
        reasons = (Reason(code, ("score 97",)),) if status is Status.PDNG else ()
        head = store.append(head, entry(status, reasons=reasons))
    return head


def sent(world: World, step: str = "decide") -> list[Any]:
    return [json.loads(body) for body in world.bodies("queues", step)]


HELD = (Status.ACTC, Status.PDNG)


def test_only_what_waits_for_a_person_is_listed(world: World, store: DynamoDbMessages) -> None:
    open_one(store, 1, *HELD)
    open_one(store, 2, Status.ACTC)
    parked = open_one(store, 3, Status.ACTC)
    store.step_sent(parked, StepName.PROCESS, NOW)
    store.step_parked(parked.transaction_id, StepName.PROCESS, 1, "no schema")
    lost = open_one(store, 4)
    store.step_sent(lost, StepName.RECEIVE, NOW - timedelta(minutes=10))
    listed = {one["transaction_id"]: one["waits_for"] for one in world.ask("iso20022", "list")["open"]}
    assert listed == {
        transaction_id(1): "a decision",
        transaction_id(3): "process is parked: no schema",
        transaction_id(4): "receive was never taken",
    }
    assert len(world.ask("iso20022", "list", "--all")["open"]) == 4


def test_what_the_clock_should_have_ended_is_listed_and_not_what_has_its_time_anew(
    world: World, store: DynamoDbMessages
) -> None:
    before = NOW - timedelta(days=1)
    overdue, cleared = (begun(store, number, opened_at=before, deadline=before) for number in (1, 2))
    store.append(overdue, entry(Status.ACTC, at=before))
    for status in (Status.ACTC, Status.PDNG):
        cleared = store.append(cleared, entry(status, at=before, reasons=(Reason("RR04"),)))
    cleared = store.append(cleared, entry(Status.ACSP, at=NOW + timedelta(hours=1)))
    listed = {one["transaction_id"]: one["waits_for"] for one in world.ask("iso20022", "list")["open"]}
    assert listed == {overdue.transaction_id: "its end: it is overdue"}


def test_nothing_that_waits_is_said_so(world: World, store: DynamoDbMessages) -> None:
    assert "Nothing waits." in world.run("iso20022", "list").stdout


def test_one_is_shown_with_its_history_and_transfers_but_no_personal_data(
    world: World, store: DynamoDbMessages
) -> None:
    own = open_one(store, 1, *HELD).transaction_id
    store.add_children(own, transfers(own, 2))
    shown = world.ask("iso20022", "show", own)
    assert [one["status"] for one in shown["history"]] == ["ACCP", "ACTC", "PDNG"]
    assert shown["reasons"] == [{"code": "RR04", "additional": ["score 97"]}]
    assert [set(one) for one in shown["transfers"]] == [
        {"number", "state", "amount", "pipeline_id", "reasons"}
    ] * 2
    assert f"postbus iso20022 accept {own}" in world.run("iso20022", "show", own).stdout


@pytest.mark.parametrize(
    ("word", "kind", "reasons"),
    [("accept", DecisionKind.CLEARANCE, ()), ("refuse", DecisionKind.REJECTION, (Reason("RR04"),))],
)
def test_a_sanctions_hit_is_decided_by_an_operator_with_a_name_and_a_reason(
    world: World, store: DynamoDbMessages, word: str, kind: DecisionKind, reasons: tuple[Reason, ...]
) -> None:
    own = open_one(store, 1, *HELD).transaction_id
    answer = world.ask("iso20022", word, own, *WHY, "--operator", "jane")
    (decision,) = store.decisions(own)
    assert answer["done"] is True
    assert (decision.kind, decision.reasons, decision.note) == (kind, reasons, WHY[1])
    assert decision.by.endswith(", as jane")
    assert sent(world) == [{"transaction_id": own, "step": "decide", "attempt": 1}]


def test_a_decision_again_is_the_first_ones_and_is_sent_on_until_it_is_carried_out(
    world: World, store: DynamoDbMessages
) -> None:
    own = open_one(store, 1, *HELD).transaction_id
    world.ask("iso20022", "accept", own, *WHY)
    store.step_taken(own, StepName.DECIDE, 1, NOW)
    assert world.run("iso20022", "refuse", own, *WHY).exit_code == 1
    assert [decision.kind for decision in store.decisions(own)] == [DecisionKind.CLEARANCE]
    assert [one["attempt"] for one in sent(world)] == [1, 2]


def test_a_refusal_follows_a_clearance_that_has_let_nothing_go_yet(
    world: World, store: DynamoDbMessages
) -> None:
    own = open_one(store, 1, *HELD).transaction_id
    world.ask("iso20022", "accept", own, *WHY)
    (clearance,) = store.decisions(own)
    store.carried_out(own, clearance.key, "carried_out")
    assert world.ask("iso20022", "refuse", own, *WHY)["done"] is True
    assert {one.kind for one in store.decisions(own)} == {DecisionKind.CLEARANCE, DecisionKind.REJECTION}


def test_only_what_is_pending_is_decided(world: World, store: DynamoDbMessages) -> None:
    own = open_one(store, 1, Status.ACTC).transaction_id
    for word in ("accept", "refuse"):
        answer = world.run("iso20022", word, own, *WHY)
        assert (answer.exit_code, store.decisions(own)) == (1, [])
        assert "only what is pending" in answer.stderr


def test_a_step_that_stands_still_is_tried_again_as_another_attempt(
    world: World, store: DynamoDbMessages
) -> None:
    head = open_one(store, 1, Status.ACTC)
    store.step_sent(head, StepName.PROCESS, NOW)
    store.step_taken(head.transaction_id, StepName.PROCESS, 1, NOW)
    assert world.ask("iso20022", "redrive", head.transaction_id)["step"] == "process"
    assert [one["attempt"] for one in sent(world, "process")] == [2]


def test_what_is_final_has_nothing_to_redrive(world: World, store: DynamoDbMessages) -> None:
    own = open_one(store, 1, Status.RJCT).transaction_id
    assert world.run("iso20022", "redrive", own).exit_code == 1


@pytest.mark.parametrize(("one", "code"), [("visa-A1", 2), (transaction_id(9), 1)])
def test_what_is_not_there_is_one_line(world: World, store: DynamoDbMessages, one: str, code: int) -> None:
    answer = world.run("iso20022", "show", one)
    assert (answer.exit_code, len(answer.stderr.splitlines())) == (code, 1)


# -- the client --------------------------------------------------------------------------------------------


# Longer than a line of any window.
ANSWER = f"<Document>{'pacs.002 ' * 40}</Document>"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(world: World) -> Iterator[Api]:
    """The API over HTTP, whose workflow ends each message as soon as its status is asked for."""
    api = Api()
    routes = build(replace(api.front(), store=Settling(api)))
    with make_server(
        "127.0.0.1", 0, application(lambda call, _: serve(call, routes), routes, TOKEN), handler_class=Quiet
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        secrets = world.client("secretsmanager")
        secrets.create_secret(Name="client-acme", SecretString=json.dumps({"token": TOKEN}))
        world.deployment.names["iso20022"] = {  # type: ignore[index]
            "url": f"http://127.0.0.1:{server.server_port}", "client_secrets": {"acme": "client-acme"},
        }  # fmt: skip
        yield api
        server.shutdown()
        thread.join(5)


class Settling:
    """The message store, in which whatever has a message is settled when its history is read."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.ends = Status.ACSC

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api.store, name)

    def history(self, own: str) -> Any:
        store = self._api.store
        if store.heads[own].incoming and store.heads[own].status is Status.ACCP:
            answer = self._api.outgoing.put("answer", ANSWER.encode())
            for status in (Status.ACTC, Status.ACSP, Status.ACSC):
                documents = {OUTGOING: answer} if status is Status.ACSC else {}
                store.append(store.heads[own], entry(status), documents)
        return store.history(own)


def test_a_message_is_sent_followed_and_answered(world: World, served: Api) -> None:
    answer = world.run("iso20022", "send", str(EXAMPLE))
    assert answer.exit_code == 0, answer
    assert [status in answer.stderr for status in ("ACCP", "ACTC", "ACSP", "ACSC")] == [True] * 4
    # As it came, however long its lines, and nothing else beside what the API logs here: it may go to a file.
    assert [line for line in answer.stdout.splitlines() if '"message":"answered"' not in line] == [ANSWER]


def test_the_same_file_again_is_the_same_transaction_and_a_fresh_one_another(
    world: World, served: Api
) -> None:
    first, again = (world.ask("iso20022", "send", str(EXAMPLE)) for _ in range(2))
    fresh = world.ask("iso20022", "send", str(EXAMPLE), "--fresh")
    assert first == again
    assert len({first["transaction_id"], fresh["transaction_id"]}) == len(served.store.heads) == 2
    assert first["outgoing"] == ANSWER


def test_what_is_not_over_in_time_ends_the_command_with_where_it_stands(
    world: World, served: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settling, "history", lambda self, own: served.store.history(own))
    answer = world.run("iso20022", "send", str(EXAMPLE), "--wait", "0", "--json")
    assert (answer.exit_code, answer.json["status"]) == (3, "ACCP")


@pytest.mark.parametrize(
    "words",
    [("/nonexistent.xml",), (str(EXAMPLE), "--client", "nobody"), (str(EXAMPLE), "--suffix", "x y")],
)
def test_what_cannot_be_sent_is_said_in_one_line(world: World, served: Api, words: tuple[str, ...]) -> None:
    answer = world.run("iso20022", "send", *words)
    first, *told = answer.stderr.splitlines()
    assert (answer.exit_code, first, len(told)) == (2, f"to {world.deployment}:", 1)


def test_a_message_the_api_refuses_is_told_with_its_words(world: World, served: Api, tmp_path: Path) -> None:
    empty = tmp_path / "empty.xml"
    empty.write_bytes(b" ")
    answer = world.run("iso20022", "send", str(empty))
    assert answer.exit_code == 1
    assert "400: Bad Request" in answer.stderr
