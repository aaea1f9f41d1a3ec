"""Made-up reference data and card payments, for the demonstration, the mock and the tests.

Everything follows from a source of chance given as an argument: the same seed makes the same payments, with
the same ids.  Only their times depend on a start.
"""

import base64
import hashlib
import hmac
import string
from collections import Counter, defaultdict
from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Protocol, TypeVar

from postbus.domain.card_numbers import passes_luhn
from postbus.domain.errors import Malformed
from postbus.domain.event import parse_time
from postbus.domain.money import Money, exponent

T = TypeVar("T")

HOME_CURRENCY = "EUR"
HOME_COUNTRY = "DE"
DEFAULT_CARDS = 400
MOST_CARDS = 5_000
MOST_PAYMENTS = 10_000
MOST_SECONDS = 840

# Minor units; what the named accounts are funded with, so that transfers between them can be booked.
OPENING_BALANCE = Money(5_000_000, HOME_CURRENCY)


class Chance(Protocol):
    """As much of ``random.Random`` as is used here."""

    def randrange(self, start: int, stop: int) -> int: ...

    def choice(self, seq: Sequence[T]) -> T: ...

    def shuffle(self, x: MutableSequence[Any]) -> None: ...


# -- reference data ----------------------------------------------------------------------------------------


def pan(number: int) -> str:
    """A test card number that passes the Luhn check, computed so that none is written down anywhere."""
    digits = f"400000{number:09d}"
    return next(digits + check for check in string.digits if passes_luhn(digits + check))


def token_of(card_number: str) -> str:
    """The token that stands for a test card number.

    A mock of the bank's token service, with a key that is no secret: good for test card numbers only.
    """
    digest = hmac.new(b"test card numbers only", card_number.encode(), hashlib.sha256).digest()
    return "tok_" + base64.b32encode(digest).decode().lower()[:20]


def iban(country: str, account: str) -> str:
    """The IBAN of a national account number, with its check digits (ISO 13616)."""
    number = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02d}{account}"


def _account(token: str, account_id: str, number: int, **changes: Any) -> dict[str, Any]:
    return {
        "token": token,
        "account_id": account_id,
        "iban": iban(HOME_COUNTRY, f"37040044{number:010d}"),
        "country": HOME_COUNTRY,
        "type": "current",
        "status": "open",
        "currency": HOME_CURRENCY,
        "suspense_account": "suspense-cards",
        "head_office_account": "head-office",
        "position_account": "position-fx",
        "tax_category": "resident",
        **changes,
    }


NAMED_ACCOUNTS: tuple[dict[str, Any], ...] = (
    _account("tok_sample_anna", "current-anna", 1),
    _account("tok_sample_bruno", "current-bruno", 2, other_id="SAMPLE-BRUNO"),
    _account("tok_sample_clara", "savings-clara", 3, type="savings"),
    _account("tok_sample_dana", "current-dana-usd", 4, currency="USD"),
    _account("tok_sample_held", "current-held", 5, holds=["FRAUD_REVIEW"]),
    _account("tok_sample_blocked", "current-blocked", 6, status="blocked"),
    _account("tok_sample_closed", "current-closed", 7, status="closed"),
    # Of banks that send us payments and get ours: the other side of a transfer that leaves the house.
    _account("tok_sample_harbour", "settlement-harbour", 8, type="settlement", agent_bic="HARBDEFF"),
    _account("tok_sample_mill", "settlement-mill", 9, type="settlement", agent_bic="MILLNL2A"),
)

# On no account: what a card of another bank, or a mistyped token, looks like.
UNKNOWN_TOKEN = "tok_sample_nobody"


def accounts(cards: int = DEFAULT_CARDS) -> list[dict[str, Any]]:
    """Items of the accounts table: the named ones, and one current account for each card of the mock."""
    return [
        *NAMED_ACCOUNTS,
        *(_account(token_of(pan(n)), f"current-card-{n:04d}", 1_000 + n) for n in range(cards)),
    ]


@dataclass(frozen=True, slots=True)
class Merchant:
    """Where a card is used."""

    merchant_id: str
    name: str
    merchant_category_code: str
    country: str
    currency: str
    status: str = "active"


