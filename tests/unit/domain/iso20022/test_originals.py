"""Earlier messages found again, without being in anybody's way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.iso20022.claims import claim_of
from postbus.domain.iso20022.messages import Agent, Message, MessageType, Place, Reference
from postbus.domain.iso20022.originals import Sought, Transfers, keys_of, look_up
from postbus.domain.iso20022.workflow import Child, ChildState
from postbus.functions.process_message.finding import make_findable
from tests.fakes.inbound import InMemoryClaims
from tests.fakes.iso20022 import InMemoryMessages
from tests.fakes.messages import CLIENT, begun

UETR = "5f1d0a3c-7a45-4b1e-9d55-0d6c0f000001"
CHILDREN = tuple(
    Child(number=number, state=ChildState.OPEN, end_to_end_id=f"E-{number}", transaction_id="T-1", uetr=uetr)
    for number, uetr in ((1, UETR), (2, None))
)


def about(**named: str) -> Reference:
    return Reference(number=1, place=Place("/", 1), **named)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "numbers"),
    [
        (about(original_message_id="M-1"), [1, 2]),
        (about(original_uetr=UETR), [1]),
        (about(original_uetr=UETR.replace("1", "2")), []),
        (about(original_uetr=UETR, original_end_to_end_id="E-1"), [1]),
        (about(original_uetr=UETR, original_end_to_end_id="E-2"), []),
        # One that fits several transfers is about none of them.
        (about(original_transaction_id="T-1"), []),
        (about(original_end_to_end_id="E-2"), [2]),
        (about(original_end_to_end_id="E-2", original_transaction_id="T-1"), [2]),
        (about(original_end_to_end_id="E-2", original_transaction_id="T-2"), []),
        (about(original_instruction_id="I-1"), []),
    ],
)
def test_a_transfer_is_meant_by_all_references_that_are_given(
    reference: Reference, numbers: list[int]
) -> None:
    assert [child.number for child in Transfers(CHILDREN).meant(reference)] == numbers


@given(st.lists(st.sampled_from(["look", "claim"]), max_size=6))
def test_looking_up_keeps_nobody_from_claiming_and_finds_whoever_claimed(order: list[str]) -> None:
    claims, head = InMemoryClaims(), begun(InMemoryMessages())
    wanted = claim_of(head, keys_of(CLIENT, sent()).any)
    claimed = False
    for what in order:
        if what == "claim":
            assert claims.claim([wanted]) == [wanted]
            claimed = True
        else:
            assert looked_up(claims) == (head.transaction_id if claimed else None)


def test_a_message_id_is_its_clients_own() -> None:
    claims, head = InMemoryClaims(), begun(InMemoryMessages())
    make_findable(claims, head, sent())
    assert looked_up(claims) == head.transaction_id
    assert looked_up(claims, client="client-other") is None


def test_a_message_is_found_under_its_own_definition_alone() -> None:
    claims, head = InMemoryClaims(), begun(InMemoryMessages())
    make_findable(claims, head, sent())
    assert looked_up(claims, definition="pain.001.001.09") is None
    assert looked_up(claims, definition="anything") is None


def test_of_two_senders_with_one_message_id_the_same_ones_is_meant_or_none() -> None:
    claims, store = InMemoryClaims(), InMemoryMessages()
    first, second = begun(store, 1), begun(store, 2)
    make_findable(claims, first, sent("HARBDEFF"))
    assert looked_up(claims, sender="MILLNL2A") == first.transaction_id
    make_findable(claims, first, sent("HARBDEFF"))
    make_findable(claims, second, sent("QUAYFRPP"))
    assert looked_up(claims, sender="HARBDEFFXXX") == first.transaction_id
    assert looked_up(claims, sender="QUAYFRPP") == second.transaction_id
    assert looked_up(claims, sender="MILLNL2A") is None


def sent(sender: str | None = None) -> Message:
    kind = MessageType.of("pacs.008.001.08")
    return Message(type=kind, message_id="M-1", created_at="", sender=Agent(bic=sender) if sender else None)


def looked_up(
    claims: InMemoryClaims,
    client: str = CLIENT,
    definition: str = "pacs.008.001.10",
    sender: str | None = None,
) -> str | None:
    reference = about(original_message_id="M-1", original_message_type=definition)
    sought = Sought.by(client, reference, Agent(bic=sender) if sender else None)
    standing = claims.claim([look_up(key) for key in sought.keys])
    return sought.holder({one.key: one.transaction_id for one in standing})
