"""Funds set aside for a message's transfers: atomically, once, and given back once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from postbus.adapters.dynamodb_ledger import EARMARKS_AT_ONCE, DynamoDbLedger
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.adapters.lambda_checks import LambdaLiquidity
from postbus.adapters.ledger_liquidity import LedgerLiquidity
from postbus.domain.errors import Malformed
from postbus.domain.iso20022.workflow import Reservation
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import Account
from postbus.functions.reserve_liquidity import handler as reserve_liquidity
from postbus.ports_iso20022 import Liquidity
from tests.component.ledger.worlds import TableWorld
from tests.fakes.inbound import InMemoryDirectory
from tests.fakes.iso20022 import InMemoryLiquidity
from tests.fakes.lambdas import InProcess
from tests.fakes.processing import Crash

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ID, OTHER, THIRD = (f"credit_transfers-a-{number:05}" for number in range(1, 4))
NAMES = {"first": ID, "second": OTHER, "third": THIRD}
RESERVED, SHORT, DECIDED = Reservation.RESERVED, Reservation.SHORT, Reservation.DECIDED
RECORD = {
    "token": "tok_a",
    "account_id": "current-a",
    "status": "open",
    "currency": "EUR",
    "type": "current",
    "suspense_account": "suspense",
    "head_office_account": "head-office",
    "position_account": "position",
}
EMPTY = {**RECORD, "token": "tok_b", "account_id": "current-b"}


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def ledger(tables: TableWorld) -> DynamoDbLedger:
    tables.ledger.fund(Account.from_data(RECORD), euros(1_000), "opening-1", NOON)
    return tables.ledger


@pytest.fixture
def in_ledger(ledger: DynamoDbLedger) -> LedgerLiquidity:
    return LedgerLiquidity(ledger, InMemoryDirectory({"tok_a": RECORD, "tok_b": EMPTY}))


@dataclass(frozen=True, slots=True)
class Funds:
    """An account of 1,000 cents, and what decides about a transfer beside it."""

    liquidity: Liquidity
    decide: Callable[[str], None]

    def reserve(self, **amounts: int) -> list[Reservation]:
        """What comes of so many cents for each of the three transfers, in the order they are named."""
        return self.among({NAMES[name]: minor for name, minor in amounts.items()})

    def among(self, amounts: dict[str, int]) -> list[Reservation]:
        found = self.liquidity.reserve("tok_a", {name: euros(minor) for name, minor in amounts.items()})
        assert found.keys() == amounts.keys()
        return [found[name] for name in amounts]


@pytest.fixture(params=["memory", "ledger", "function"])
def funds(request: pytest.FixtureRequest) -> Funds:
    if request.param == "memory":
        memory = InMemoryLiquidity({("tok_a", "EUR"): 1_000})

        def decide(pipeline_id: str) -> None:
            memory.release([pipeline_id])
            memory.decided.add(pipeline_id)

        return Funds(memory, decide)
    liquidity: Liquidity = request.getfixturevalue("in_ledger")
    if request.param == "function":
        liquidity = LambdaLiquidity(InProcess(reserve_liquidity.build(liquidity)), "liquidity")  # type: ignore[arg-type]
    tables: TableWorld = request.getfixturevalue("tables")
    return Funds(liquidity, lambda pipeline_id: voided(tables.outcomes, pipeline_id))


def voided(outcomes: DynamoDbOutcomes, pipeline_id: str) -> None:
    reason = {"code": "CANCELLED", "text": "by the client"}
    outcomes.decide(
        Outcome(
            transaction_id=pipeline_id,
            state=OutcomeState.VOIDED,
            event_type="TransactionVoided",
            content_hash="",
            correlation_id="c",
            causation_id="c",
            decided_at=NOON,
            data={"reason": reason},
        )
    )


def test_funds_are_reserved_once_however_often_it_is_asked(funds: Funds) -> None:
    for _ in range(3):
        assert funds.reserve(first=600) == [RESERVED]
    assert funds.reserve(second=400) == [RESERVED]


def test_two_transfers_cannot_have_the_same_money(funds: Funds) -> None:
    funds.reserve(first=600)
    assert funds.reserve(second=401) == [SHORT]


def test_what_is_reserved_for_a_transfer_is_neither_changed_nor_short_later(funds: Funds) -> None:
    funds.reserve(first=600)
    assert funds.reserve(first=300) == funds.reserve(first=5_000) == [RESERVED]
    assert funds.reserve(second=401) == [SHORT]
    assert funds.reserve(second=400) == [RESERVED]


def test_what_is_reserved_for_a_transfer_is_not_short_on_another_account(funds: Funds) -> None:
    funds.reserve(first=600)
    assert funds.liquidity.reserve("tok_b", {ID: euros(600)}) == {ID: RESERVED}
    assert funds.liquidity.reserve("tok_b", {OTHER: euros(1)}) == {OTHER: SHORT}
    assert funds.reserve(second=400, third=1) == [RESERVED, SHORT]


def test_of_several_transfers_the_first_are_served_and_each_is_answered_by_itself(funds: Funds) -> None:
    for _ in range(2):
        assert funds.reserve(first=600, second=401, third=400) == [RESERVED, SHORT, RESERVED]
    assert funds.among({"credit_transfers-b-00001": 1}) == [SHORT]


def test_beside_those_that_were_reserved_or_decided_before_the_new_ones_are_reserved(funds: Funds) -> None:
    funds.reserve(first=300)
    funds.decide(OTHER)
    assert funds.reserve(first=300, second=600, third=700) == [RESERVED, DECIDED, RESERVED]


def test_what_is_released_can_be_reserved_again_and_only_once(funds: Funds) -> None:
    funds.reserve(first=600, second=400)
    for _ in range(2):
        funds.liquidity.release([ID, OTHER])
    assert funds.reserve(third=1_000) == [RESERVED]
    assert funds.reserve(first=1) == [SHORT]


def test_releasing_what_was_never_reserved_is_no_change(funds: Funds) -> None:
    funds.liquidity.release([ID])
    assert funds.reserve(first=1_000) == [RESERVED]


def test_voiding_lets_the_money_go_once_and_a_late_release_adds_none(funds: Funds) -> None:
    funds.reserve(first=600)
    funds.decide(ID)
    funds.liquidity.release([ID])
    assert funds.reserve(second=1_001) == [SHORT]
    assert funds.reserve(second=1_000) == [RESERVED]


def test_a_transfer_that_was_decided_is_not_short_of_funds(funds: Funds) -> None:
    funds.decide(ID)
    assert funds.reserve(first=5_000) == [DECIDED]


def test_more_than_one_transaction_holds_are_reserved_once_as_far_as_the_money_goes(funds: Funds) -> None:
    many = {f"credit_transfers-m-{number:05}": 4 for number in range(1, 252)}
    for _ in range(2):
        assert funds.among(many) == [RESERVED] * 250 + [SHORT]
    funds.liquidity.release(list(many))
    assert funds.reserve(second=999, third=1) == [RESERVED] * 2


# -- in the ledger -----------------------------------------------------------------------------------------


class Watched:
    """A client that counts its calls, and is killed before the one with this number."""

    def __init__(self, client: Any, killed_before: int = 0) -> None:
        self._client, self._killed_before = client, killed_before
        self.calls = Counter[str]()

    def __getattr__(self, name: str) -> Any:
        def call(**details: Any) -> Any:
            self.calls[name] += 1
            if self.calls.total() == self._killed_before:
                raise Crash
            return getattr(self._client, name)(**details)

        return call


def over(client: Any) -> LedgerLiquidity:
    ledger = DynamoDbLedger(client, "ledger", "balances", sleep=lambda _: None)
    return LedgerLiquidity(ledger, InMemoryDirectory({"tok_a": RECORD}))


def row(tables: TableWorld) -> dict[str, int]:
    """The numbers of the account's balance item."""
    (item,) = [one for one in tables.items("balances") if one["account_id"]["S"] == "current-a"]
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}