HOME_MERCHANTS = (
    Merchant("GROCER-0001", "Corner Grocer", "5411", "DE", "EUR"),
    Merchant("BAKER-0002", "Morning Bakery", "5462", "DE", "EUR"),
    Merchant("FUEL-0003", "Ring Road Fuel", "5541", "DE", "EUR"),
    Merchant("CHEMIST-0004", "Market Chemist", "5912", "DE", "EUR"),
    Merchant("BOOKS-0005", "Canal Books", "5942", "DE", "EUR"),
)
FOREIGN_MERCHANTS = (
    Merchant("DINER-0101", "Harbor Diner", "5812", "US", "USD"),
    Merchant("HOTEL-0102", "Thames Hotel", "7011", "GB", "GBP"),
    Merchant("SHOP-0103", "Lake Outfitters", "5655", "CH", "CHF"),
    Merchant("RAMEN-0104", "Station Ramen", "5812", "JP", "JPY"),
    Merchant("CAFE-0105", "Left Bank Cafe", "5814", "FR", "EUR"),
)
CASH_MACHINE = Merchant("ATM-0201", "Town Hall Cash Machine", "6011", "DE", "EUR")
WARNED_MERCHANT = Merchant("CASINO-0301", "Seaside Casino", "7995", "DE", "EUR", status="watched")

MERCHANTS = (*HOME_MERCHANTS, *FOREIGN_MERCHANTS, CASH_MACHINE, WARNED_MERCHANT)

# Billing units for one transaction unit.
RATES = {
    "USD/EUR": "0.9213",
    "GBP/EUR": "1.1642",
    "CHF/EUR": "1.0475",
    "JPY/EUR": "0.0061",
    "EUR/USD": "1.0854",
}


def merchants() -> list[dict[str, Any]]:
    """Items of the merchants table."""
    return [
        {
            "merchant_id": one.merchant_id,
            "name": one.name,
            "merchant_category_code": one.merchant_category_code,
            "country": one.country,
            "status": one.status,
        }
        for one in MERCHANTS
    ]


def rates() -> list[dict[str, Any]]:
    """Items of the rates table."""
    return [{"pair": pair, "rate": rate} for pair, rate in RATES.items()]


def convert(amount: Money, rate: str, currency: str) -> Money:
    """What a card scheme bills for an amount: amount x rate, rounded half to even once."""
    major = Decimal(amount.minor).scaleb(-exponent(amount.currency)) * Decimal(rate)
    return Money(int(major.scaleb(exponent(currency)).quantize(Decimal(1), ROUND_HALF_EVEN)), currency)


# -- payments ----------------------------------------------------------------------------------------------

# How often each kind occurs unless asked otherwise; the rest are ordinary payments at home.
DEFAULT_RATES = {
    "foreign_rate": 0.2,
    "duplicate_rate": 0.1,
    "invalid_rate": 0.05,
    "declined_rate": 0.05,
    "held_rate": 0.05,
    "rejected_rate": 0.05,
    "warned_rate": 0.05,
    "reversal_rate": 0.0,
}

_KINDS = tuple(name.removesuffix("_rate") for name in DEFAULT_RATES)
# What a duplicate may repeat and a reversal reverse.
_ORIGINALS = ("ordinary", "foreign")

