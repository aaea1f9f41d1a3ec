"""Several writers at one message: whoever meets whom, one status stands and every transfer counts once."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.workflow import OUTGOING, ChildState, Document, Entry, Head, StepName
from tests.component.iso20022.conftest import create_table
from tests.fakes.messages import NOON, begun, entry, finish, processing, transaction_id, transfer, transfers


def cancelled(*codes: str) -> ClientError:
    """A cancelled transaction, with a reason for each item."""
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": ", ".join(codes)},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return ClientError(answer, "TransactWriteItems")


class Table:
    """The real client, with a say before each of its writes and strongly consistent reads."""

    def __init__(self, client: Any, before: Callable[[str], None]) -> None:
        self._client, self._before = client, before

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in ("transact_write_items", "update_item", "put_item", "get_item"):
            return call

        def answering(**request: Any) -> Any:
            self._before(name)
            return call(**request)

        return answering


class OneByOne:
    """The client for threads: each call is whole, as in DynamoDB and not in moto, the calls interleave."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, Lock()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def locked(**request: Any) -> Any:
            with self._lock:
                return call(**request)

        return locked if name in ("transact_write_items", "update_item", "get_item") else call


def messages(client: Any) -> DynamoDbMessages:
    return DynamoDbMessages(client, "iso20022", sleep=lambda _: None)


def state(store: DynamoDbMessages, number: int = 1) -> Head:
    head = store.head(transaction_id(number))
    assert head
    return head


def test_conflicts_are_tried_again_and_are_no_decision(dynamodb: Any) -> None:
    chance, calls = random.Random(1), count()

    def before(name: str) -> None:
        if name == "transact_write_items" and next(calls) and chance.random() < 0.25:
            raise cancelled("None", "TransactionConflict")

    store = messages(Table(dynamodb, before))
    head = processing(messages(dynamodb), children=100)
    counts = [finish(store, head.transaction_id, number, ChildState.POSTED) for number in range(1, 101)]
    assert counts == list(range(99, -1, -1))


def test_items_that_stay_contended_are_no_answer(dynamodb: Any) -> None:
    def before(name: str) -> None:
        if name == "transact_write_items":
            raise cancelled("TransactionConflict", "None")

    head = processing(messages(dynamodb), children=1)
    with pytest.raises(Unavailable, match="message store"):
        finish(messages(Table(dynamodb, before)), head.transaction_id, 1, ChildState.POSTED)
    assert state(messages(dynamodb)).children_open == 1


def test_a_cancellation_for_another_reason_is_not_swallowed(dynamodb: Any) -> None:
    def before(name: str) -> None:
        if name == "transact_write_items":
            raise cancelled("ValidationError", "None")

    head = processing(messages(dynamodb), children=1)
    with pytest.raises(ClientError):
        finish(messages(Table(dynamodb, before)), head.transaction_id, 1, ChildState.POSTED)


def test_a_transfer_finished_before_all_are_counted_is_refused_whichever_item_said_no(dynamodb: Any) -> None:
    store = messages(dynamodb)
    head = processing(store)
    # As after a crash between the first transfers and the count.
    dynamodb.put_item(TableName="iso20022", Item=_item(transfer(head.transaction_id, 1), head))
    with pytest.raises(InvariantBroken):
        finish(store, head.transaction_id, 1, ChildState.POSTED)
    child = store.child(head.transaction_id, 1)
    assert child
    assert child.state is ChildState.OPEN


def _item(child: Any, head: Head) -> Any:
    from postbus.adapters.dynamodb_iso20022_items import of_child

    return of_child(head.transaction_id, child)


def test_adding_transfers_is_resumed_where_it_was_left(dynamodb: Any) -> None:
    head = processing(messages(dynamodb))
    written = count(1)

    def before(name: str) -> None:
        if name == "transact_write_items" and next(written) == 3:
            raise ReadTimeoutError(endpoint_url="dynamodb")

    with pytest.raises(Unavailable):
        messages(Table(dynamodb, before)).add_children(
            head.transaction_id, transfers(head.transaction_id, 210)
        )
    assert state(messages(dynamodb)).children is None
    again = messages(dynamodb).add_children(head.transaction_id, transfers(head.transaction_id, 210))
    assert (again.children, again.children_open) == (210, 210)


def test_two_who_add_other_verdicts_at_once_agree_on_what_is_kept(dynamodb: Any) -> None:
    head = processing(messages(dynamodb))
    other = transfers(head.transaction_id, 210, ChildState.REJECTED)
    meanwhile = iter([lambda: messages(dynamodb).add_children(head.transaction_id, other)])
    written = count(1)

    def before(name: str) -> None:
        if name == "transact_write_items" and next(written) == 2:
            next(meanwhile, lambda: None)()

    store = messages(Table(dynamodb, before))
    standing = store.add_children(head.transaction_id, transfers(head.transaction_id, 210))
    kept = [child.state for child in store.children(head.transaction_id)]
    assert standing.children_open == kept.count(ChildState.OPEN)
    assert standing == state(store)


