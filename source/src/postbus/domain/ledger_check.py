"""Whether the books are right, told while they are being written.

A scan takes time, and postings go on meanwhile.  So the balances are read before and after it: an item
whose version did not change had no posting in between, and its balance must equal the sum of its entries.
What moved is looked at again, and what seems wrong must be found exactly so twice, since a scan may see one
item of a transaction before another.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from postbus.domain.money import Money
from postbus.domain.posting import Direction, Entry, balance_key, imbalance
from postbus.domain.settlement import Earmark

_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Posting:
    """A posting as it is stored.

    Attributes:
        reverses: the transaction it reverses, if it is a reversal.
        reversed_minor, reversed_billing_minor: what reversals have taken back of it, as counted on it.
    """

    transaction_id: str
    entries: tuple[Entry, ...]
    amount: Money
    billing: Money
    reverses: str | None = None
    reversed_minor: int = 0
    reversed_billing_minor: int = 0


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance item as it is stored; amounts in minor units.

    Attributes:
        earmarks_minor: what it says is set aside in all.
        version: grows with every change.
    """

    account_id: str
    currency: str
    shard: int
    balance_minor: int
    available_minor: int
    overdraft_minor: int
    earmarks_minor: int
    version: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of the books found.

    Attributes:
        postings: how many there are.
        trial: debits and credits of all postings in minor units, by currency.
        wrong: what is not as it must be, by where it is; empty when the books are right.
        unconfirmed: balance items that never stood still long enough, and faults seen only once.
    """

    postings: int
    trial: Mapping[str, tuple[int, int]]
    wrong: Mapping[str, str]
    unconfirmed: tuple[str, ...]


Balances = Mapping[str, Balance]


@dataclass(slots=True)
class _Sums:
    """Everything one pass over the postings adds up to."""

    postings: int = 0
    by_key: Counter[str] = field(default_factory=Counter)
    earmarked: Counter[str] = field(default_factory=Counter)
    debits: Counter[str] = field(default_factory=Counter)
    credits: Counter[str] = field(default_factory=Counter)
    uneven: dict[str, str] = field(default_factory=dict)
    taken_back: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    limits: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, posting: Posting | Earmark) -> None:
        if isinstance(posting, Earmark):
            self.earmarked[balance_key(posting.account_id, posting.amount.currency)] += posting.amount.minor
            return
        self.postings += 1
        for entry in posting.entries:
            self.by_key[entry.balance_key] += entry.signed_minor
            side = self.debits if entry.direction is Direction.DEBIT else self.credits
            side[entry.amount.currency] += entry.amount.minor
        if uneven := imbalance(posting.entries):
            self.uneven[posting.transaction_id] = f"its entries do not sum to zero: {uneven}"
        if posting.reverses is not None:
            taken_back = self.taken_back[posting.reverses]
            taken_back[0] += posting.amount.minor
            taken_back[1] += posting.billing.minor
        if posting.reversed_minor or posting.reversed_billing_minor:
            counted = (posting.reversed_minor, posting.reversed_billing_minor)
            self.counted[posting.transaction_id] = counted
            self.limits[posting.transaction_id] = (posting.amount.minor, posting.billing.minor)

    def faults(self) -> dict[str, str]:
        """What is wrong within the postings themselves."""
        faults = dict(self.uneven)
        for transaction_id in self.taken_back.keys() | self.counted.keys():
            taken_back = tuple(self.taken_back[transaction_id])
            counted = self.counted.get(transaction_id, (0, 0))
            if taken_back != counted:
                faults[transaction_id] = f"reversals take back {taken_back}, {counted} are counted on it"
            elif any(part > whole for part, whole in zip(counted, self.limits[transaction_id], strict=True)):
                faults[transaction_id] = f"reversals take back {counted} of {self.limits[transaction_id]}"
        return faults


def check(
    balances: Callable[[], Balances],
    postings: Callable[[], Iterable[Posting | Earmark]],
    rounds: int = _ROUNDS,
) -> Report:
    """Compare every balance with its entries, and debits with credits.

    Args:
        balances: reads all balance items by key, each as it is when it is read.
        postings: reads all postings that were committed before the call, and perhaps some later ones; and
            likewise what is set aside.
        rounds: how often the books are gone through at most; once is enough when nothing moves.
    """
    pending: set[str] | None = None  # keys yet to be confirmed; None: all
    suspected: dict[str, str] = {}
    wrong: dict[str, str] = {}
    sums = _Sums()
    for _ in range(rounds):
        before = balances()
        sums = _Sums()
        for posting in postings():
            sums.add(posting)
        after = balances()

        faults = sums.faults()
        moved = set()
        for key in before.keys() | after.keys() | sums.by_key.keys() | sums.earmarked.keys():
            if before.get(key) != after.get(key):
                moved.add(key)
            elif fault := _fault(after.get(key), sums.by_key[key], sums.earmarked[key]):
                faults[key] = fault
        wrong |= {place: fault for place, fault in faults.items() if suspected.get(place) == fault}
        suspected = {place: fault for place, fault in faults.items() if place not in wrong}
        pending = (moved if pending is None else pending & moved) - wrong.keys()
        if not pending and not suspected:
            break
    unconfirmed = tuple(sorted((pending or set()) | suspected.keys()))
    currencies = sorted(sums.debits.keys() | sums.credits.keys())
    trial = {currency: (sums.debits[currency], sums.credits[currency]) for currency in currencies}
    return Report(sums.postings, trial, wrong, unconfirmed)


def _fault(balance: Balance | None, sum_minor: int, earmarked_minor: int) -> str | None:
    """What is wrong with a balance item that stood still while its entries and earmarks were added up."""
    if balance is None:
        if not sum_minor and not earmarked_minor:
            return None
        return f"its entries sum to {sum_minor}, its earmarks to {earmarked_minor}, and it has no balance"
    if balance.balance_minor != sum_minor:
        return f"balance {balance.balance_minor} at version {balance.version}, its entries sum to {sum_minor}"
    if balance.earmarks_minor != earmarked_minor:
        told = f"{balance.earmarks_minor} set aside at version {balance.version}"
        return f"{told}, its earmarks sum to {earmarked_minor}"
    available = balance.balance_minor + balance.overdraft_minor - balance.earmarks_minor
    if balance.available_minor != available:
        return f"available {balance.available_minor} at version {balance.version}, should be {available}"
    return None
