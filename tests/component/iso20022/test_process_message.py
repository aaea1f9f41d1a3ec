"""Receiving and processing a message, whatever fails in between."""

import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postbus.adapters.iso20022_schemas import installed
from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.iso20022.checks import NeedsDecision, Refused
from postbus.domain.iso20022.decisions import MOST_CANCELLATIONS, is_allowed
from postbus.domain.iso20022.mandates import Mandate
from postbus.domain.iso20022.messages import MessageType, Reason, Status
from postbus.domain.iso20022.notices import Notice
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import (
    CANCELLATION_ANSWER,
    OUTGOING,
    ChildState,
    Decision,
    DecisionKind,
    Document,
    Entry,
    FoundAccount,
    Head,
    Next,
    Reservation,
    StepCall,
    StepName,
    Took,
    answer_to,
    pipeline_transaction_id,
)
from postbus.domain.money import Money
from postbus.domain.steps import Defer
from postbus.functions.decide_message import handler as decide_message
from postbus.functions.release_message import handler as release_message
from postbus.runtime.cases import Cases
from tests.fakes.endings import Bus
from tests.fakes.iso20022 import InMemoryNotices
from tests.fakes.ledger import Books, InMemoryOutcomes
from tests.fakes.messages import CLIENT, NOON, begun, finish
from tests.fakes.processing import (
    CREDITOR_BIC,
    DEBTOR,
    OTHER_DEBTOR,
    Crash,
    World,
    bic,
    camt_056,
    iban,
    pacs_004,
    pacs_008,
    pacs_028,
    transfer,
)

SANCTIONS_HIT = NeedsDecision(Reason("RR04"))
RECEIVE, PROCESS, RELEASE = StepName.RECEIVE, StepName.PROCESS, StepName.RELEASE


@pytest.fixture
def world() -> World:
    return World()


def codes(world: World, transaction_id: str) -> list[tuple[ChildState, list[str]]]:
    """State and reason codes of each transfer."""
    return [
        (child.state, [reason.code for reason in child.reasons])
        for child in world.messages.children(transaction_id)
    ]


def refused(world: World, body: bytes) -> list[str]:
    """The codes that a message of one transfer is refused with."""
    head = world.through(body)
    assert world.run(PROCESS, head.transaction_id) == Next(RELEASE)
    assert world.transfers.records == {}
    ((state, found),) = codes(world, head.transaction_id)
    assert state is ChildState.REJECTED
    return found


# -- receive ---------------------------------------------------------------------------------------------


def test_a_message_is_received_with_what_it_says_it_is(world: World) -> None:
    transaction_id = world.hand_in(pacs_008(transfer(1)))
    assert world.run(RECEIVE, transaction_id) == Next(PROCESS)
    head = world.head(transaction_id)
    assert (head.status, str(head.message_type), head.message_id) == (Status.ACTC, "pacs.008.001.08", "M-1")
    assert head.deadline == NOON + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"garbage", "FF01"),
        (b"", "FF01"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Document>&b;</Document>', "FF01"),
        (pacs_008(transfer(1)).decode().encode("utf-16"), "FF01"),
        (b"<Document xmlns='urn:example'/>", "AG03"),
        (b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08'/>", "AG03"),
    ],
)
def test_what_is_no_message_is_kept_and_refused_by_the_release(world: World, body: bytes, code: str) -> None:
    transaction_id = world.hand_in(body)
    assert world.run(RECEIVE, transaction_id) == Next(RELEASE)
    head = world.head(transaction_id)
    assert (head.status, [reason.code for reason in head.reasons]) == (Status.ACTC, [code])
    # Processing it all the same leads to the same end.
    assert world.run(PROCESS, transaction_id) == Next(RELEASE)


def test_receiving_again_sends_the_next_step_again_and_only_while_it_is_the_next(world: World) -> None:
    transaction_id = world.hand_in(pacs_008(transfer(1)))
    assert world.run(RECEIVE, transaction_id) == world.run(RECEIVE, transaction_id) == Next(PROCESS)
    world.run(PROCESS, transaction_id)
    assert world.run(RECEIVE, transaction_id) == Took()
    assert world.statuses(transaction_id) == [Status.ACCP, Status.ACTC, Status.ACSP]


def test_a_message_that_is_not_what_was_stored_goes_no_further(world: World) -> None:
    transaction_id = world.hand_in(pacs_008(transfer(1)))
    world.documents.bodies["incoming/1.xml"] = pacs_008(transfer(1, amount="99.00"))
    with pytest.raises(InvariantBroken):
        world.run(RECEIVE, transaction_id)
    assert world.head(transaction_id).status is Status.ACCP


def test_a_message_that_was_withdrawn_before_it_was_received_stays_withdrawn(world: World) -> None:
    transaction_id = world.hand_in(pacs_008(transfer(1)))
    world.messages.append(world.head(transaction_id), Entry(status=Status.CANC, at=NOON, by="client"))
    assert world.run(RECEIVE, transaction_id) == Took()


# -- what passes -----------------------------------------------------------------------------------------


def test_an_accepted_transfer_is_written_once_with_its_funds_set_aside(world: World) -> None:
    head = world.through(pacs_008(transfer(1)))
    assert (head.status, head.children_open) == (Status.ACSP, 1)
    (record,) = world.transfers.records.values()
    assert record["debtor_account_token"] == "acct-debtor"
    assert record["creditor_account_token"] == "acct-mill"
    assert (record["instructed_amount"], record["end_to_end_id"]) == ("1000", "E-1")
    assert set(world.liquidity.reserved) == {f"credit_transfers-{record['transfer']}"}


def test_of_a_bulk_the_bad_are_refused_and_the_rest_goes_on(world: World) -> None:
    world.accounts.accounts[iban(OTHER_DEBTOR)] = (FoundAccount("acct-other", "EUR", "closed"),)
    bulk = pacs_008(
        transfer(1), transfer(2, debtor=OTHER_DEBTOR), transfer(3, amount="0.00"), transfer(4, amount="1.001")
    )
    head = world.through(bulk)
    assert (head.status, head.children, head.children_open) == (Status.ACSP, 4, 1)
    found = codes(world, head.transaction_id)
    assert found[0] == (ChildState.OPEN, [])
    assert [reasons for _, reasons in found[1:]] == [["AC04"], ["AM01"], ["CH20"]]
    assert len(world.transfers.records) == 1


