"""What only the ledger on DynamoDB can get wrong: its calls, its limits, and what a cancellation means."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from postbus.adapters.dynamodb_books import LedgerBooks
from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.domain.errors import InvariantBroken
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import Account, PostingInstruction
from postbus.domain.transaction import Kind
from postbus.ports import NotNow, Settled
from tests.component.ledger.worlds import (
    TableWorld,
    available,
    balance,
    cancel,
    earmark,
    fund,
    hold,
    outcomes,
    post,
    release,
    trial,
)
from tests.fakes.approvals import ALICE, BOB, NOON, account, instruction

Call = tuple[str, dict[str, Any]]

ALICES = {"balance_key": {"S": "NL-CUR-0001#EUR#000"}}


@contextmanager
def recorded(client: Any) -> Iterator[list[Call]]:
    """The calls a client makes within, by operation."""
    calls: list[Call] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls.append((model.name, params))

    client.meta.events.register("provide-client-params.dynamodb", note)
    try:
        yield calls
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb", note)


def names(calls: list[Call]) -> list[str]:
    return [name for name, _ in calls]


def failing(monkeypatch: pytest.MonkeyPatch, tables: TableWorld, *errors: Exception | None) -> list[int]:
    """Let the next transactions fail so, one after another; ``None`` lets one through."""
    real, plan, tries = tables.client.transact_write_items, list(errors), []

    def transact(**request: Any) -> Any:
        tries.append(len(request["TransactItems"]))
        error = plan.pop(0) if plan else None
        if error is not None:
            raise error
        return real(**request)

    monkeypatch.setattr(tables.client, "transact_write_items", transact)
    return tries


def cancelled(*codes: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": ", ".join(codes)},
            "CancellationReasons": [{"Code": code} for code in codes],
        },
        "TransactWriteItems",
    )


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "TransactWriteItems")


# -- the happy path ----------------------------------------------------------------------------------------


def test_postings_of_different_accounts_are_written_without_a_read_one_transaction_each(
    tables: TableWorld,
) -> None:
    batch = [instruction(f"A{n}", of=_apart(n)) for n in range(10)]
    with recorded(tables.client) as calls:
        tables.ledger.post(batch)
    assert names(calls) == ["TransactWriteItems"] * 10
    assert {len(params["TransactItems"]) for _, params in calls} == {3}


def _apart(n: int) -> Account:
    """An account that shares no internal account with the others."""
    return replace(account(f"NL-CUR-{n:04d}"), suspense_account=f"SUSPENSE-{n}")


def test_postings_of_a_batch_that_share_an_account_are_one_transaction_with_one_balance_update(
    tables: TableWorld,
) -> None:
    with recorded(tables.client) as calls:
        tables.ledger.post([instruction(f"A{n}", amount=n + 1) for n in range(10)])
    ((_, params),) = calls
    keys = [item["Update"]["Key"]["balance_key"]["S"] for item in params["TransactItems"] if "Update" in item]
    assert keys.count("NL-CUR-0001#EUR#000") == 1
    assert max(Counter(keys).values()) == 1
    assert len([key for key in keys if key.startswith("SUSPENSE-EUR#")]) == 1
    assert balance(tables, "NL-CUR-0001") == -55


def test_a_balance_tells_its_account_and_counts_its_changes(tables: TableWorld) -> None:
    tables.ledger.post([instruction("A1"), instruction("A2")])
    tables.ledger.post([instruction("A3")])
    (row,) = [item for item in tables.items("balances") if item["account_id"]["S"] == "NL-CUR-0001"]
    assert row == {
        "balance_key": {"S": "NL-CUR-0001#EUR#000"}, "account_id": {"S": "NL-CUR-0001"},
        "currency": {"S": "EUR"}, "shard": {"N": "0"}, "balance_minor": {"N": "-3000"},
        "available_minor": {"N": "-3000"}, "version": {"N": "2"},
    }  # fmt: skip


def test_an_internal_account_is_spread_and_a_customers_is_not(tables: TableWorld) -> None:
    for n in range(200):
        tables.ledger.post([instruction(f"A{n}")])
    rows = Counter(item["account_id"]["S"] for item in tables.items("balances"))
    assert rows["NL-CUR-0001"] == 1
    assert rows["SUSPENSE-EUR"] > 40


def test_the_number_of_shards_may_grow_between_a_posting_and_its_reversal(tables: TableWorld) -> None:
    few, many = (DynamoDbLedger(tables.client, "ledger", "balances", shards) for shards in (64, 512))
    few.post([instruction(f"A{n}") for n in range(20)])
    many.post([instruction(f"R{n}", Kind.REVERSAL, reverses=f"A{n}") for n in range(20)])
    assert (balance(tables, "NL-CUR-0001"), balance(tables, "SUSPENSE-EUR")) == (0, 0)
    assert trial(tables) == {"EUR": 0}


def test_a_posted_item_needs_no_attention_and_keeps_no_context(tables: TableWorld) -> None:
    hold(tables, "A1")
    assert {"attention", "context"} <= tables.item("A1").keys()
    released = instruction("A1")
    tables.outcomes.decide(_released(released))
    post(tables, "A1")
    assert not {"attention", "context"} & tables.item("A1").keys()
    assert tables.item("A1")["home_region"] == {"S": "eu-west-1"}


def _released(approved: PostingInstruction) -> Any:
    content = approved.transaction.content_hash
    data = dict(approved.cause.data)
    return Outcome.of(
        approved.cause, OutcomeState.RELEASED, "TransactionPostingApproved", content, NOON, data, data
    )


def size(item: dict[str, Any]) -> int:
    """Bytes DynamoDB counts for an item of texts and numbers."""
    return sum(
        len(name.encode()) + (len(value["S"].encode()) if "S" in value else (len(value["N"]) + 1) // 2 + 2)
        for name, value in item.items()
    )


@pytest.mark.parametrize("converted", [False, True], ids=["at-home", "four-entries"])
def test_a_posting_item_is_written_for_one_unit(tables: TableWorld, converted: bool) -> None:
    """A unit is a kilobyte; twice that would double the price of the largest part of a posting."""
    customer = account("NL91ABNA0417164300")
    amount = Money(1_234_567_89, "USD" if converted else "EUR")
    billing = Money(1_123_456_78, "EUR") if converted else amount
    auth = "2026031411595900000123456"
    replay = "postbus-20260314T115959"
    post(tables, auth, amount=amount, billing=billing, of=customer, replay=replay)
    reverses = {"reverses": auth, "replay": replay}
    post(tables, f"{auth}R", Kind.REVERSAL, amount, billing=billing, of=customer, **reverses)
    assert size(tables.item(auth)) < 1024
    assert size(tables.item(f"{auth}R")) < 1024


# -- limits ------------------------------------------------------------------------------------------------


def test_a_debtor_with_more_transfers_than_a_transaction_holds_is_posted_in_full(tables: TableWorld) -> None:
    fund(tables, ALICE, 1_000_000)
    creditors = [account(f"DE-SAV-{n:04d}") for n in range(250)]
    batch = [instruction(f"A{n}", Kind.TRANSFER, 100, to=to) for n, to in enumerate(creditors)]
    with recorded(tables.client) as calls:
        answers = tables.ledger.post(batch)
    assert all(isinstance(a, Settled) and a.outcomes[0].state is OutcomeState.POSTED for a in answers)
    assert balance(tables, "NL-CUR-0001") == 1_000_000 - 25_000
    assert all(len(params["TransactItems"]) <= 100 for _, params in calls)
    assert len(calls) == 6


def test_of_many_transfers_exactly_those_beyond_the_money_are_refused(tables: TableWorld) -> None:
    fund(tables, ALICE, 3_050)
    creditors = [account(f"DE-SAV-{n:04d}") for n in range(45)]
    batch = [instruction(f"A{n}", Kind.TRANSFER, 100, to=to) for n, to in enumerate(creditors)]
    answers = tables.ledger.post(batch)
    states = [a.outcomes[0].state for a in answers if isinstance(a, Settled)]
    assert states == [OutcomeState.POSTED] * 30 + [OutcomeState.VOIDED] * 15
    assert balance(tables, "NL-CUR-0001") == 50


# -- cancellations and errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_contention_is_tried_again_and_is_no_decision(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    tries = failing(monkeypatch, tables, *[cancelled("None", code, "None")] * 3)
    assert post(tables, "A1").state is OutcomeState.POSTED
    assert len(tries) == 4
    assert balance(tables, "NL-CUR-0001") == -1000


def test_between_tries_it_waits_longer_each_time_and_never_in_step(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    chances = iter([0.0, 0.9, 0.5])
    ledger = DynamoDbLedger(
        tables.client, "ledger", "balances", sleep=waits.append, jitter=lambda: next(chances)
    )
    failing(monkeypatch, tables, *[cancelled("TransactionConflict")] * 3)
    ledger.post([instruction("A1")])
    assert waits == pytest.approx([0.0125, 0.07, 0.1])


def contended(
    monkeypatch: pytest.MonkeyPatch, tables: TableWorld, *names: str, times: int = 999
) -> list[list[str]]:
    """Let others write to the items whose key has one of these names in it; the items of each try, by key."""
    real, tries = tables.client.transact_write_items, []

    def transact(**request: Any) -> Any:
        keys = [
            item["Put"]["Item"]["transaction_id"]["S"]
            if "Put" in item
            else next(iter(item["Update"]["Key"].values()))["S"]
            for item in request["TransactItems"]
        ]
        tries.append(keys)
        codes = ["TransactionConflict" if any(name in key for name in names) else "None" for key in keys]
        if len(tries) <= times and "TransactionConflict" in codes:
            raise cancelled(*codes)
        return real(**request)

    monkeypatch.setattr(tables.client, "transact_write_items", transact)
    return tries


def _customers(count: int) -> list[PostingInstruction]:
    """Purchases of different customers, which share an internal account."""
    return [instruction(f"A{n}", of=account(f"NL-CUR-{n:04d}")) for n in range(count)]


@pytest.mark.parametrize("item", ["NL-CUR-0003", "visa-A3"], ids=["balance", "outcome"])
def test_one_contended_customer_does_not_hold_back_the_others_of_the_batch(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch, item: str
) -> None:
    batch = _customers(10)
    tries = contended(monkeypatch, tables, item)
    answers = tables.ledger.post(batch)
    assert [n for n, answer in enumerate(answers) if isinstance(answer, NotNow)] == [3]
    assert all(isinstance(answer, Settled) for n, answer in enumerate(answers) if n != 3)
    # Three times together, once the nine others together, and as often as ever the one.
    assert [len(keys) for keys in tries] == [21] * 3 + [19] + [3] * 7
    monkeypatch.undo()
    assert all(isinstance(answer, Settled) for answer in tables.ledger.post(batch))
    assert trial(tables) == {"EUR": 0}
    assert balance(tables, "SUSPENSE-EUR") == 10_000


def test_contended_customers_are_booked_apart_as_soon_as_they_are_free(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    contended(monkeypatch, tables, "NL-CUR-0003", "NL-CUR-0007", times=5)
    assert all(isinstance(answer, Settled) for answer in tables.ledger.post(_customers(10)))
    assert trial(tables) == {"EUR": 0}


@pytest.mark.parametrize("times", [2, 7])
def test_a_contended_internal_account_is_waited_for_and_the_batch_stays_together(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    tries = contended(monkeypatch, tables, "SUSPENSE-EUR", times=times)
    assert all(isinstance(answer, Settled) for answer in tables.ledger.post(_customers(10)))
    assert [len(keys) for keys in tries] == [21] * (times + 1)


def test_an_internal_account_that_stays_contended_defers_all_of_them(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = contended(monkeypatch, tables, "SUSPENSE-EUR")
    assert all(isinstance(answer, NotNow) for answer in tables.ledger.post(_customers(10)))
    assert len(tries) == 10
    assert tables.items("ledger") == []


def test_a_conflict_that_does_not_tell_its_items_is_anybodys(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = failing(monkeypatch, tables, *[cancelled()] * 99)
    assert all(isinstance(answer, NotNow) for answer in tables.ledger.post(_customers(3)))
    assert len(tries) == 10


def test_ten_customers_that_stay_contended_are_not_waited_for_in_turn(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    ledger = DynamoDbLedger(tables.client, "ledger", "balances", sleep=waits.append, jitter=lambda: 0.999)
    contended(monkeypatch, tables, "NL-CUR")
    answers = ledger.post([instruction(f"A{n}", of=_apart(n)) for n in range(10)])
    assert all(isinstance(answer, NotNow) for answer in answers)
    assert sum(waits) < 10


def test_a_reversal_does_not_overtake_its_original_that_waits(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = {"reverses": "A3", "partial": True, "of": account("NL-CUR-0003")}
    batch = [*_customers(5), instruction("R3", Kind.REVERSAL, 400, **partial)]
    contended(monkeypatch, tables, "NL-CUR-0003")
    answers = tables.ledger.post(batch)
    assert [n for n, answer in enumerate(answers) if isinstance(answer, NotNow)] == [3, 5]
    monkeypatch.undo()
    tables.ledger.post(batch)
    assert balance(tables, "NL-CUR-0003") == -600


def test_a_lookup_that_meets_contention_defers_its_own_instruction_only(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.ledger.post(_customers(4))
    reversals = [
        instruction(f"R{n}", Kind.REVERSAL, reverses=f"A{n}", of=account(f"NL-CUR-{n:04d}")) for n in range(4)
    ]
    contended(monkeypatch, tables, "NL-CUR-0001")
    answers = tables.ledger.post(reversals)
    assert [isinstance(answer, Settled) for answer in answers] == [True, False, True, True]


def test_contention_that_lasts_defers_each_and_only_the_first_is_waited_for_long(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [instruction(f"A{n}", of=_apart(n)) for n in range(3)]
    tries = failing(monkeypatch, tables, None, *[cancelled("TransactionConflict")] * 99)
    first, *rest = tables.ledger.post(batch)
    assert isinstance(first, Settled)
    assert all(isinstance(answer, NotNow) for answer in rest)
    assert len(tries) == 1 + 7 + 3
    monkeypatch.undo()
    tables.ledger.post(batch)
    assert trial(tables) == {"EUR": 0}
    assert sum(1 for item in tables.items("ledger")) == 3


@pytest.mark.parametrize(
    "error",
    [EndpointConnectionError(endpoint_url="https://dynamodb"), refused("ThrottlingException"),
     refused("InternalServerError"), refused("TransactionInProgressException")],
    ids=["connection", "throttling", "internal", "in-progress"],
)  # fmt: skip
def test_a_table_that_does_not_answer_is_not_now(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tries = failing(monkeypatch, tables, *[error] * 9)
    batch = [instruction(f"A{n}", of=_apart(n)) for n in range(3)]
    assert all(isinstance(answer, NotNow) for answer in tables.ledger.post(batch))
    assert len(tries) == 1


@pytest.mark.parametrize(
    "error",
    [refused("AccessDeniedException"), refused("ValidationException"), cancelled("ValidationError", "None"),
     cancelled("ItemCollectionSizeLimitExceeded"), cancelled("SomethingNew", "TransactionConflict")],
    ids=["denied", "invalid", "item-invalid", "collection", "unknown"],
)  # fmt: skip
def test_an_error_that_says_nothing_of_the_payment_is_raised_and_voids_nothing(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing(monkeypatch, tables, error)
    with pytest.raises(ClientError):
        tables.ledger.post([instruction("A1")])
    assert tables.items("ledger") == []


def test_an_answer_lost_after_the_commit_is_found_by_the_redelivery(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tables.client.transact_write_items

    def lost(**request: Any) -> Any:
        real(**request)
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(tables.client, "transact_write_items", lost)
    assert isinstance(tables.ledger.post([instruction("A1")])[0], NotNow)
    monkeypatch.undo()
    assert post(tables, "A1").state is OutcomeState.POSTED
    assert balance(tables, "NL-CUR-0001") == -1000


def test_money_that_comes_while_the_balance_is_looked_at_is_enough(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    fund(tables, ALICE, 100)
    _meanwhile(monkeypatch, tables, "get_item", "balances", lambda: post(tables, "A2", Kind.REFUND, 500))
    assert post(tables, "A1", Kind.TRANSFER, 300, to=BOB).state is OutcomeState.POSTED


def test_a_hold_that_comes_while_the_balance_is_looked_at_is_not_refused_over(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = {"kind": Kind.TRANSFER, "amount": 300, "to": BOB}
    _meanwhile(monkeypatch, tables, "get_item", "balances", lambda: hold(tables, "A1", **transfer))
    assert post(tables, "A1", **transfer).state is OutcomeState.HELD


def _meanwhile(
    monkeypatch: pytest.MonkeyPatch, tables: TableWorld, call: str, table: str, act: Callable[[], object]
) -> None:
    """Let something else happen just before the first such call on a table."""
    real, left = getattr(tables.client, call), [act]

    def wrapped(**request: Any) -> Any:
        if request["TableName"] == table and left:
            left.pop()()
        return real(**request)

    monkeypatch.setattr(tables.client, call, wrapped)


def test_an_original_posted_while_its_reversal_is_decided_is_reversed_not_voided(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = tables.client.transact_write_items, ["A1"]

    def transact(**request: Any) -> Any:
        if left:
            post(tables, left.pop())
        return real(**request)

    monkeypatch.setattr(tables.client, "transact_write_items", transact)
    (own,) = outcomes(tables, "R1", Kind.REVERSAL, reverses="A1")
    assert own.state is OutcomeState.POSTED
    assert balance(tables, "NL-CUR-0001") == 0


@pytest.mark.parametrize("released", [False, True])
def test_of_two_reversals_at_once_the_second_is_a_further_one_and_never_exceeds(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch, released: bool
) -> None:
    post(tables, "A1", amount=1000)
    real, left = tables.client.transact_write_items, ["R2"]
    partial = {"kind": Kind.REVERSAL, "amount": 600, "reverses": "A1", "partial": True}
    if released:
        hold(tables, "R1", **partial)
        release(tables, "R1", **partial)

    def transact(**request: Any) -> Any:
        if left:
            post(tables, left.pop(), **partial)
        return real(**request)

    monkeypatch.setattr(tables.client, "transact_write_items", transact)
    second = post(tables, "R1", **partial).data
    code = second["reason"]["code"] if released else second["findings"][0]["code"]
    assert code == ("REVERSAL_EXCEEDS_ORIGINAL" if released else "FURTHER_REVERSAL")
    assert balance(tables, "NL-CUR-0001") == -400
    assert tables.item("A1")["reversed_minor"] == {"N": "600"}


def test_a_hold_that_comes_first_wins_and_nothing_is_booked(
    tables: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = tables.client.transact_write_items, ["A1"]

    def transact(**request: Any) -> Any:
        if left:
            hold(tables, left.pop())
        return real(**request)

    monkeypatch.setattr(tables.client, "transact_write_items", transact)
    assert post(tables, "A1").state is OutcomeState.HELD
    assert tables.items("balances") == []


def test_the_decided_ones_of_a_group_do_not_hold_the_others_back(tables: TableWorld) -> None:
    for auth in ("A1", "A3"):
        hold(tables, auth)
    answers = tables.ledger.post([instruction(f"A{n}") for n in range(5)])
    states = [answer.outcomes[0].state.value for answer in answers if isinstance(answer, Settled)]
    assert states == ["POSTED", "HELD", "POSTED", "HELD", "POSTED"]
    assert balance(tables, "NL-CUR-0001") == -3000


def test_earmarks_of_a_reversal_and_its_original_go_together(tables: TableWorld) -> None:
    fund(tables, ALICE, 1000)
    for auth in ("A1", "R1"):
        assert earmark(tables, auth, ALICE, 300)
    outcomes(tables, "R1", Kind.REVERSAL, reverses="A1")
    assert available(tables, ALICE) == 1000
    (row,) = [item for item in tables.items("balances") if item["account_id"]["S"] == "NL-CUR-0001"]
    assert row["earmarked_minor"]["N"] == "0"


ENDS: dict[str, Callable[[TableWorld], object]] = {
    "given back": lambda world: world.ledger.free("visa-A1"),
    "posted": lambda world: post(world, "A1", Kind.TRANSFER, 300, to=BOB),
    "voided": lambda world: cancel(world, "A1"),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_earmark_that_has_become_another_accounts_in_between_is_let_go_there(
    tables: TableWorld, end: str
) -> None:
    class Overtaken:
        has_read = is_done = False

        def __getattr__(self, name: str) -> Any:
            if name == "transact_write_items" and self.has_read and not self.is_done:
                self.is_done = True
                tables.ledger.free("visa-A1")
                assert earmark(tables, "A1", BOB, 300)
            self.has_read |= name == "get_item"
            return getattr(tables.client, name)

    fund(tables, ALICE, 1000)
    fund(tables, BOB, 1000)
    for auth, minor in (("A1", 300), ("A2", 600)):
        assert earmark(tables, auth, ALICE, minor)
    client: Any = Overtaken()
    ledger = DynamoDbLedger(client, "ledger", "balances", sleep=lambda _: None)
    ENDS[end](TableWorld(ledger, DynamoDbOutcomes(client, "ledger"), client))
    assert client.is_done
    assert LedgerBooks(tables.client, "ledger", "balances").verify().wrong == {}
    moved = 300 if end == "posted" else 0
    assert (available(tables, ALICE), available(tables, BOB)) == (400 - moved, 1000 + moved)


def test_an_account_of_thousands_of_earmarks_is_booked_on_as_any(tables: TableWorld) -> None:
    fund(tables, ALICE, 10_000)
    assert earmark(tables, "A0", ALICE, 1)
    keep_as_the_ledger_does(tables, range(1, 2_000))
    row = tables.client.get_item(TableName="balances", Key=ALICES)["Item"]
    # 400 KB is the most, and what a write costs goes by the kilobyte.
    assert len(str(row)) < 1_000
    assert [earmark(tables, auth, ALICE, 4_001) for auth in ("A0", "B1", "B2")] == [True, True, False]
    assert post(tables, "C1", Kind.PURCHASE, 4_000).state is OutcomeState.POSTED
    assert post(tables, "A7", Kind.TRANSFER, 1, to=BOB).state is OutcomeState.POSTED
    cancel(tables, "A8")
    tables.ledger.free("visa-A9")
    assert (balance(tables, "NL-CUR-0001"), available(tables, ALICE)) == (5_999, 1)
    assert LedgerBooks(tables.client, "ledger", "balances").verify().wrong == {}


def keep_as_the_ledger_does(tables: TableWorld, numbers: range) -> None:
    """Further earmarks like the one of A0, without the time a simulated transaction takes."""
    first = tables.item("A0")
    for start in range(0, len(numbers), 25):
        items = [{**first, "transaction_id": {"S": f"visa-A{n}"}} for n in numbers[start : start + 25]]
        tables.client.batch_write_item(
            RequestItems={"ledger": [{"PutRequest": {"Item": item}} for item in items]}
        )
    tables.client.update_item(
        TableName="balances",
        Key=ALICES,
        UpdateExpression="ADD available_minor :less, earmarked_minor :more",
        ExpressionAttributeValues={
            ":less": {"N": str(-len(numbers))}, ":more": {"N": str(len(numbers))},
        },
    )  # fmt: skip


def test_the_stored_announcement_is_the_first_word_for_word(tables: TableWorld) -> None:
    foreign = {"amount": Money(1100, "USD"), "billing": Money(1000, "EUR")}
    first, again = (post(tables, "A1", **foreign).announcement().to_json() for _ in range(2))
    assert first == again


def test_the_id_of_one_funding_is_not_taken_for_another(tables: TableWorld) -> None:
    tables.ledger.fund(ALICE, Money(1, "EUR"), "funding-x", NOON)
    with pytest.raises(InvariantBroken, match="funding-x"):
        tables.ledger.fund(ALICE, Money(2, "EUR"), "funding-x", NOON)
