"""What a message claims for itself: sent again it claims the same, and no client can claim another's."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from postbus.domain.duplicates import IDENTITY_RETENTION
from postbus.domain.iso20022.claims import UniqueReference, came_to_nothing, claims, transaction_of
from postbus.domain.iso20022.messages import Message, Status
from postbus.domain.iso20022.workflow import ChildState, child_of
from tests.fakes.iso20022 import InMemoryMessages
from tests.fakes.messages import begun, transaction_id, transfer
from tests.unit.domain.iso20022.own_messages import NAMES, own_message

PACS = own_message("pacs.008.001.08").message


def of(message: Message, client: str = "client-a", debtor: str = "acct-a") -> tuple[UniqueReference, ...]:
    """Its claims, with every transfer debiting the same account."""
    return claims(message, client, {one.number: debtor for one in message.transfers})


def keys(message: Message, client: str = "client-a", debtor: str = "acct-a") -> set[str]:
    return {claim.key for claim in of(message, client, debtor)}


def kinds(found: Iterable[str]) -> list[str]:
    return sorted({key.partition("#")[0] for key in found})


def named(bic: str) -> Message:
    """The message as an agent's that is named like this."""
    assert PACS.sender is not None
    return replace(PACS, sender=replace(PACS.sender, bic=bic))


def test_a_message_sent_again_makes_the_same_claims() -> None:
    for name in NAMES:
        message = own_message(name).message
        assert of(message) == of(message)
        assert of(message)[0].code == "DU01"


def test_each_reference_is_claimed_with_its_code_and_transfer() -> None:
    found = [(claim.code, claim.number) for claim in of(PACS)]
    assert found == [
        ("DU01", None),
        ("DU03", 1), ("DU03", 1), ("DU03", 1), ("DU04", 1), ("DU05", 1),
        ("DU03", 2), ("DU03", 2), ("DU03", 2), ("DU05", 2),
    ]  # fmt: skip


def test_payment_information_is_claimed_once() -> None:
    found = of(own_message("pain.001.001.09").message)
    assert [claim.number for claim in found if claim.code == "DU02"] == [1, 3]


def test_another_client_that_debits_another_account_claims_nothing_of_the_first() -> None:
    assert keys(PACS) & keys(PACS, "client-b", "acct-b") == set()


def test_another_client_that_debits_the_same_account_has_the_same_payments() -> None:
    assert kinds(keys(PACS) & keys(PACS, "client-b")) == ["end_to_end", "uetr_of_debtor"]


def test_a_uetr_is_one_payments_whomever_the_client_speaks_for() -> None:
    assert kinds(keys(PACS) & keys(named("MILLNL2A"), debtor="acct-b")) == ["uetr"]


def test_an_agent_is_one_sender_with_the_branch_that_stands_for_all_and_without() -> None:
    assert keys(named("HARBDEFF")) == keys(named("HARBDEFFXXX"))
    assert keys(named("HARBDEFF")) != keys(named("HARBDEFF001"))


def test_an_end_to_end_id_is_one_payments_with_its_parties_and_its_amount() -> None:
    first = replace(PACS, transfers=PACS.transfers[:1])
    one = first.transfers[0]
    for changed in (
        replace(one, amount=replace(one.amount, minor=one.amount.minor + 1)),
        replace(one, amount=replace(one.amount, currency="USD")),
        replace(one, creditor_account=None),
        replace(one, end_to_end_id="ANOTHER"),
    ):
        assert "end_to_end" not in kinds(keys(first) & keys(replace(first, transfers=(changed,))))


@pytest.mark.parametrize(
    ("days", "state", "free"),
    [
        (5, ChildState.POSTED, {"DU04"}),
        (4, ChildState.POSTED, set()),
        (-5, ChildState.POSTED, set()),
        (399, ChildState.OPEN, set()),
        (399, None, set()),
        (0, ChildState.VOIDED, {"DU01", "DU03", "DU04", "DU05"}),
    ],
)
def test_of_a_booked_transfer_the_end_to_end_id_is_free_after_some_days_and_of_an_open_one_nothing(
    days: int, state: ChildState | None, free: set[str]
) -> None:
    head = replace(begun(InMemoryMessages()), status=Status.ACSP)
    child = None if state is None else transfer(transaction_id(), 1, state)
    later = replace(head, opened_at=head.opened_at + timedelta(days=days))
    assert {one.code for one in of(PACS) if one.is_free(later, head, child)} == free


def test_a_reference_stays_with_a_holder_that_is_not_known_any_more() -> None:
    head = begun(InMemoryMessages())
    booked = transfer(transaction_id(), 1, ChildState.POSTED)
    later = replace(head, opened_at=head.opened_at + timedelta(days=30))
    assert not any(one.is_free(later, None, booked) for one in of(PACS))


def test_every_reference_is_claimed_for_as_long_as_an_identity() -> None:
    head = begun(InMemoryMessages())
    assert {one.claim(head).expires_at for one in of(PACS)} == {head.opened_at + IDENTITY_RETENTION}


def test_references_are_claimed_by_their_transfer_and_messages_and_blocks_by_the_transaction() -> None:
    head = begun(InMemoryMessages())
    for message in (PACS, own_message("pain.001.001.09").message):
        for one in of(message):
            holder = one.claim(head).transaction_id
            assert transaction_of(holder) == head.transaction_id
            is_whole = one.code in ("DU01", "DU02")
            assert child_of(holder) == (None if is_whole else (head.transaction_id, one.number))


@pytest.mark.parametrize(
    ("status", "state", "nothing"),
    [
        (Status.ACTC, None, False),
        (Status.ACSP, ChildState.OPEN, False),
        (Status.ACSP, ChildState.POSTED, False),
        (Status.ACSP, ChildState.VOIDED, True),
        (Status.ACSP, ChildState.REJECTED, True),
        (Status.PART, ChildState.POSTED, False),
        (Status.PART, ChildState.REJECTED, True),
        (Status.PART, None, False),
        (Status.ACSC, None, False),
        (Status.RJCT, None, True),
        (Status.CANC, None, True),
        (Status.RJCT, ChildState.OPEN, True),
        (Status.RJCT, ChildState.POSTED, False),
        (None, None, False),
        (None, ChildState.OPEN, False),
    ],
)
def test_nothing_came_of_what_is_not_booked_and_never_will_be(
    status: Status | None, state: ChildState | None, nothing: bool
) -> None:
    head = None if status is None else replace(begun(InMemoryMessages()), status=status)
    child = None if state is None else transfer(transaction_id(), 1, state)
    assert came_to_nothing(head, child) is nothing


def test_the_same_payment_under_another_message_id_is_found_by_its_references() -> None:
    again = replace(PACS, message_id="ANOTHER")
    found = {claim.code for claim in of(again) if claim.key in keys(PACS)}
    assert found == {"DU03", "DU04", "DU05"}


def test_a_key_tells_nothing_of_the_message() -> None:
    for key in keys(PACS):
        kind, _, digest = key.partition("#")
        assert kind.replace("_", "").isalpha()
        assert len(digest) == 32
        assert int(digest, 16) >= 0


def test_a_return_is_claimed_by_its_own_id() -> None:
    found = of(own_message("pacs.004.001.10").message)
    assert [(claim.code, claim.number) for claim in found] == [("DU01", None), ("DU03", 1)]