def test_a_thousand_transfers_are_checked_in_one_go_each(world: World) -> None:
    head = world.through(pacs_008(*(transfer(number, "0.01") for number in range(1, 1001))))
    assert (head.status, head.children_open) == (Status.ACSP, 1000)
    assert len(world.transfers.records) == world.transfers.writes == 1000
    # Told before and after: the checks three calls, the funds of the one account another.
    assert world.moments < 2 * 50


# -- what does not ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "known", "code"),
    [
        (pacs_008(transfer(1)), {iban(DEBTOR): ()}, "RC03"),
        (pacs_008(transfer(1)), {bic(CREDITOR_BIC): ()}, "RC04"),
        (pacs_008(transfer(1)), {iban(DEBTOR): (FoundAccount("a", "EUR", "closed"),)}, "AC04"),
        (pacs_008(transfer(1)), {iban(DEBTOR): (FoundAccount("a", "EUR", "blocked"),)}, "AC06"),
        (pacs_008(transfer(1)), {iban(DEBTOR): (FoundAccount("a", "EUR", "odd"),)}, "AC06"),
        (pacs_008(transfer(1)), {iban(DEBTOR): (FoundAccount("a", "USD", "open"),)}, "AM03"),
        (pacs_008(transfer(1)), {iban(DEBTOR): (FoundAccount("acct-mill", "EUR", "open"),)}, "AC03"),
        (pacs_008(transfer(1, amount="10000.01")), {}, "AM04"),
        (pacs_008(transfer(1), count=2), {}, "AM18"),
    ],
)
def test_a_transfer_is_refused_for_its_accounts_its_funds_or_its_message(
    world: World, body: bytes, known: dict[Any, Any], code: str
) -> None:
    world.accounts.accounts.update(known)
    assert refused(world, body) == [code]


def test_an_unknown_account_with_ourselves_is_no_unknown_agent(world: World) -> None:
    world.terms = replace(world.terms, own_agents=frozenset({"HARBDEFF"}))
    world.accounts.accounts[iban(DEBTOR)] = ()
    # Our own BIC is not somebody we have a settlement account for.
    world.accounts.accounts[bic("HARBDEFF")] = (FoundAccount("acct-odd", "EUR", "open"),)
    assert refused(world, pacs_008(transfer(1))) == ["AC02"]


@pytest.mark.parametrize(
    ("mandate", "code"),
    [
        (Mandate(), "AG01"),
        (Mandate(debtor_accounts=frozenset({OTHER_DEBTOR})), "AG01"),
        # Who may debit an agent's settlement account may not debit all that the message says it keeps.
        (Mandate(agents=frozenset({"*"})), "AG01"),
        (Mandate(agents=frozenset({"HARBDEFF"})), "AG01"),
        (Mandate(debtor_accounts=frozenset({DEBTOR})), None),
        (Mandate(debtor_accounts=frozenset({"*"})), None),
    ],
)
def test_no_client_has_anothers_account_debited(world: World, mandate: Mandate, code: str | None) -> None:
    world.mandates = {CLIENT: mandate}
    world.accounts.accounts[bic("HARBDEFF")] = (FoundAccount("acct-harbour", "EUR", "open"),)
    if code is None:
        assert world.through(pacs_008(transfer(1))).status is Status.ACSP
    else:
        assert refused(world, pacs_008(transfer(1))) == [code]


def test_a_client_nobody_listed_may_have_nothing_debited(world: World) -> None:
    world.mandates = {}
    assert refused(world, pacs_008(transfer(1))) == ["AG01"]


@pytest.mark.parametrize(
    ("agents", "code"), [({"HARBDEFFXXX"}, None), ({"HARBDEFF"}, None), ({"MILLNL2A"}, "AG01"), ((), "AG01")]
)
def test_an_agent_is_spoken_for_by_those_it_is_listed_with(
    world: World, agents: set[str], code: str | None
) -> None:
    world.mandates = {CLIENT: Mandate(frozenset(agents))}
    world.accounts.accounts[iban(DEBTOR)] = ()
    world.accounts.accounts[bic("HARBDEFF")] = (FoundAccount("acct-debtor", "EUR", "open"),)
    if code is None:
        assert world.through(pacs_008(transfer(1))).status is Status.ACSP
    else:
        assert refused(world, pacs_008(transfer(1))) == [code]


@pytest.mark.parametrize(
    "known", [(), (FoundAccount("a", "EUR", "closed"),), (FoundAccount("a", "USD", "open"),)]
)
def test_an_account_that_is_not_the_clients_tells_it_nothing(world: World, known: Any) -> None:
    world.mandates = {}
    world.accounts.accounts[iban(DEBTOR)] = known
    assert refused(world, pacs_008(transfer(1))) == ["AG01"]


def test_funds_go_to_the_first_transfers_of_an_account(world: World) -> None:
    world.liquidity.available["acct-debtor", "EUR"] = 2_500
    head = world.through(pacs_008(transfer(1), transfer(2), transfer(3), transfer(4, "5.00")))
    assert [state for state, _ in codes(world, head.transaction_id)] == [
        ChildState.OPEN, ChildState.OPEN, ChildState.REJECTED, ChildState.OPEN,
    ]  # fmt: skip
    assert head.status is Status.ACSP


def test_a_message_that_was_here_before_is_a_duplicate_and_what_was_refused_is_not(world: World) -> None:
    world.through(pacs_008(transfer(1, amount="10000.01", debtor=OTHER_DEBTOR), message_id="M-0", count=9))
    assert world.through(pacs_008(transfer(1)), 2).status is Status.ACSP
    again = world.through(pacs_008(transfer(1)), 3)
    assert codes(world, again.transaction_id) == [(ChildState.REJECTED, ["DU01"])]
    another = world.through(pacs_008(transfer(1), transfer(2), message_id="M-2"), 4)
    (_, first), (second, _) = codes(world, another.transaction_id)
    assert set(first) == {"DU03", "DU04", "DU05"}
    # The UETR is held by another of the same number only: E-1 and T-1 are the first's.
    assert second is ChildState.OPEN
    assert len(world.transfers.records) == 2


