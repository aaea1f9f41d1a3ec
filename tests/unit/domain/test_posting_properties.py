"""Laws of posting, whatever the order, however often, and wherever it crashes.

They run on the ledger in memory; its suite and a comparison in ``tests/component/ledger`` hold the one on
DynamoDB to the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.event import Event
from postbus.domain.ledger_check import Balance, Posting, Report, check
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import PostingInstruction
from postbus.domain.steps import Emit
from postbus.domain.transaction import Kind
from postbus.functions.post.handler import build
from tests.fakes.approvals import ALICE, BOB, CAROL, NOON, approval
from tests.fakes.ledger import Books, InMemoryLedger, InMemoryOutcomes, entries_of, trial_balance

minors = st.integers(min_value=1, max_value=10_000)


@st.composite
def payments(draw: st.DrawFn, name: int) -> Event:
    """An approval of any kind but a reversal."""
    kind = draw(st.sampled_from([Kind.PURCHASE, Kind.ATM_WITHDRAWAL, Kind.REFUND, Kind.TRANSFER]))
    of = draw(st.sampled_from([ALICE, BOB]))
    billing = Money(draw(minors), "EUR")
    amount = draw(st.just(billing) | st.builds(Money, minors, st.just("USD")))
    to = None
    if kind is Kind.TRANSFER:
        to = CAROL if amount.currency == "USD" else BOB if of is ALICE else ALICE
    return approval(f"P{name}", kind, amount, billing, of=of, to=to)


def reversal_of(event: Event, number: int = 0) -> Event:
    """The full reversal of a payment, by an id of its own."""
    asked = PostingInstruction.from_event(event, NOON)
    auth = asked.transaction.transaction_id.removeprefix("visa-")
    amounts = asked.transaction.amount, asked.transaction.billing
    return approval(f"R{number}-{auth}", Kind.REVERSAL, *amounts, of=asked.account, reverses=auth)


@dataclass(frozen=True)
class Story:
    """Approvals, and their deliveries: batches in some order, each approval at least once.

    Attributes:
        crashed: the batches whose results never reached the bus; all is delivered once more at the end.
    """

    approvals: list[Event]
    deliveries: list[list[Event]]
    crashed: list[bool]


@st.composite
def stories(draw: st.DrawFn, reversals: bool = True) -> Story:
    approvals = [draw(payments(n)) for n in range(draw(st.integers(min_value=1, max_value=6)))]
    if reversals:
        approvals += [reversal_of(event) for event in approvals if draw(st.booleans())]
    order = draw(st.permutations(approvals + draw(st.lists(st.sampled_from(approvals), max_size=6))))
    deliveries, rest = [], list(order)
    while rest:
        size = draw(st.integers(min_value=1, max_value=4))
        deliveries.append(rest[:size])
        rest = rest[size:]
    crashed = draw(st.lists(st.booleans(), min_size=len(deliveries), max_size=len(deliveries)))
    return Story(approvals, deliveries, crashed)


def rich() -> Books:
    """Books in which nobody lacks money."""
    books = Books()
    for holder in (ALICE, BOB, CAROL):
        opening = Money(10**9, holder.currency)
        InMemoryLedger(books).fund(holder, opening, f"funding-{holder.account_id}", NOON)
    return books


def tell(books: Books, story: Story) -> list[Event]:
    """Live through the story; what the bus was given."""
    post = build(InMemoryLedger(books), lambda: NOON, retry_hours=72)
    told: list[Event] = []
    for batch, crashed in zip([*story.deliveries, story.approvals], [*story.crashed, False], strict=True):
        results = post(batch)
        if not crashed:
            told += [event for result in results if isinstance(result, Emit) for event in result.events]
    return told


def by_account(books: Books) -> Counter[tuple[str, ...]]:
    sums: Counter[tuple[str, ...]] = Counter()
    for key, minor in books.balances.items():
        sums[tuple(key.split("#")[:2])] += minor
    return Counter({account: minor for account, minor in sums.items() if minor})


@given(stories())
def test_debits_equal_credits_and_every_balance_is_the_sum_of_its_entries(story: Story) -> None:
    books = rich()
    tell(books, story)
    assert set(trial_balance(books).values()) == {0}
    assert verified(books).wrong == {}


def verified(books: Books) -> Report:
    balances = {
        key: Balance(key.split("#")[0], key.split("#")[1], 0, minor, books.available[key], 0, 0, 1)
        for key, minor in books.balances.items()
    }
    postings = [
        Posting(
            transaction_id,
            entries,
            Money.from_data(stored.outcome.data["amount"]),
            Money.from_data(stored.outcome.data["billing"]),
            stored.outcome.data.get("original_transaction_id"),
            stored.reversed_minor,
            stored.reversed_billing_minor,
        )
        for transaction_id, entries in entries_of(books).items()
        if (stored := books.stored[transaction_id]).outcome
    ]
    return check(lambda: balances, lambda: postings)


@given(stories(reversals=False))
def test_what_is_posted_is_what_was_authorised_each_exactly_once(story: Story) -> None:
    books = rich()
    tell(books, story)
    posted = entries_of(books)
    for event in story.approvals:
        asked = PostingInstruction.from_event(event, NOON)
        entries = posted[event.transaction_id]
        assert (entries[0].account_id, entries[0].amount) == (
            asked.account.account_id,
            asked.transaction.billing,
        )
        assert entries[-1].amount == asked.transaction.amount
    expected = len(story.approvals) + 3
    assert len(posted) == expected


@given(stories())
def test_any_order_and_any_number_of_deliveries_end_in_the_same_balances(story: Story) -> None:
    told, once = rich(), rich()
    tell(told, story)
    tell(once, Story(story.approvals, [], []))
    assert by_account(told) == by_account(once)


@given(stories())
def test_an_event_told_again_is_told_in_the_same_words_and_nothing_is_left_untold(story: Story) -> None:
    books = rich()
    words: dict[str, str] = {}
    for event in tell(books, story):
        assert words.setdefault(event.event_id, event.to_json()) == event.to_json()
    for stored in books.stored.values():
        assert stored.outcome is not None
        if stored.outcome.data.get("source") != "funding":
            assert stored.outcome.announcement().event_id in words


@given(stories())
def test_a_second_delivery_of_everything_leaves_the_books_as_they_are(story: Story) -> None:
    books = rich()
    tell(books, story)
    before = (dict(books.stored), dict(books.balances), dict(books.available))
    tell(books, Story([replace(event, replay="july") for event in story.approvals], [], []))
    assert (books.stored, books.balances, books.available) == before


@given(st.data())
def test_partial_reversals_never_take_back_more_than_was_posted(data: st.DataObject) -> None:
    books = rich()
    original = approval("P0", amount=Money(1000, "USD"), billing=Money(900, "EUR"))
    post = build(InMemoryLedger(books), lambda: NOON, retry_hours=72)
    post([original])
    for n in range(data.draw(st.integers(min_value=1, max_value=8))):
        amount = Money(data.draw(st.integers(min_value=1, max_value=700)), "USD")
        billing = Money(data.draw(st.integers(min_value=1, max_value=700)), "EUR")
        post([approval(f"R{n}", Kind.REVERSAL, amount, billing, reverses="P0", partial=True)] * 2)
    assert 0 <= by_account(books)["SUSPENSE-EUR", "USD"] <= 1000
    assert 10**9 - 900 <= by_account(books)["NL-CUR-0001", "EUR"] <= 10**9
    assert verified(books).wrong == {}


@given(
    st.lists(st.tuples(st.sampled_from(["hold", "release", "refuse", "post", "reverse"]), st.integers(0, 2)))
)
def test_holds_commands_reversals_and_postings_in_any_order_decide_each_payment_once(
    acts: Sequence[tuple[str, int]],
) -> None:
    books = rich()
    outcomes, ledger = InMemoryOutcomes(books), InMemoryLedger(books)
    approvals = [approval(f"P{n}", amount=100 * (n + 1)) for n in range(3)]
    allowed = {
        None: {None, *OutcomeState} - {OutcomeState.RELEASED},
        OutcomeState.HELD: {OutcomeState.HELD, OutcomeState.RELEASED, OutcomeState.VOIDED},
        OutcomeState.RELEASED: {OutcomeState.RELEASED, OutcomeState.POSTED, OutcomeState.VOIDED},
        OutcomeState.POSTED: {OutcomeState.POSTED},
        OutcomeState.VOIDED: {OutcomeState.VOIDED},
    }
    for act, n in acts:
        event = approvals[n]
        before = books.read(event.transaction_id).state
        match act:
            case "post":
                ledger.post([PostingInstruction.from_event(event, NOON)])
            case "reverse":
                ledger.post([PostingInstruction.from_event(reversal_of(event), NOON)])
            case "hold":
                outcomes.decide(decision(event, OutcomeState.HELD, "TransactionHeld"))
            case "release" if before is not None:
                outcomes.decide(decision(event, OutcomeState.RELEASED, "TransactionPostingApproved"))
            case "refuse":
                outcomes.decide(decision(event, OutcomeState.VOIDED, "TransactionVoided"))
        assert books.read(event.transaction_id).state in allowed[before]
    for event in approvals:
        state = books.read(event.transaction_id).state
        assert (event.transaction_id in entries_of(books)) is (state is OutcomeState.POSTED)
    assert verified(books).wrong == {}


def decision(event: Event, state: OutcomeState, event_type: str) -> Outcome:
    asked = PostingInstruction.from_event(event, NOON)
    return Outcome.of(event, state, event_type, asked.transaction.content_hash, NOON, dict(event.data))


@given(
    st.integers(min_value=0, max_value=500),
    st.lists(st.tuples(minors, st.booleans()), min_size=1, max_size=8),
)
def test_transfers_never_take_what_is_not_there(opening: int, wanted: Sequence[tuple[int, bool]]) -> None:
    books = Books()
    ledger = InMemoryLedger(books)
    if opening:
        ledger.fund(ALICE, Money(opening, "EUR"), "funding-x", NOON)
    for n, (minor, earmarked) in enumerate(wanted):
        if earmarked:
            ledger.earmark(ALICE, {f"visa-T{n}": Money(minor % 300 + 1, "EUR")})
        asked = approval(f"T{n}", Kind.TRANSFER, minor % 300 + 1, to=BOB)
        ledger.post([PostingInstruction.from_event(asked, NOON)])
        assert books.available.get("NL-CUR-0001#EUR#000", 0) >= 0
        assert books.available.get("NL-CUR-0001#EUR#000", 0) == by_account(books)["NL-CUR-0001", "EUR"]