def many(count: int) -> dict[str, Money]:
    return {f"credit_transfers-m-{number:05}": euros(1) for number in range(1, count + 1)}


def test_a_thousand_transfers_of_one_account_take_three_calls_and_eleven_transactions() -> None:
    class Accepting:
        def transact_write_items(self, TransactItems: Any) -> None:  # noqa: N803 - the service's own name
            assert len(TransactItems) <= 100

    client = Watched(Accepting())
    function = InProcess(reserve_liquidity.build(over(client)))
    found = LambdaLiquidity(function, "liquidity").reserve("tok_a", many(1_000))  # type: ignore[arg-type]
    assert list(found.values()) == [RESERVED] * 1_000
    assert (function.calls, client.calls) == (3, {"transact_write_items": 11})


def test_a_crash_halfway_through_a_bulk_sets_nothing_aside_twice(
    ledger: DynamoDbLedger, tables: TableWorld
) -> None:
    with pytest.raises(Crash):
        over(Watched(tables.client, killed_before=3)).reserve("tok_a", many(250))
    assert row(tables)["earmarked_minor"] == 2 * EARMARKS_AT_ONCE
    assert set(over(tables.client).reserve("tok_a", many(250)).values()) == {RESERVED}
    assert (row(tables)["earmarked_minor"], row(tables)["available_minor"]) == (250, 750)