def test_a_document_that_its_schema_refuses_is_refused_whole(world: World) -> None:
    schemas = installed()
    if schemas.of(MessageType.of("pacs.008.001.08")) is None:
        pytest.skip("needs the schema pacs.008.001.08.xsd: build the packages")
    world.schemas = schemas
    head = world.through(pacs_008(re.sub("<ChrgBr>.*?</ChrgBr>", "", transfer(1))))
    assert (head.status, head.children) == (Status.ACTC, None)
    assert [reason.code for reason in head.reasons] == ["CH21"]
    assert world.run(PROCESS, head.transaction_id) == Next(RELEASE)


def test_a_version_without_an_installed_schema_passes_nothing_unchecked(world: World) -> None:
    world.schemas = type(installed())(lambda _: None)
    head = world.through(pacs_008(transfer(1)))
    assert [reason.code for reason in head.reasons] == ["AG03"]
    assert world.transfers.records == {}


# -- checks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", ["identity", "screening", "fraud", "liquidity", "accounts"])
def test_a_check_that_does_not_answer_passes_nothing(world: World, check: str) -> None:
    getattr(world, check).away = True
    transaction_id = world.hand_in(pacs_008(transfer(1)))
    world.run(RECEIVE, transaction_id)
    with pytest.raises(Unavailable):
        world.run(PROCESS, transaction_id)
    assert (world.head(transaction_id).status, world.transfers.records) == (Status.ACTC, {})
    getattr(world, check).away = False
    world.run(PROCESS, transaction_id)
    assert world.head(transaction_id).status is Status.ACSP


def test_what_one_check_refuses_the_next_is_not_asked_about(world: World) -> None:
    world.identity.answers[1] = Refused(Reason("AG01"))
    head = world.through(pacs_008(transfer(1), transfer(2)))
    assert codes(world, head.transaction_id)[0] == (ChildState.REJECTED, ["AG01"])
    assert [request.number for request in world.screening.asked] == [2]


def test_a_sanctions_hit_holds_the_whole_message_and_nothing_of_it_is_sent_on(world: World) -> None:
    world.screening.answers[2] = SANCTIONS_HIT
    head = world.through(pacs_008(transfer(1), transfer(2)))
    assert (head.status, head.reasons) == (Status.PDNG, (Reason("RR04"),))
    assert (world.transfers.records, world.liquidity.reserved) == ({}, {})
    assert world.run(PROCESS, head.transaction_id) == Took()
    assert world.head(head.transaction_id).status is Status.PDNG


def decided(world: World, transaction_id: str, kind: DecisionKind, verdict: str | None) -> None:
    decision = Decision(key=f"{kind}.1", kind=kind, by="operator", at=NOON, verdict=verdict)
    world.messages.decide(transaction_id, decision)


def test_an_operators_clearance_lets_it_go_on_without_another_screening(world: World) -> None:
    world.screening.answers[1] = SANCTIONS_HIT
    head = world.through(pacs_008(transfer(1), transfer(2)))
    asked = len(world.screening.asked)
    decided(world, head.transaction_id, DecisionKind.CLEARANCE, "carried_out")
    assert world.run(PROCESS, head.transaction_id) == Took()
    assert world.statuses(head.transaction_id)[-2:] == [Status.PDNG, Status.ACSP]
    assert (len(world.transfers.records), len(world.screening.asked)) == (2, asked)


@pytest.mark.parametrize("verdict", [None, "refused", "too_late"])
@pytest.mark.parametrize("kind", list(DecisionKind))
def test_no_decision_but_one_that_stands_lets_a_hit_pass(
    world: World, kind: DecisionKind, verdict: str | None
) -> None:
    world.screening.answers[1] = SANCTIONS_HIT
    head = world.through(pacs_008(transfer(1)))
    decided(world, head.transaction_id, kind, verdict)
    assert world.run(PROCESS, head.transaction_id) == Took()
    assert (world.head(head.transaction_id).status, world.transfers.records) == (Status.PDNG, {})


# -- crashes and races -----------------------------------------------------------------------------------

BULK = pacs_008(
    transfer(1), transfer(2, debtor=OTHER_DEBTOR), transfer(3, amount="9990.01"), transfer(4, amount="0.00")
)


def end_state(world: World, transaction_id: str) -> Any:
    head = world.head(transaction_id)
    return (
        world.statuses(transaction_id),
        head.reasons,
        (head.children, head.children_open),
        tuple(world.messages.children(transaction_id)),
        world.transfers.records,
        world.liquidity.reserved,
        world.liquidity.available,
        {key: claim.transaction_id for key, claim in world.claims.claims.items()},
    )


def crashing_at(moment: int) -> Any:
    def at_call(now: int) -> None:
        if now == moment:
            raise Crash

    return at_call


def until_done(world: World, transaction_id: str) -> None:
    """Deliver each step until it comes through, as its queue does."""
    for step in (RECEIVE, PROCESS):
        for _ in range(5):
            try:
                world.run(step, transaction_id)
                break
            except Crash:
                continue
        else:
            pytest.fail(f"{step} never comes through")


@pytest.mark.parametrize("held", [False, True])
def test_a_crash_before_or_after_any_call_changes_nothing_of_the_end(held: bool) -> None:
    def told(moment: int) -> tuple[int, Any]:
        world = World(at_call=crashing_at(moment))
        if held:
            world.screening.answers[2] = SANCTIONS_HIT
        transaction_id = world.hand_in(BULK)
        until_done(world, transaction_id)
        if held:
            assert world.transfers.records == {}
            decided(world, transaction_id, DecisionKind.CLEARANCE, "carried_out")
            until_done(world, transaction_id)
        assert world.transfers.writes == len(world.transfers.records) == 2
        return world.moments, end_state(world, transaction_id)

    moments, undisturbed = told(0)
    assert moments > 30
    for moment in range(1, moments + 1):
        assert told(moment)[1] == undisturbed, moment


