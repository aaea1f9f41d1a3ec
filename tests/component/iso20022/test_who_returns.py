"""Who may give back what a transfer brought: whoever may have the account debited that it came to."""

import json

import pytest

from postbus.adapters.dynamodb_iso20022_items import of_child
from postbus.domain.iso20022.mandates import Mandate
from postbus.domain.iso20022.messages import Agent
from postbus.domain.iso20022.workflow import AccountKey, AccountKeyKind, ChildState, FoundAccount, Head
from tests.fakes.messages import CLIENT, EVERYTHING, NOON, finish
from tests.fakes.processing import (
    CREDITOR_BIC,
    DEBTOR,
    OTHER_DEBTOR,
    World,
    bic,
    iban,
    pacs_004,
    pacs_008,
    transfer,
)

UETR = "5f1d0a3c-7a45-4b1e-9d55-0d6c0f000001"
CREDITOR = "NL91ABNA0417164300"
PAYERS_BANK = "HARBDEFF"
PAYER = Mandate(agents=frozenset({PAYERS_BANK}), debtor_accounts=frozenset({DEBTOR}))
INSTRUCTED = (
    f"<InstgAgt><FinInstnId><BICFI>{PAYERS_BANK}</BICFI></FinInstnId></InstgAgt>"
    f"<InstdAgt><FinInstnId><BICFI>{PAYERS_BANK}</BICFI></FinInstnId></InstdAgt></GrpHdr>"
)


def mandate(agents: str = "", accounts: str = "") -> Mandate:
    return Mandate(frozenset(agents.split()), frozenset(accounts.split()))


@pytest.fixture
def world() -> World:
    """The creditor's account is kept here, and so is a settlement account of each bank."""
    world = World()
    world.accounts.accounts[iban(CREDITOR)] = (FoundAccount("acct-creditor", "EUR", "open"),)
    world.accounts.accounts[bic(PAYERS_BANK)] = (FoundAccount("acct-harbour", "EUR", "open"),)
    for token in ("acct-creditor", "acct-mill", "acct-harbour"):
        world.liquidity.available[token, "EUR"] = 0
    return world


def booked(world: World, body: bytes) -> Head:
    head = world.through(body)
    (child,) = world.messages.children(head.transaction_id)
    assert child.state is ChildState.OPEN
    assert child.record is not None
    assert child.pipeline_id is not None
    finish(world.messages, head.transaction_id, 1, ChildState.POSTED, settled_at=NOON)
    world.liquidity.decided.add(child.pipeline_id)
    world.liquidity.available[child.record["creditor_account_token"], "EUR"] = 1_000
    return head


def answer_to_return(world: World, returner: str) -> str | None:
    """The code with which a return is refused; ``None`` for one that is taken."""
    head = world.through(pacs_004(UETR, "10.00", returner=returner), 2)
    (child,) = world.messages.children(head.transaction_id)
    taken = any("original_transfer" in record for record in world.transfers.records.values())
    assert taken is (child.state is ChildState.OPEN)
    return None if taken else child.reasons[0].code


@pytest.mark.parametrize(
    "body",
    [
        pacs_008(transfer(1, creditor_agent=PAYERS_BANK)),
        pacs_008(transfer(1)).replace(b"</GrpHdr>", INSTRUCTED.encode()),
    ],
    ids=["as the creditor's agent", "as the instructed agent"],
)
def test_a_payer_that_names_its_own_bank_as_the_creditors_takes_nothing_back(
    world: World, body: bytes
) -> None:
    world.mandates = {CLIENT: PAYER}
    booked(world, body)
    assert answer_to_return(world, PAYERS_BANK) == "AG01"
    assert world.liquidity.available["acct-creditor", "EUR"] == 1_000


