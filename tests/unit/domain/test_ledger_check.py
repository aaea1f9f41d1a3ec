"""The check of the books: it finds what is wrong, and takes nothing for wrong that is only moving."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from postbus.domain.ledger_check import Balance, Posting, Report, check
from postbus.domain.money import Money
from postbus.domain.posting import Direction, Entry
from postbus.domain.settlement import Earmark

EUR = "EUR"


def posting(name: str, minor: int = 1000, debtor: str = "A", creditor: str = "B") -> Posting:
    money = Money(minor, EUR)
    return Posting(
        name, (Entry(debtor, Direction.DEBIT, money), Entry(creditor, Direction.CREDIT, money)), money, money
    )


@dataclass
class Books:
    """Books that write themselves, and let something happen at each read."""

    stored: dict[str, Posting] = field(default_factory=dict)
    earmarks: list[Earmark] = field(default_factory=list)
    balances: dict[str, Balance] = field(default_factory=dict)
    at_scan: list[Callable[[], None]] = field(default_factory=list)
    scans: int = 0

    def post(self, posting: Posting) -> None:
        self.stored[posting.transaction_id] = posting
        for entry in posting.entries:
            self.move(entry.account_id, entry.signed_minor)

    def move(self, account: str, minor: int, available: int | None = None) -> None:
        key = f"{account}#EUR#000"
        old = self.balances.get(key, Balance(account, EUR, 0, 0, 0, 0, 0, 0))
        self.balances[key] = replace(
            old,
            balance_minor=old.balance_minor + minor,
            available_minor=old.available_minor + (minor if available is None else available),
            version=old.version + 1,
        )

    def read_balances(self) -> Mapping[str, Balance]:
        return dict(self.balances)

    def read_postings(self) -> Iterable[Posting | Earmark]:
        self.scans += 1
        if self.at_scan:
            self.at_scan.pop(0)()
        return [*self.stored.values(), *self.earmarks]

    def check(self) -> Report:
        return check(self.read_balances, self.read_postings)


@pytest.fixture
def books() -> Books:
    books = Books()
    for n in range(3):
        books.post(posting(f"T{n}"))
    return books


def test_right_books_at_rest_are_gone_through_once(books: Books) -> None:
    report = books.check()
    assert (report.wrong, report.unconfirmed, report.postings, books.scans) == ({}, (), 3, 1)
    assert report.trial == {"EUR": (3000, 3000)}


def test_empty_books_are_right() -> None:
    assert Books().check() == Report(0, {}, {}, ())


def test_a_balance_that_is_not_the_sum_of_its_entries_is_wrong(books: Books) -> None:
    books.move("A", 1)
    assert "entries sum to -3000" in books.check().wrong["A#EUR#000"]


def test_a_posting_without_its_balance_is_wrong(books: Books) -> None:
    del books.balances["B#EUR#000"]
    assert list(books.check().wrong) == ["B#EUR#000"]


def test_a_balance_without_postings_is_wrong(books: Books) -> None:
    books.move("C", 5)
    assert list(books.check().wrong) == ["C#EUR#000"]


def test_what_is_available_must_be_balance_and_overdraft_less_earmarks(books: Books) -> None:
    books.move("A", 0, available=-600)
    assert list(books.check().wrong) == ["A#EUR#000"]
    key = "A#EUR#000"
    books.balances[key] = replace(books.balances[key], earmarks_minor=800, overdraft_minor=200)
    books.earmarks += [Earmark("A", Money(300, EUR)), Earmark("A", Money(500, EUR))]
    assert books.check().wrong == {}


@pytest.mark.parametrize("lost", [True, False])
def test_what_a_balance_says_is_set_aside_must_be_the_sum_of_the_earmarks(books: Books, lost: bool) -> None:
    key = "A#EUR#000"
    said = 800 if lost else 0
    books.move("A", 0, available=-said)
    books.balances[key] = replace(books.balances[key], earmarks_minor=said)
    books.earmarks += [Earmark("A", Money(300, EUR))]
    assert list(books.check().wrong) == [key]
    books.earmarks += [Earmark("C", Money(1, EUR))]
    assert books.check().wrong.keys() == {key, "C#EUR#000"}


def test_a_posting_whose_entries_do_not_sum_to_zero_is_wrong(books: Books) -> None:
    whole = posting("T9")
    books.post(replace(whole, entries=whole.entries[:1]))
    report = books.check()
    assert list(report.wrong) == ["T9"]
    assert report.trial == {"EUR": (4000, 3000)}


def test_money_taken_back_beyond_the_original_is_wrong(books: Books) -> None:
    books.post(replace(posting("R1", 700, "B", "A"), reverses="T1"))
    books.post(replace(posting("R2", 700, "B", "A"), reverses="T1"))
    books.stored["T1"] = replace(books.stored["T1"], reversed_minor=1400, reversed_billing_minor=1400)
    assert list(books.check().wrong) == ["T1"]


def test_a_reversal_that_its_original_does_not_count_is_wrong(books: Books) -> None:
    books.post(replace(posting("R1", 700, "B", "A"), reverses="T1"))
    assert list(books.check().wrong) == ["T1"]
    books.stored["T1"] = replace(books.stored["T1"], reversed_minor=700, reversed_billing_minor=700)
    assert books.check().wrong == {}


def test_an_account_that_moves_while_the_books_are_read_is_read_again(books: Books) -> None:
    books.at_scan = [lambda: books.post(posting("late"))]
    report = books.check()
    assert (report.wrong, report.unconfirmed, report.postings) == ({}, (), 4)
    assert books.scans == 2


def test_a_fault_of_an_account_that_moves_is_found_once_it_stands_still(books: Books) -> None:
    books.move("A", 1)
    books.at_scan = [lambda: books.post(posting("late")), lambda: books.post(posting("later"))]
    assert list(books.check().wrong) == ["A#EUR#000"]


def test_an_account_that_never_stands_still_is_unconfirmed_and_not_wrong(books: Books) -> None:
    books.move("A", 1)
    books.at_scan = [lambda n=n: books.post(posting(f"busy-{n}")) for n in range(9)]  # type: ignore[misc]
    report = books.check()
    assert report.wrong == {}
    assert report.unconfirmed == ("A#EUR#000", "B#EUR#000")


def test_others_are_confirmed_while_one_account_never_stands_still(books: Books) -> None:
    books.post(posting("T8", debtor="C", creditor="D"))
    books.move("C", 1)
    books.at_scan = [lambda n=n: books.post(posting(f"busy-{n}")) for n in range(9)]  # type: ignore[misc]
    assert list(books.check().wrong) == ["C#EUR#000"]


def test_a_fault_seen_once_is_not_yet_one(books: Books) -> None:
    """A scan may see a transaction's balance before its posting."""
    hidden = books.stored.pop("T1")
    books.at_scan = [lambda: None, lambda: books.stored.update({"T1": hidden})]
    report = books.check()
    assert (report.wrong, report.unconfirmed) == ({}, ())
