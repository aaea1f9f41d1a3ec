"""Earlier messages found again, without being in anybody's way."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.iso20022.messages import Place, Reference
from postbus.domain.iso20022.originals import claim_of, holders, look_ups, matching, sent_key
from postbus.domain.iso20022.workflow import Child, ChildState
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
        (about(original_end_to_end_id="E-2"), [2]),
        (about(original_end_to_end_id="E-2", original_transaction_id="T-1"), [2]),
        (about(original_end_to_end_id="E-2", original_transaction_id="T-2"), []),
        (about(original_instruction_id="I-1"), []),
    ],
)
def test_a_transfer_is_meant_by_its_uetr_or_all_other_references(
    reference: Reference, numbers: list[int]
) -> None:
    assert [child.number for child in matching(CHILDREN, reference)] == numbers


@given(st.lists(st.sampled_from(["look", "claim"]), max_size=6))
def test_looking_up_keeps_nobody_from_claiming_and_finds_whoever_claimed(order: list[str]) -> None:
    claims, head = InMemoryClaims(), begun(InMemoryMessages())
    wanted = claim_of(head, sent_key(CLIENT, "M-1"))
    claimed = False
    for what in order:
        if what == "claim":
            assert claims.claim([wanted]) == [wanted]
            claimed = True
        else:
            found = holders(claims.claim(look_ups(CLIENT, about(original_message_id="M-1"))))
            assert found == ((head.transaction_id,) if claimed else ())


def test_a_message_id_is_its_clients_own() -> None:
    claims, head = InMemoryClaims(), begun(InMemoryMessages())
    claims.claim([claim_of(replace(head), sent_key(CLIENT, "M-1"))])
    assert holders(claims.claim(look_ups("client-other", about(original_message_id="M-1")))) == ()
