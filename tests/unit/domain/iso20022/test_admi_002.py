"""The answer to what is no message, or none that is taken here."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022 import answers
from postbus.domain.iso20022.answers.admi_002 import Refusal, write
from postbus.domain.iso20022.messages import Answer, MessageType, Original, Place, Reason, Status
from tests.unit.domain.iso20022 import drawn_answers as drawn
from tests.unit.domain.iso20022.schemas import assert_valid

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def texts(body: bytes) -> list[str | None]:
    return [element.text for element in etree.fromstring(body).iter() if len(element) == 0]


def refusal(**more: object) -> Refusal:
    reasons = (Reason("FF01", ("Not well-formed.", "Line 3.")), Reason("AG03"))
    return Refusal(**{"reference": "MSG-1", "refused_at": NOON, "reasons": reasons, **more})  # type: ignore[arg-type]


@given(
    st.builds(
        Refusal,
        reference=drawn.texts,
        refused_at=drawn.moments,
        reasons=drawn.reasons.map(lambda found: found or (Reason("FF01"),)),
        place=st.none() | st.builds(Place, st.text(max_size=400), st.integers(1, 10**6)),
    )
)
def test_every_refusal_is_a_valid_admi_002(refusal: Refusal) -> None:
    assert_valid(write(refusal).body, "admi.002.001.01")


def test_a_refusal_says_why_and_where() -> None:
    assert texts(write(refusal(place=Place("/Document", 3))).body) == [
        "MSG-1",
        "FF01",
        "2026-11-21T12:00:00.000Z",
        "/Document, line 3",
        "Not well-formed. Line 3.",
        "AG03",
    ]


def test_a_transaction_id_as_reference_loses_its_hyphens_only() -> None:
    body = write(refusal(reference="1b0cf1a8-7d5c-4c9a-9d0e-2f6b8a3c4d5e")).body
    assert texts(body)[0] == "1b0cf1a87d5c4c9a9d0e2f6b8a3c4d5e"


def test_a_refusal_without_a_reason_is_a_fault_of_ours() -> None:
    with pytest.raises(InvariantBroken):
        refusal(reasons=())


def test_a_message_that_is_not_taken_is_answered_by_a_refusal() -> None:
    request = MessageType.of("pacs.003.001.08")
    written = answers.write(
        Answer(
            message_id="unused",
            created_at=NOON,
            original=Original(message_id="MSG-1", message_type=request),
            status=Status.RJCT,
            reasons=(Reason("AG03"),),
        ),
        request,
    )
    assert str(written.type) == "admi.002.001.01"
    assert texts(written.body)[:2] == ["MSG-1", "AG03"]