# Each makes a record that cannot enter, for another reason.
FAULTS: tuple[Mapping[str, str | None], ...] = (
    {"transaction_amount": "0"},
    {"transaction_currency": "EURO"},
    {"retrieval_reference_number": None},
    {"transaction_amount": "12.30"},
    {"merchant_category_code": "grocer"},
    {"cashier": "till 4"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What to make.

    Attributes:
        rates: share of each kind, keys of ``DEFAULT_RATES``; counts are rounded down, so they are exact.
        start: transmission time of the first payment.
        rate_per_second: how fast they follow each other; ``None`` for all at once.
        cards: over how many cards ordinary payments are spread.
    """

    count: int
    seed: int
    start: datetime
    rates: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_RATES))
    rate_per_second: float | None = None
    cards: int = DEFAULT_CARDS

    @classmethod
    def from_options(cls, options: Any, now: datetime) -> "Mix":
        """Read ``{"count", "seed", "duplicate_rate", ..., "rate_per_second", "cards", "start"}``.

        Each is optional.

        Args:
            now: the start, and the seed, of a mix that names none.
        Raises:
            Malformed: names the option and what it may be.
        """
        if not isinstance(options, Mapping):
            raise Malformed("", "an object of options, {} for a small sample")
        known = {"count", "seed", "rate_per_second", "cards", "start", *DEFAULT_RATES}
        for name in options:
            if name not in known:
                raise Malformed(str(name)[:64], "no such option; there are " + ", ".join(sorted(known)))
        count = _whole(options, "count", 20, MOST_PAYMENTS)
        per_second = options.get("rate_per_second")
        if per_second is not None and not (_is_number(per_second) and 0 < per_second <= 1_000):
            raise Malformed("rate_per_second", "a number more than 0, at most 1000")
        if per_second is not None and count / per_second > MOST_SECONDS:
            raise Malformed("rate_per_second", f"so many that {count} take at most {MOST_SECONDS} seconds")
        mix = cls(
            count=count,
            seed=_whole(options, "seed", int(now.timestamp() * 1000), 2**53, least=0),
            start=_start(options.get("start"), now),
            rates=_shares(options),
            rate_per_second=per_second,
            cards=_whole(options, "cards", DEFAULT_CARDS, MOST_CARDS),
        )
        originals = mix.number_of("ordinary") + mix.number_of("foreign")
        if mix.number_of("duplicate") and not originals:
            raise Malformed(
                "duplicate_rate", "so low, or count so high, that an ordinary payment comes first"
            )
        if mix.number_of("reversal") > max(0, originals - 1):
            raise Malformed("reversal_rate", "lower than the share of ordinary and foreign payments")
        return mix

    def number_of(self, kind: str) -> int:
        """How many of a kind there are: ``foreign``, ``duplicate``, ..., or ``ordinary`` for the rest."""
        numbers = {kind: int(self.count * self.rates[f"{kind}_rate"] + 1e-9) for kind in _KINDS}
        return numbers[kind] if kind in numbers else self.count - sum(numbers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPayment:
    """One authorisation, as the card scheme would send it.

    Attributes:
        kind: what it is an example of.
        auth: the scheme's id of it.
        card_number: of a test card, for the message; nothing that is stored has it.
        token: of that card, or of one of the named accounts.
        rate: billing units for one transaction unit; ``None`` without conversion.
        of: the earlier payment that a duplicate repeats or a reversal reverses.
        fault: what to change in its record so that it cannot enter.
    """

    kind: str
    auth: str
    message_type: str
    processing_code: str
    card_number: str
    token: str
    amount: Money
    billing: Money
    rate: str | None
    sent_at: datetime
    local_at: datetime
    stan: str
    rrn: str
    merchant: Merchant
    terminal_id: str
    status: str = "APPROVED"
    of: str | None = None
    fault: Mapping[str, str | None] | None = None


def payments(mix: Mix, chance: Chance) -> list[CardPayment]:
    """The mix's payments, in the order they are sent; duplicates and reversals come after their originals.

    Args:
        chance: seeded with ``mix.seed``, nothing drawn from it yet.
    """
    kinds = [kind for kind in ("ordinary", *_KINDS) for _ in range(mix.number_of(kind))]
    reversals = [kinds.pop() for _ in range(kinds.count("reversal"))]
    chance.shuffle(kinds)
    originals = [at for at, kind in enumerate(kinds) if kind in _ORIGINALS]
    if originals:
        kinds[0], kinds[originals[0]] = kinds[originals[0]], kinds[0]
        originals[0] = 0
    # What is reversed has no duplicates, and the first one is never reversed: each outcome stays foreseeable.
    reversed_ones = originals[1:]
    chance.shuffle(reversed_ones)
    reversed_ones = reversed_ones[: len(reversals)]
    cards = list(range(mix.cards))
    chance.shuffle(cards)
    made: list[CardPayment] = []
    unrepeated: list[CardPayment] = []
    repeated: list[CardPayment] = []
    for number, kind in enumerate([*kinds, *reversals[: len(reversed_ones)]]):
        fresh = _fresh(kind, number, mix, chance, pan(cards[number % len(cards)]))
        if kind == "reversal":
            fresh = _reversal(fresh, made[reversed_ones[number - len(kinds)]])
        elif kind == "duplicate":
            if unrepeated:
                repeated.append(unrepeated.pop(chance.randrange(0, len(unrepeated))))
            fresh = _again(fresh, chance.choice(repeated) if not unrepeated else repeated[-1])
        elif kind in _ORIGINALS and number not in reversed_ones:
            unrepeated.append(fresh)
        made.append(fresh)
    return made


def expectation(made: Sequence[CardPayment]) -> dict[str, Any]:
    """What becomes of the payments, for tests and for the reader.

    Returns:
        Counts per final state; of a group of duplicates exactly one is posted, whichever came first, so they
        are listed together.  Reversals, which may overtake their originals, are listed in pairs.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    reversals: list[list[str]] = []
    for one in made:
        if one.kind == "duplicate" and one.of:
            groups[one.of] = groups[one.of] or [_transaction_id(one.of)]
            groups[one.of].append(_transaction_id(one.auth))
        if one.kind == "reversal" and one.of:
            reversals.append([_transaction_id(one.of), _transaction_id(one.auth)])
    kinds = Counter(one.kind for one in made)
    return {
        "posted": kinds["ordinary"] + kinds["foreign"] + kinds["warned"],
        "held": kinds["held"] + kinds["duplicate"],
        "rejected": kinds["rejected"],
        "quarantined": kinds["invalid"],
        "not_entered": kinds["declined"],
        "duplicate_groups": list(groups.values()),
        "reversals": reversals,
    }


def by_kind(made: Sequence[CardPayment]) -> dict[str, list[str]]:
    """Transaction ids of each kind."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in made:
        found[one.kind].append(_transaction_id(one.auth))
    return dict(found)


def transfers(count: int, seed: int, start: datetime, home_region: str) -> list[dict[str, Any]]:
    """Records of the ``credit_transfers`` table, between the named accounts in turn."""
    ways = (("tok_sample_anna", "tok_sample_bruno"), ("tok_sample_bruno", "tok_sample_clara"))
    return [
        {
            "transfer": _identifier(f"transfer|{seed}|{number}"),
            "status": "APPROVED",
            "end_to_end_id": f"INVOICE-{seed}-{number:04d}",
            "debtor_account_token": ways[number % 2][0],
            "creditor_account_token": ways[number % 2][1],
            "instructed_amount": str(1_000 + 10 * number),
            "instructed_currency": HOME_CURRENCY,
            "requested_execution_date_time": start.isoformat(timespec="seconds"),
            "home_region": home_region,
        }
        for number in range(count)
    ]


def _fresh(kind: str, number: int, mix: Mix, chance: Chance, card_number: str) -> CardPayment:
    pause = timedelta(seconds=number / mix.rate_per_second) if mix.rate_per_second else timedelta()
    sent_at = mix.start + pause
    merchant, processing_code, token = chance.choice(HOME_MERCHANTS), "000000", token_of(card_number)
    minor = chance.randrange(150, 12_000)
    fault: Mapping[str, str | None] | None = None
    match kind:
        case "ordinary":
            processing_code = ("000000", "000000", "000000", "010000", "200000")[number % 5]
            if processing_code == "010000":
                merchant, minor = CASH_MACHINE, 1_000 * chance.randrange(2, 20)
        case "foreign":
            merchant = chance.choice(FOREIGN_MERCHANTS)
        case "warned":
            merchant = WARNED_MERCHANT
        case "held":
            token = "tok_sample_held"
        case "rejected":
            token = chance.choice(("tok_sample_blocked", "tok_sample_closed", UNKNOWN_TOKEN))
        case "invalid":
            fault = chance.choice(FAULTS)
    amount = Money(minor, merchant.currency)
    rate = None if merchant.currency == HOME_CURRENCY else RATES[f"{merchant.currency}/{HOME_CURRENCY}"]
    return CardPayment(
        kind=kind,
        auth=_identifier(f"{mix.seed}|{number}"),
        message_type="0100",
        processing_code=processing_code,
        card_number=card_number,
        token=token,
        amount=amount,
        billing=amount if rate is None else convert(amount, rate, HOME_CURRENCY),
        rate=rate,
        sent_at=sent_at,
        local_at=sent_at,
        stan=f"{chance.randrange(0, 1_000_000):06d}",
        rrn=f"R{chance.randrange(0, 10**11):011d}",
        merchant=merchant,
        terminal_id=f"T{chance.randrange(0, 10**7):07d}",
        status="DECLINED" if kind == "declined" else "APPROVED",
        fault=fault,
    )


def _again(fresh: CardPayment, original: CardPayment) -> CardPayment:
    """The same business under a new id."""
    return replace(original, kind="duplicate", auth=fresh.auth, sent_at=fresh.sent_at, of=original.auth)


def _reversal(fresh: CardPayment, original: CardPayment) -> CardPayment:
    return replace(
        original,
        kind="reversal",
        message_type="0400",
        auth=fresh.auth,
        sent_at=fresh.sent_at,
        stan=fresh.stan,
        of=original.auth,
    )


def _identifier(seed: str) -> str:
    """Twelve letters and digits that no one would take for a card number."""
    return "A" + base64.b32encode(hashlib.sha256(seed.encode()).digest()).decode()[:11]


def _transaction_id(auth: str) -> str:
    return f"visa-{auth}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(options: Mapping[str, Any], name: str, default: int, most: int, least: int = 1) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(name, f"a whole number from {least} to {most}")
    return value


def _shares(options: Mapping[str, Any]) -> dict[str, float]:
    """The share of each kind: as asked, and the usual one for the others as far as there is room."""
    asked = {name: options[name] for name in DEFAULT_RATES if name in options}
    for name, share in asked.items():
        if not _is_number(share) or not 0 <= share <= 1:
            raise Malformed(name, "a number from 0 to 1")
    usual = {name: share for name, share in DEFAULT_RATES.items() if name not in asked}
    room = 1 - sum(asked.values())
    if room < -1e-9:
        raise Malformed(next(iter(asked)), "with the other rates at most 1 in all")
    scale = min(1.0, max(0.0, room) / sum(usual.values())) if sum(usual.values()) else 1.0
    return {name: asked.get(name, usual.get(name, 0) * scale) for name in DEFAULT_RATES}


def _start(value: Any, now: datetime) -> datetime:
    return (now if value is None else parse_time(value, "start")).replace(microsecond=0)