@settings(deadline=None, max_examples=60)
@given(
    crashes=st.lists(st.integers(1, 40), max_size=5), repeats=st.lists(st.sampled_from([RECEIVE, PROCESS]))
)
def test_any_crashes_and_redeliveries_end_in_the_same_state(
    crashes: list[int], repeats: list[StepName]
) -> None:
    plain = World()
    expected = end_state(plain, plain.through(BULK).transaction_id)

    world = World()
    waiting = list(crashes)

    def at_call(now: int) -> None:
        if waiting and now >= waiting[0] + began[0]:
            waiting.pop(0)
            began[0] = now
            raise Crash

    began = [0]
    world.at_call = at_call
    transaction_id = world.hand_in(BULK)
    for step in [RECEIVE, PROCESS, *repeats, RECEIVE, PROCESS]:
        while True:
            try:
                world.run(step, transaction_id)
                break
            except Crash:
                continue
            except InvariantBroken:
                # Processed before it was received: the queue would park it, and nothing has happened.
                break
    assert end_state(world, transaction_id) == expected


@pytest.mark.parametrize("verdict", [None, "carried_out"])
def test_what_is_let_go_on_waits_until_what_its_client_ended_of_it_is_taken_back(
    world: World, verdict: str | None
) -> None:
    world.screening.answers[2] = SANCTIONS_HIT
    head = world.through(pacs_008(transfer(1), transfer(2)))
    cancelled = Decision(key="c", kind=DecisionKind.CANCELLATION, by=CLIENT, at=NOON, numbers=(1,))
    world.messages.decide(head.transaction_id, replace(cancelled, verdict=verdict))
    decided(world, head.transaction_id, DecisionKind.CLEARANCE, "carried_out")
    assert isinstance(world.run(PROCESS, head.transaction_id), Defer)
    assert (world.transfers.records, world.head(head.transaction_id).status) == ({}, Status.PDNG)
    world.messages.carried_out(head.transaction_id, "c", "carried_out")
    finish(world.messages, head.transaction_id, 1, ChildState.VOIDED)
    world.run(PROCESS, head.transaction_id)
    assert (len(world.transfers.records), world.head(head.transaction_id).status) == (1, Status.ACSP)


def test_nothing_is_written_or_kept_aside_once_it_was_cancelled_at_any_moment() -> None:
    def cancelled_at(moment: int) -> tuple[int, Status]:
        world = World()
        transaction_id = world.hand_in(BULK)
        world.run(RECEIVE, transaction_id)
        world.moments = 0

        def at_call(now: int) -> None:
            head = world.head(transaction_id)
            if now == moment and head.status is Status.ACTC:
                world.messages.append(head, Entry(status=Status.CANC, at=NOON, by="client"))

        world.at_call = at_call
        world.run(PROCESS, transaction_id)
        world.at_call = lambda _: None
        # A crash of that run would have brought the message back.
        world.run(PROCESS, transaction_id)
        status = world.head(transaction_id).status
        if status is Status.CANC:
            assert (world.transfers.records, world.liquidity.reserved) == ({}, {}), moment
            # Whoever asks about one of them later, by a camt.056 or a pacs.004, is told its end.
            states = [child.state for child in world.messages.children(transaction_id)]
            assert ChildState.OPEN not in states, moment
        return world.moments, status

    moments, status = cancelled_at(0)
    assert status is Status.ACSP
    ends = {cancelled_at(moment)[1] for moment in range(1, moments + 1)}
    assert ends == {Status.CANC, Status.ACSP}


def test_a_message_cancelled_while_its_records_are_written_is_written_no_further(world: World) -> None:
    transaction_id = world.hand_in(pacs_008(*(transfer(number, "0.01") for number in range(1, 401))))
    world.run(RECEIVE, transaction_id)

    def at_call(_: int) -> None:
        head = world.head(transaction_id)
        if world.transfers.records and head.status is Status.ACSP:
            # As the decision does: every transfer is voided first, and that frees its funds.
            world.liquidity.decided = set(world.liquidity.reserved)
            world.messages.append(head, Entry(status=Status.CANC, at=NOON, by="client"))

    world.at_call = at_call
    world.run(PROCESS, transaction_id)
    assert len(world.transfers.records) == 200


def test_nothing_stays_aside_for_a_transfer_that_is_refused_for_want_of_money(world: World) -> None:
    reserve = world.liquidity.reserve

    def reserved_by_a_call_nobody_waited_for(token: str, amounts: Any) -> Any:
        reserve(token, amounts)
        return dict.fromkeys(amounts, Reservation.SHORT)

    world.liquidity.reserve = reserved_by_a_call_nobody_waited_for  # type: ignore[method-assign]
    head = world.through(pacs_008(transfer(1)))
    assert codes(world, head.transaction_id) == [(ChildState.REJECTED, ["AM04"])]
    assert world.liquidity.reserved == {}


@pytest.mark.parametrize("held", [False, True])
def test_what_is_kept_after_the_message_has_ended_ends_with_it(world: World, held: bool) -> None:
    transaction_id = world.hand_in(pacs_008(transfer(1), transfer(2)))
    world.run(RECEIVE, transaction_id)
    if held:
        world.screening.answers[1] = SANCTIONS_HIT
    check = world.screening.check

    def check_for_too_long(requests: Any) -> Any:
        head = world.head(transaction_id)
        world.messages.append(head, Entry(status=Status.RJCT, at=NOON, by="clock"))
        return check(requests)

    world.screening.check = check_for_too_long  # type: ignore[method-assign]
    assert world.run(PROCESS, transaction_id) == Took()
    states = [child.state for child in world.messages.children(transaction_id)]
    assert states == [ChildState.VOIDED] * 2
    assert (world.transfers.records, world.liquidity.reserved) == ({}, {})