def test_of_many_threads_with_final_statuses_exactly_one_wins(dynamodb: Any) -> None:
    store = messages(OneByOne(dynamodb))
    head = processing(store)
    wanted = [Status.ACSC, Status.RJCT, Status.PART, Status.CANC] * 2

    def end(number: int) -> Head:
        document = Document(f"outgoing/{number}.xml", f"{number:064}", number)
        return store.append(head, entry(wanted[number], by=str(number)), {OUTGOING: document})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(end, range(8)))
    final = state(store)
    last: Entry = store.history(head.transaction_id)[-1]
    assert {answer.status for answer in answers} == {final.status} == {last.status}
    assert final.documents[OUTGOING].key == f"outgoing/{last.by}.xml"
    assert len(store.history(head.transaction_id)) == head.version + 1
    assert list(store.unfinished()) == []


def test_threads_that_finish_a_hundred_transfers_count_each_once(dynamodb: Any) -> None:
    store = messages(OneByOne(dynamodb))
    head = processing(store, children=100)
    deliveries = [*range(1, 101), *range(1, 101, 3)]
    random.Random(7).shuffle(deliveries)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: finish(store, head.transaction_id, n, ChildState.POSTED), deliveries))
    assert state(store).children_open == 0
    assert 0 in told


@contextmanager
def table() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        create_table(client)
        yield client


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([1, 2, 3]), max_size=6).flatmap(lambda some: st.permutations([*some, 1, 2, 3])),
    st.lists(st.sampled_from(["go on", "another first", "lost answer", "conflict"]), max_size=30),
)
def test_however_deliveries_interleave_release_is_asked_for_and_never_before_the_last(
    deliveries: list[int], happenings: list[str]
) -> None:
    with table() as client:
        plain = messages(client)
        head = processing(plain, children=3)
        waiting, script, released = list(deliveries), iter(happenings), []

        def deliver(number: int) -> None:
            try:
                left = finish(store, head.transaction_id, number, ChildState.POSTED)
            except Unavailable:
                # As the queue does: it comes again.
                waiting.append(number)
                return
            if left == 0:
                released.append({child.state for child in plain.children(head.transaction_id)})

        def before(name: str) -> None:
            match next(script, "go on"):
                case "another first" if waiting:
                    deliver(waiting.pop())
                case "lost answer" if name == "get_item":
                    # The write before it was made; nobody was told.
                    raise ReadTimeoutError(endpoint_url="dynamodb")
                case "conflict" if name == "transact_write_items":
                    raise cancelled("TransactionConflict", "None")

        store = messages(Table(client, before))
        while waiting:
            deliver(waiting.pop(0))
        assert state(plain).children_open == 0
        assert released
        assert all(states == {ChildState.POSTED} for states in released)


def test_a_step_taken_while_it_is_sent_again_stays_taken(dynamodb: Any) -> None:
    plain = messages(dynamodb)
    head = begun(plain)
    plain.step_sent(head, StepName.PROCESS, NOON)
    head = state(plain)
    meanwhile = iter([lambda: plain.step_taken(head.transaction_id, StepName.PROCESS, 1, NOON)])
    store = messages(Table(dynamodb, lambda _: next(meanwhile, lambda: None)()))
    assert store.step_sent(head, StepName.PROCESS, NOON) is None
    assert state(plain).steps[StepName.PROCESS].taken_at == NOON


def test_the_history_is_never_overwritten(dynamodb: Any) -> None:
    store = messages(dynamodb)
    head = begun(store)
    store.append(head, entry(Status.ACTC, by="first"))
    first = dynamodb.scan(TableName="iso20022")["Items"]
    store.append(head, entry(Status.ACTC, by="second"))
    store.append(head, entry(Status.RJCT, by="third"))
    assert dynamodb.scan(TableName="iso20022")["Items"] == first


def test_open_transactions_are_spread_over_all_shards(dynamodb: Any) -> None:
    store = messages(dynamodb)
    for number in range(1, 101):
        begun(store, number)
    shards = {
        item["open_shard"]["N"] for item in dynamodb.scan(TableName="iso20022", IndexName="open")["Items"]
    }
    assert len(shards) == 16


def test_a_list_that_is_never_read_to_its_end_is_begun_elsewhere_each_time(dynamodb: Any) -> None:
    chance = iter([0.0, 0.5, 0.99])
    store = DynamoDbMessages(dynamodb, "iso20022", jitter=lambda: next(chance))
    for number in range(1, 101):
        begun(store, number)
    firsts = [next(store.unfinished()).transaction_id for _ in range(3)]
    assert len(set(firsts)) == 3


def test_every_page_of_overdue_ones_is_read(dynamodb: Any) -> None:
    class Paging:
        """Answers two entries at a time."""

        def __getattr__(self, name: str) -> Any:
            return getattr(dynamodb, name)

        def get_paginator(self, name: str) -> Any:
            paginator = dynamodb.get_paginator(name)

            class Small:
                def paginate(self, **query: Any) -> Any:
                    return paginator.paginate(**query, PaginationConfig={"PageSize": 2})

            return Small()

    store = messages(dynamodb)
    for number in range(1, 101):
        begun(store, number)
    assert len(list(messages(Paging()).overdue(NOON.replace(hour=13)))) == 100