@pytest.mark.parametrize(
    ("allowed", "returner", "code"),
    [
        (mandate(accounts=CREDITOR), CREDITOR_BIC, None),
        (mandate(accounts="*"), CREDITOR_BIC, None),
        # It speaks for the creditor's agent, which has no say over the creditor's account here.
        (mandate(agents=CREDITOR_BIC), CREDITOR_BIC, "AG01"),
        (mandate(agents="*"), CREDITOR_BIC, "AG01"),
        (mandate(CREDITOR_BIC, OTHER_DEBTOR), CREDITOR_BIC, "AG01"),
        (mandate(agents=CREDITOR), CREDITOR_BIC, "AG01"),
        # The account is the client's, and yet it is not for the payer's bank to return.
        (EVERYTHING, PAYERS_BANK, "AG01"),
        (mandate(), CREDITOR_BIC, "AG01"),
    ],
)
def test_what_came_to_an_account_kept_here_is_returned_by_whom_that_account_may_be_debited_by(
    world: World, allowed: Mandate, returner: str, code: str | None
) -> None:
    booked(world, pacs_008(transfer(1)))
    world.mandates = {CLIENT: allowed}
    assert answer_to_return(world, returner) == code


@pytest.mark.parametrize(
    ("allowed", "returner", "code"),
    [
        (mandate(agents=CREDITOR_BIC), CREDITOR_BIC, None),
        (mandate(agents=CREDITOR_BIC), f"{CREDITOR_BIC}ROT", None),
        (mandate(agents="*"), CREDITOR_BIC, None),
        (mandate(agents=PAYERS_BANK), CREDITOR_BIC, "AG01"),
        (mandate(agents=PAYERS_BANK), PAYERS_BANK, "AG01"),
        (mandate(accounts="*"), CREDITOR_BIC, "AG01"),
        # An agent on the way that has not got the money.
        (EVERYTHING, PAYERS_BANK, "AG01"),
    ],
)
def test_what_came_to_a_settlement_account_is_returned_by_that_agent_alone(
    world: World, allowed: Mandate, returner: str, code: str | None
) -> None:
    del world.accounts.accounts[iban(CREDITOR)]
    booked(world, pacs_008(transfer(1)).replace(b"</GrpHdr>", INSTRUCTED.encode()))
    world.mandates = {CLIENT: allowed}
    assert answer_to_return(world, returner) == code


def test_a_bank_returns_what_its_own_customer_sent_to_it(world: World) -> None:
    del world.accounts.accounts[iban(CREDITOR)]
    world.mandates = {CLIENT: PAYER}
    booked(world, pacs_008(transfer(1, creditor_agent=PAYERS_BANK)))
    assert answer_to_return(world, PAYERS_BANK) is None
    assert world.liquidity.available["acct-harbour", "EUR"] == 0


def test_a_client_may_name_the_account_by_something_else_than_its_payer_did(world: World) -> None:
    booked(world, pacs_008(transfer(1)))
    customer = AccountKey(AccountKeyKind.OTHER, "customer-4711")
    world.accounts.accounts[customer] = world.accounts.accounts[iban(CREDITOR)]
    world.mandates = {CLIENT: mandate(accounts=customer.value)}
    assert answer_to_return(world, CREDITOR_BIC) is None


def test_nothing_is_kept_of_a_transfer_that_has_an_account_number(world: World) -> None:
    head = booked(world, pacs_008(transfer(1)))
    (child,) = world.messages.children(head.transaction_id)
    kept = json.dumps(of_child(head.transaction_id, child))
    assert child.creditor_agent == Agent(bic=CREDITOR_BIC)
    assert child.settlement_agent is None
    assert DEBTOR not in kept
    assert CREDITOR not in kept


def test_of_a_transfer_to_a_settlement_account_it_is_kept_whose_that_is(world: World) -> None:
    del world.accounts.accounts[iban(CREDITOR)]
    head = booked(world, pacs_008(transfer(1)))
    (child,) = world.messages.children(head.transaction_id)
    assert child.settlement_agent == CREDITOR_BIC