@pytest.mark.parametrize("crashed", [False, True])
def test_what_is_on_its_way_is_not_refused_when_there_is_no_money_any_more(
    world: World, crashed: bool
) -> None:
    transaction_id = world.hand_in(pacs_008(transfer(1), transfer(2, "9999.99")))
    world.run(RECEIVE, transaction_id)
    world.transfers.away = crashed
    with nullcontext() if not crashed else pytest.raises(Unavailable):
        world.run(PROCESS, transaction_id)
    world.transfers.away = False
    world.liquidity.available.clear()
    world.liquidity.reserved.clear()
    assert world.run(PROCESS, transaction_id, 2) == Took()
    # Which of the two had the money was settled before ACSP.
    states = [state for state, _ in codes(world, transaction_id)]
    assert (states, len(world.transfers.records)) == ([ChildState.OPEN, ChildState.REJECTED], 1)


def test_another_record_under_a_transfers_key_is_never_overwritten(world: World) -> None:
    transaction_id = world.hand_in(pacs_008(transfer(1)))
    world.run(RECEIVE, transaction_id)
    world.transfers.away = True
    with pytest.raises(Unavailable):
        world.run(PROCESS, transaction_id)
    world.transfers.away = False
    (child,) = world.messages.children(transaction_id)
    assert child.record is not None
    world.transfers.records[child.record["transfer"]] = {**child.record, "instructed_amount": "1"}
    with pytest.raises(InvariantBroken):
        world.run(PROCESS, transaction_id)


# -- messages about earlier ones -------------------------------------------------------------------------

UETR = "5f1d0a3c-7a45-4b1e-9d55-0d6c0f000001"
GROUP = "<OrgnlGrpInf><OrgnlMsgId>{}</OrgnlMsgId><OrgnlMsgNmId>{}</OrgnlMsgNmId></OrgnlGrpInf>"
AMOUNT = '<OrgnlIntrBkSttlmAmt Ccy="EUR">{}</OrgnlIntrBkSttlmAmt>'


def booked(world: World, head: Head) -> Head:
    """All its transfers, as the ledger told."""
    for child in list(world.messages.children(head.transaction_id)):
        assert child.pipeline_id is not None
        assert child.amount is not None
        finish(world.messages, head.transaction_id, child.number, ChildState.POSTED, settled_at=NOON)
        world.liquidity.decided.add(child.pipeline_id)
        have = world.liquidity.available.get(("acct-mill", "EUR"), 0)
        world.liquidity.available["acct-mill", "EUR"] = have + child.amount.minor
    return world.head(head.transaction_id)


def answered(world: World, original: Head, decision: Decision, body: bytes) -> Document:
    """A decision carried out, with its answer."""
    document = world.documents.put(f"outgoing/{decision.key}.xml", body)
    world.messages.carried_out(original.transaction_id, decision.key, "carried_out")
    for name in (CANCELLATION_ANSWER, answer_to(decision.key)):
        world.messages.put_document(original.transaction_id, name, document)
    return document


def asked(world: World, body: bytes, number: int = 2) -> str:
    """A request that waits for its answer."""
    transaction_id = world.hand_in(body, number)
    world.run(RECEIVE, transaction_id)
    assert isinstance(world.run(PROCESS, transaction_id), Defer | Took)
    assert world.head(transaction_id).status not in FINAL
    return transaction_id


def test_a_return_gives_back_the_posting_of_the_transfer_it_names(world: World) -> None:
    booked(world, world.through(pacs_008(transfer(1))))
    (original,) = list(world.transfers.records.values())
    head = world.through(pacs_004(UETR, "4.00"), 2)
    assert head.status is Status.ACSP
    returned = next(
        one for one in world.transfers.records.values() if one is not original and "original_transfer" in one
    )
    assert returned["original_transfer"] == original["transfer"]
    assert (returned["instructed_amount"], returned["original_instructed_amount"]) == ("400", "1000")
    # Off the account it had come to.
    (came_of,) = [one for one in world.liquidity.reserved.values() if one[0] == "acct-mill"]
    assert came_of == ("acct-mill", Money(400, "EUR"))
    assert world.liquidity.available["acct-mill", "EUR"] == 600


def test_what_came_is_not_given_back_when_it_is_spent(world: World) -> None:
    booked(world, world.through(pacs_008(transfer(1))))
    world.liquidity.available["acct-mill", "EUR"] = 399
    head = world.through(pacs_004(UETR, "4.00"), 2)
    assert codes(world, head.transaction_id) == [(ChildState.REJECTED, ["AM04"])]
    assert world.run(PROCESS, head.transaction_id) == Next(RELEASE)
    assert len(world.transfers.records) == 1


@pytest.mark.parametrize(
    ("body", "owner", "code"),
    [
        (pacs_004("00000000-7a45-4b1e-9d55-0d6c0f000001", "4.00"), CLIENT, "MS03"),
        (pacs_004(UETR, "10.01"), CLIENT, "AM09"),
        (pacs_004(UETR, "4.00"), "client-other", "MS03"),
        (pacs_004(UETR, "4.00", original="<OrgnlEndToEndId>E-1</OrgnlEndToEndId>"), CLIENT, None),
        (pacs_004(UETR, "4.00", original="<OrgnlEndToEndId>E-2</OrgnlEndToEndId>"), CLIENT, "MS03"),
        (pacs_004(UETR, "4.00", original=GROUP.format("M-1", "pacs.008.001.08")), CLIENT, None),
        (pacs_004(UETR, "4.00", original=GROUP.format("M-2", "pacs.008.001.08")), CLIENT, "MS03"),
        (pacs_004(UETR, "4.00", original=GROUP.format("M-1", "pain.001.001.09")), CLIENT, "MS03"),
        (pacs_004(UETR, "4.00", original=AMOUNT.format("10.00")), CLIENT, None),
        (pacs_004(UETR, "4.00", original=AMOUNT.format("9.00")), CLIENT, "AM09"),
        # The payer's own bank, and one that has no part in it.
        (pacs_004(UETR, "4.00", returner="HARBDEFF"), CLIENT, "AG01"),
        (pacs_004(UETR, "4.00", returner="QUAYFRPP"), CLIENT, "AG01"),
    ],
)
def test_a_return_of_what_is_unknown_too_much_or_anothers_is_refused(
    world: World, body: bytes, owner: str, code: str | None
) -> None:
    booked(world, world.through(pacs_008(transfer(1))))
    head = world.through(body, 2, owner)
    if code is None:
        assert codes(world, head.transaction_id) == [(ChildState.OPEN, [])]
        return
    assert codes(world, head.transaction_id) == [(ChildState.REJECTED, [code])]
    assert len(world.transfers.records) == 1