@pytest.mark.parametrize("moment", range(1, 6))
def test_a_call_that_is_asked_again_while_it_still_runs_refuses_nothing_it_has_set_aside(
    ledger: DynamoDbLedger, tables: TableWorld, moment: int
) -> None:
    wanted = {"credit_transfers-m-00001": euros(600), "credit_transfers-m-00002": euros(600)}
    first: list[dict[str, Reservation]] = []

    class Overlapped(Watched):
        def __getattr__(self, name: str) -> Any:
            if self.calls.total() == moment - 1 and not first:
                first.append({})
                first[0] = dict(over(tables.client).reserve("tok_a", wanted))
            return super().__getattr__(name)

    again = over(Overlapped(tables.client)).reserve("tok_a", wanted)
    assert again == dict(zip(wanted, [RESERVED, SHORT], strict=True))
    assert row(tables)["earmarked_minor"] == 600
    assert first == [again]


def test_the_balance_keeps_one_number_however_much_is_set_aside_of_it(
    in_ledger: LedgerLiquidity, tables: TableWorld
) -> None:
    # An item takes 400 KB, and each write of it costs its whole size.
    in_ledger.reserve("tok_a", many(1))
    before = row(tables).keys()
    in_ledger.reserve("tok_a", many(100))
    assert row(tables).keys() == before


def test_what_is_released_or_voided_is_off_the_sum_of_what_is_set_aside(
    in_ledger: LedgerLiquidity, tables: TableWorld
) -> None:
    in_ledger.reserve("tok_a", {ID: euros(300), OTHER: euros(200), THIRD: euros(100)})
    for _ in range(2):
        in_ledger.release([ID])
        voided(tables.outcomes, OTHER)
        assert (row(tables)["earmarked_minor"], row(tables)["available_minor"]) == (100, 900)


def test_a_payment_that_takes_the_money_in_between_is_found_before_anything_is_set_aside(
    ledger: DynamoDbLedger, tables: TableWorld
) -> None:
    class Overtaken(Watched):
        def __getattr__(self, name: str) -> Any:
            found = super().__getattr__(name)
            if name == "transact_write_items" and self.calls[name] == 1:
                # After the balance was read, and before what it covers is written.
                ledger.earmark(Account.from_data(RECORD), {"visa-between": euros(500)})
            return found

    liquidity = over(Overtaken(tables.client))
    wanted = {ID: euros(600), OTHER: euros(500), THIRD: euros(500)}
    assert liquidity.reserve("tok_a", wanted) == {ID: SHORT, OTHER: RESERVED, THIRD: SHORT}
    assert (row(tables)["earmarked_minor"], row(tables)["available_minor"]) == (1_000, 0)


def test_an_account_nobody_knows_or_of_another_currency_is_no_lack_of_funds(
    in_ledger: LedgerLiquidity,
) -> None:
    with pytest.raises(Malformed):
        in_ledger.reserve("tok_none", {ID: euros(1)})
    with pytest.raises(Malformed):
        in_ledger.reserve("tok_a", {ID: euros(1), OTHER: Money(1, "USD")})
