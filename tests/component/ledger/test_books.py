"""The books read from the tables, and the scheduled check over them."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from postbus.adapters.dynamodb_books import LedgerBooks
from postbus.domain.errors import Unavailable
from postbus.domain.ledger_check import Report
from postbus.domain.money import Money
from postbus.domain.transaction import Kind
from postbus.functions.verify_ledger.handler import build
from tests.component.ledger.worlds import TableWorld, earmark, fund, hold, outcomes, post
from tests.fakes.approvals import ALICE, BOB, instruction


@pytest.fixture
def books(tables: TableWorld) -> LedgerBooks:
    return LedgerBooks(tables.client, "ledger", "balances")


def traffic(tables: TableWorld) -> None:
    """Something of everything."""
    fund(tables, ALICE, 100_000)
    tables.ledger.agree_overdraft(BOB.account_id, Money(500, "EUR"))
    earmark(tables, "E1", ALICE, 300)
    tables.ledger.post([instruction(f"A{n}", amount=n + 1) for n in range(30)])
    post(tables, "F1", amount=Money(1100, "USD"), billing=Money(1000, "EUR"))
    post(
        tables, "F2", Kind.REVERSAL, Money(100, "USD"), billing=Money(90, "EUR"), reverses="F1", partial=True
    )
    post(tables, "T1", Kind.TRANSFER, 2500, to=BOB)
    post(tables, "T2", Kind.TRANSFER, 9_999_999, to=BOB)
    post(tables, "R1", Kind.REVERSAL, 5, reverses="A4")
    outcomes(tables, "R2", Kind.REVERSAL, reverses="A99")
    hold(tables, "H1")


def test_books_written_by_the_ledger_add_up(tables: TableWorld, books: LedgerBooks) -> None:
    traffic(tables)
    report = books.verify()
    assert (report.wrong, report.unconfirmed) == ({}, ())
    assert report.postings == 35
    assert all(debits == credits for debits, credits in report.trial.values())


def test_balances_are_told_by_account_over_all_shards(tables: TableWorld, books: LedgerBooks) -> None:
    traffic(tables)
    told = {
        (b.account_id, b.balance.currency): (b.balance.minor, b.available.minor) for b in books.balances()
    }
    assert told["DE-SAV-0002", "EUR"] == (2500, 3000)
    spent = sum(range(1, 31)) + 1000 - 90 + 2500 - 5
    assert told["NL-CUR-0001", "EUR"] == (100_000 - spent, 100_000 - spent - 300)
    assert told["SUSPENSE-EUR", "USD"] == (1000, 1000)
    assert sum(balance for (_, currency), (balance, _) in told.items() if currency == "EUR") == 0


def test_the_entries_of_a_transaction_are_found_and_those_of_an_unposted_one_are_none(
    tables: TableWorld, books: LedgerBooks
) -> None:
    traffic(tables)
    assert [str(entry.amount) for entry in books.entries("visa-F1")] == [
        "10.00 EUR", "10.00 EUR", "11.00 USD", "11.00 USD",
    ]  # fmt: skip
    assert books.entries("visa-H1") == books.entries("visa-nobody") == ()


def test_a_changed_balance_is_found(tables: TableWorld, books: LedgerBooks) -> None:
    traffic(tables)
    tables.client.update_item(
        TableName="balances",
        Key={"balance_key": {"S": "DE-SAV-0002#EUR#000"}},
        UpdateExpression="ADD balance_minor :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    assert list(books.verify().wrong) == ["DE-SAV-0002#EUR#000"]


def test_money_that_stays_set_aside_for_nobody_is_found(tables: TableWorld, books: LedgerBooks) -> None:
    traffic(tables)
    tables.client.delete_item(TableName="ledger", Key={"transaction_id": {"S": "visa-E1"}})
    assert list(books.verify().wrong) == ["NL-CUR-0001#EUR#000"]


def test_a_deleted_posting_is_found(tables: TableWorld, books: LedgerBooks) -> None:
    traffic(tables)
    tables.client.delete_item(TableName="ledger", Key={"transaction_id": {"S": "visa-T1"}})
    assert set(books.verify().wrong) == {"DE-SAV-0002#EUR#000", "NL-CUR-0001#EUR#000"}


def test_a_scan_of_many_pages_is_read_to_its_end(
    tables: TableWorld, books: LedgerBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tables.client.scan

    def small(**request: Any) -> Any:
        return real(**request, Limit=3)

    traffic(tables)
    whole = books.verify()
    monkeypatch.setattr(tables.client, "scan", small)
    assert books.verify() == whole


def test_postings_while_the_books_are_checked_are_nothing_wrong(
    tables: TableWorld, books: LedgerBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic(tables)
    real, left = tables.client.scan, [f"M{n}" for n in range(5)]

    def busy(**request: Any) -> Any:
        if left:
            post(tables, left.pop(), amount=7)
        return real(**request)

    monkeypatch.setattr(tables.client, "scan", busy)
    report = LedgerBooks(tables.client, "ledger", "balances", segments=1).verify()
    assert (report.wrong, report.unconfirmed) == ({}, ())


def test_books_that_cannot_be_read_are_neither_right_nor_wrong(
    tables: TableWorld, books: LedgerBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: Any, **__: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(tables.client, "_make_api_call", silent)
    with pytest.raises(Unavailable):
        books.verify()


def test_the_scheduled_check_publishes_how_much_is_wrong() -> None:
    published: dict[str, float] = {}
    report = Report(3, {"EUR": (1, 1)}, {f"K{n}": "off by one" for n in range(30)}, ("A",))
    answer = build(lambda: report, published.__setitem__)({})
    assert published == {"LedgerImbalance": 30, "LedgerUnconfirmed": 1}
    assert (answer["wrong_count"], len(answer["wrong"])) == (30, 20)


def test_the_scheduled_check_publishes_nothing_it_does_not_know() -> None:
    published: dict[str, float] = {}

    def away() -> Report:
        raise Unavailable("ledger did not answer")

    with pytest.raises(Unavailable):
        build(away, published.__setitem__)({})
    assert published == {}