def test_a_client_returns_only_for_agents_that_it_speaks_for(world: World) -> None:
    booked(world, world.through(pacs_008(transfer(1))))
    world.mandates = {CLIENT: Mandate(agents=frozenset({"HARBDEFF"}), debtor_accounts=frozenset({"*"}))}
    head = world.through(pacs_004(UETR, "4.00"), 2)
    assert codes(world, head.transaction_id) == [(ChildState.REJECTED, ["AG01"])]


def returning(world: World, body: bytes, number: int = 2) -> str:
    """A return that waits for what it returns."""
    transaction_id = world.hand_in(body, number)
    world.run(RECEIVE, transaction_id)
    assert isinstance(world.run(PROCESS, transaction_id), Defer)
    return transaction_id


def ended(world: World, original: Head, state: ChildState, number: int = 1) -> None:
    finish(world.messages, original.transaction_id, number, state, (Reason("MS03"),))


@pytest.mark.parametrize("held", [False, True])
def test_a_return_waits_until_what_it_returns_is_booked_and_is_then_applied_once(
    world: World, held: bool
) -> None:
    if held:
        world.screening.answers[1] = SANCTIONS_HIT
    original = world.through(pacs_008(transfer(1)))
    returned = returning(world, pacs_004(UETR, "4.00"))
    assert isinstance(world.run(PROCESS, returned), Defer)
    assert world.head(returned).status is Status.ACTC
    # Neither a record nor money before that: whoever is asked meanwhile has nothing to take back.
    assert not any("original_transfer" in record for record in world.transfers.records.values())
    assert not any(token == "acct-mill" for token, _ in world.liquidity.reserved.values())
    booked(world, original)
    for _ in range(2):
        assert world.run(PROCESS, returned) == Took()
    assert world.head(returned).status is Status.ACSP
    assert sum("original_transfer" in record for record in world.transfers.records.values()) == 1
    assert world.liquidity.available["acct-mill", "EUR"] == 600


@pytest.mark.parametrize("state", [ChildState.REJECTED, ChildState.VOIDED])
@pytest.mark.parametrize("before", [True, False])
def test_what_ended_without_being_booked_is_not_returned(
    world: World, state: ChildState, before: bool
) -> None:
    original = world.through(pacs_008(transfer(1)))
    if before:
        ended(world, original, state)
        returned = world.through(pacs_004(UETR, "4.00"), 2).transaction_id
    else:
        returned = returning(world, pacs_004(UETR, "4.00"))
        ended(world, original, state)
    assert world.run(PROCESS, returned) == Next(RELEASE)
    (child,) = world.messages.children(returned)
    (reason,) = child.reasons
    assert (child.state, reason.code) == (ChildState.REJECTED, "MS03")
    assert {"REJECTED": "refused", "VOIDED": "taken back"}[state] in reason.additional[0]


OTHER_UETR = UETR[:-1] + "2"


def test_of_several_returns_each_goes_as_soon_as_what_it_returns_is_booked(world: World) -> None:
    first = world.through(pacs_008(transfer(1)))
    second = world.through(pacs_008(transfer(2), message_id="M-2"), 2)
    booked(world, first)
    returned = returning(world, pacs_004(f"{UETR} {OTHER_UETR}", "4.00"), 3)
    assert world.head(returned).status is Status.ACSP
    assert sum("original_transfer" in record for record in world.transfers.records.values()) == 1
    finish(world.messages, returned, 1, ChildState.POSTED, settled_at=NOON)
    assert isinstance(world.run(PROCESS, returned), Defer)
    booked(world, second)
    assert world.run(PROCESS, returned) == Took()
    assert sum("original_transfer" in record for record in world.transfers.records.values()) == 2


def test_a_return_that_has_waited_is_refused_for_want_of_money_and_one_on_its_way_is_not(
    world: World,
) -> None:
    booked(world, world.through(pacs_008(transfer(1))))
    second = world.through(pacs_008(transfer(2), message_id="M-2"), 2)
    returned = returning(world, pacs_004(f"{UETR} {OTHER_UETR}", "4.00"), 3)
    booked(world, second)
    # The token is another account's by now, and that one has nothing.
    (out,) = [one for one, (token, _) in world.liquidity.reserved.items() if token == "acct-mill"]
    world.liquidity.reserved[out] = ("acct-before", world.liquidity.reserved[out][1])
    world.liquidity.available["acct-mill", "EUR"] = 0
    world.run(PROCESS, returned)
    assert codes(world, returned) == [(ChildState.OPEN, []), (ChildState.REJECTED, ["AM04"])]
    assert sum("original_transfer" in record for record in world.transfers.records.values()) == 1


def test_a_crash_at_any_call_of_returns_that_wait_changes_nothing_of_the_end() -> None:
    def told(moment: int) -> tuple[int, Any]:
        world = World()
        first = world.through(pacs_008(transfer(1)))
        second = world.through(pacs_008(transfer(2), message_id="M-2"), 2)
        booked(world, first)
        world.moments, world.at_call = 0, crashing_at(moment)
        returned = world.hand_in(pacs_004(f"{UETR} {OTHER_UETR}", "4.00"), 3)
        until_done(world, returned)
        booked(world, second)
        until_done(world, returned)
        assert sum("original_transfer" in record for record in world.transfers.records.values()) == 2
        assert world.transfers.writes == 4
        return world.moments, end_state(world, returned)

    moments, undisturbed = told(0)
    assert moments > 30
    for moment in range(1, moments + 1):
        assert told(moment)[1] == undisturbed, moment


def test_a_return_of_what_ends_unbooked_lets_its_message_end(world: World) -> None:
    first = world.through(pacs_008(transfer(1)))
    second = world.through(pacs_008(transfer(2), message_id="M-2"), 2)
    booked(world, first)
    returned = returning(world, pacs_004(f"{UETR} {OTHER_UETR}", "4.00"), 3)
    finish(world.messages, returned, 1, ChildState.POSTED, settled_at=NOON)
    ended(world, second, ChildState.REJECTED)
    assert world.run(PROCESS, returned) == Next(RELEASE)
    assert world.head(returned).children_open == 0


def test_a_return_that_comes_while_its_original_is_being_checked_waits_for_it(world: World) -> None:
    world.screening.away = True
    original = world.hand_in(pacs_008(transfer(1)))
    world.run(RECEIVE, original)
    with pytest.raises(Unavailable):
        world.run(PROCESS, original)
    returned = returning(world, pacs_004(UETR, "4.00"))
    assert world.head(returned).children is None
    world.screening.away = False
    world.run(PROCESS, original)
    assert isinstance(world.run(PROCESS, returned), Defer)
    booked(world, world.head(original))
    assert world.run(PROCESS, returned) == Took()
    assert sum("original_transfer" in record for record in world.transfers.records.values()) == 1


@pytest.mark.parametrize("in_part", [False, True])
def test_a_return_whose_original_is_not_booked_in_time_ends_by_its_own_time(
    world: World, in_part: bool
) -> None:
    original = world.through(pacs_008(transfer(1)))
    if in_part:
        booked(world, world.through(pacs_008(transfer(2), message_id="M-2"), 3))
    uetrs = f"{UETR} {OTHER_UETR}" if in_part else UETR
    returned = returning(world, pacs_004(uetrs, "4.00"))
    if in_part:
        finish(world.messages, returned, 2, ChildState.POSTED, settled_at=NOON)
    late = NOON + timedelta(minutes=5)
    timed_out = Decision(key="time_out.1", kind=DecisionKind.TIME_OUT, by="clock", at=late)
    assert is_allowed(timed_out, world.head(returned))
    world.messages.decide(returned, timed_out)
    cases = Cases(world.messages, world.documents, world.documents, installed())
    outcomes = InMemoryOutcomes(Books())
    decide = decide_message.build(cases, outcomes, Bus(), world.steps, lambda: late)
    assert decide(StepCall(returned, StepName.DECIDE, 1)) == Next(RELEASE, again=True)
    release = release_message.build(cases, world.accounts, InMemoryNotices(), world.steps, lambda: late)
    release(StepCall(returned, RELEASE, 1))
    head = world.head(returned)
    assert head.status is (Status.PART if in_part else Status.RJCT)
    assert [reason.code for reason in head.reasons] == ([] if in_part else ["AB03"])
    # Whatever becomes of the original after that.
    booked(world, original)
    assert world.run(PROCESS, returned) == Took()
    assert sum("original_transfer" in record for record in world.transfers.records.values()) == in_part
    assert outcomes.find(pipeline_transaction_id(returned, 1)) is not None


def test_a_return_that_waits_is_known_by_its_message_and_not_taken_twice(world: World) -> None:
    world.through(pacs_008(transfer(1)))
    returning(world, pacs_004(UETR, "4.00"))
    again = world.through(pacs_004(UETR, "4.00"), 3)
    assert codes(world, again.transaction_id) == [(ChildState.REJECTED, ["DU01"])]


def test_a_cancellation_request_is_decided_where_it_belongs_and_answered_by_that(world: World) -> None:
    original = world.through(pacs_008(transfer(1), transfer(2)))
    request = asked(world, camt_056("M-1", "E-2"))
    (decision,) = world.messages.decisions(original.transaction_id)
    assert (decision.kind, decision.numbers, decision.by) == (DecisionKind.CANCELLATION, (2,), CLIENT)
    assert world.steps.sent[-1][:2] == (original.transaction_id, StepName.DECIDE)
    answer = answered(world, original, decision, b"<camt.029/>")
    assert world.run(PROCESS, request) == Next(RELEASE)
    head = world.head(request)
    assert (head.status, head.documents[OUTGOING]) == (Status.ACSC, answer)
    assert len(world.messages.decisions(original.transaction_id)) == 1


def test_of_two_cancellations_of_one_payment_each_has_the_answer_to_its_own(world: World) -> None:
    original = world.through(pacs_008(transfer(1), transfer(2)))
    first = asked(world, camt_056("M-1", "E-1", "C-1"))
    (decision,) = world.messages.decisions(original.transaction_id)
    own = answered(world, original, decision, b"<first/>")
    second = asked(world, camt_056("M-1", "E-2", "C-2"), 3)
    # The verdict is there and its answer is not: another's is not taken for it.
    other = next(one for one in world.messages.decisions(original.transaction_id) if one.key != decision.key)
    world.messages.carried_out(original.transaction_id, other.key, "carried_out")
    assert world.run(PROCESS, second) == Took()
    others = answered(world, original, other, b"<second/>")
    for request, answer in ((first, own), (second, others)):
        assert world.run(PROCESS, request) == Next(RELEASE)
        assert world.head(request).documents[OUTGOING] == answer


def test_a_transfer_is_not_cancelled_before_the_transfers_of_its_message_are_kept(world: World) -> None:
    original = world.hand_in(pacs_008(transfer(1), transfer(2)))
    world.run(RECEIVE, original)
    add = world.messages.add_children

    def unavailable(*_: Any) -> Head:
        raise Unavailable("message store did not answer")

    world.messages.add_children = unavailable  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        world.run(PROCESS, original)
    request = asked(world, camt_056("M-1", "E-2"))
    assert world.messages.decisions(original) == []
    assert world.head(request).status is Status.ACTC
    # The whole of it can be cancelled without knowing what is in it.
    asked(world, camt_056("M-1", request="C-2"), 3)
    (whole,) = world.messages.decisions(original)
    assert whole.numbers == ()
    world.messages.add_children = add  # type: ignore[method-assign]
    world.run(PROCESS, original)
    assert world.run(PROCESS, request) == Took()
    assert [one.numbers for one in world.messages.decisions(original)].count((2,)) == 1


def test_a_request_about_something_unknown_beside_what_is_known_is_refused_whole(world: World) -> None:
    original = world.through(pacs_008(transfer(1), transfer(2)))
    head = world.through(camt_056("M-1", "E-1 E-9"), 2)
    assert [reason.code for reason in head.reasons] == ["NOOR"]
    assert world.messages.decisions(original.transaction_id) == []


def test_a_request_about_two_messages_is_refused_whole(world: World) -> None:
    first = world.through(pacs_008(transfer(1)))
    second = world.through(pacs_008(transfer(2), message_id="M-2"), 2)
    both = camt_056("M-1").replace(
        b"</Undrlyg>", b"</Undrlyg>" + camt_056("M-2").split(b"</Assgnmt>")[1].split(b"</FIToF")[0].strip(), 1
    )
    head = world.through(both, 3)
    assert [reason.code for reason in head.reasons] == ["NOOR"]
    for one in (first, second):
        assert world.messages.decisions(one.transaction_id) == []
    groups = pacs_028("M-1").replace(
        b"</OrgnlGrpInf>", b"</OrgnlGrpInf>" + GROUP.format("M-2", "pacs.008.001.08").encode(), 1
    )
    assert [reason.code for reason in world.through(groups, 4).reasons] == ["MS03"]


def test_a_cancellation_that_waits_for_its_answer_is_not_timed_out(world: World) -> None:
    original = world.through(pacs_008(transfer(1)))
    request = asked(world, camt_056("M-1"))
    late = Decision(key="t", kind=DecisionKind.TIME_OUT, by="clock", at=NOON + timedelta(days=1))
    assert not is_allowed(late, world.head(request))
    (decision,) = world.messages.decisions(original.transaction_id)
    answered(world, original, decision, b"<camt.029/>")
    assert world.run(PROCESS, request) == Next(RELEASE)
    assert world.head(request).status is Status.ACSC


@pytest.mark.parametrize("verdict", [None, "carried_out"])
def test_a_cancellation_whose_time_was_over_first_cancels_nothing(world: World, verdict: str | None) -> None:
    original = world.through(pacs_008(transfer(1)))
    request = world.hand_in(camt_056("M-1"), 2)
    world.run(RECEIVE, request)
    late = Decision(
        key="t", kind=DecisionKind.TIME_OUT, by="clock", at=NOON + timedelta(days=1), verdict=verdict
    )
    world.messages.decide(request, late)
    world.run(PROCESS, request)
    assert world.messages.decisions(original.transaction_id) == []


def test_no_more_cancellations_of_one_message_are_kept_than_are_answered(world: World) -> None:
    original = world.through(pacs_008(transfer(1), transfer(2)))
    for number in range(MOST_CANCELLATIONS):
        world.messages.decide(
            original.transaction_id,
            Decision(key=str(number), kind=DecisionKind.CANCELLATION, by=CLIENT, at=NOON, numbers=(1,)),
        )
    head = world.through(camt_056("M-1", "E-2"), 2)
    assert [reason.code for reason in head.reasons] == ["MS03"]
    assert len(world.messages.decisions(original.transaction_id)) == MOST_CANCELLATIONS


def test_a_status_request_says_of_what_was_cancelled_that_it_was(world: World) -> None:
    original = world.through(pacs_008(transfer(1), transfer(2)))
    decided(world, original.transaction_id, DecisionKind.CANCELLATION, "carried_out")
    for number in (1, 2):
        finish(world.messages, original.transaction_id, number, ChildState.VOIDED)
    world.messages.append(world.head(original.transaction_id), Entry(status=Status.CANC, at=NOON, by=CLIENT))
    head = world.through(pacs_028("M-1"), 2)
    body = world.documents.bodies[head.documents[OUTGOING].key]
    assert body.count(b"<TxSts>CANC</TxSts>") == 2


@pytest.mark.parametrize("owner", [CLIENT, "client-other"])
def test_nobody_cancels_what_is_unknown_or_anothers(world: World, owner: str) -> None:
    original = world.through(pacs_008(transfer(1)))
    head = world.through(camt_056("M-1" if owner != CLIENT else "M-9"), 2, owner)
    assert [reason.code for reason in head.reasons] == ["NOOR"]
    assert world.messages.decisions(original.transaction_id) == []


def test_a_status_request_is_answered_with_the_present_status(world: World) -> None:
    world.through(pacs_008(transfer(1)))
    head = world.through(pacs_028("M-1"), 2)
    assert head.status is Status.ACSC
    body = world.documents.bodies[head.documents[OUTGOING].key]
    assert b"pacs.002" in body
    assert b"<TxSts>ACSP</TxSts>" in body
    assert b"<OrgnlMsgId>M-1</OrgnlMsgId>" in body


def test_whoever_listens_is_told_that_a_request_has_ended(world: World) -> None:
    original = world.through(pacs_008(transfer(1)))
    cancellation = asked(world, camt_056("M-1"))
    (decision,) = world.messages.decisions(original.transaction_id)
    answer = answered(world, original, decision, b"<camt.029/>")
    world.run(PROCESS, cancellation)
    notices, cases = InMemoryNotices(), Cases(world.messages, world.documents, world.documents, world.schemas)
    release = release_message.build(cases, world.accounts, notices, world.steps, lambda: NOON)
    for request in (world.through(pacs_028("M-1"), 3).transaction_id, cancellation):
        # Whatever was lost on the way, the release is asked for again.
        for _ in range(2):
            assert world.run(PROCESS, request) == Next(RELEASE)
        assert release(StepCall(request, RELEASE, 1)) == Took()
        assert notices.told[-1] == Notice.of(world.head(request))
        assert notices.told[-1].status is Status.ACSC
    assert world.head(cancellation).documents == {OUTGOING: answer}
    assert b"M-1" not in "".join(notice.to_json() for notice in notices.told).encode()


def test_a_status_request_about_what_is_held_tips_nobody_off(world: World) -> None:
    world.screening.answers[1] = SANCTIONS_HIT
    world.through(pacs_008(transfer(1), transfer(2)))
    head = world.through(pacs_028("M-1"), 2)
    body = world.documents.bodies[head.documents[OUTGOING].key]
    assert body.count(b"<TxSts>PDNG</TxSts>") == 2
    assert b"RR04" not in body


def test_processing_before_receiving_is_our_own_fault(world: World) -> None:
    head = begun(world.messages, deadline=NOON + timedelta(minutes=1))
    with pytest.raises(InvariantBroken):
        world.run(PROCESS, head.transaction_id)
