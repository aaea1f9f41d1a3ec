"""Ids that lead from a message to its payments and back."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.errors import Malformed
from postbus.domain.inbound import credit_transfers
from postbus.domain.iso20022.workflow import StepCall, StepName, child_of, pipeline_transaction_id

NUMBERS = st.integers(1, 99_999)


@given(st.uuids(version=4), NUMBERS)
def test_a_transfer_is_found_again_by_its_pipeline_id(transaction: UUID, number: int) -> None:
    assert child_of(pipeline_transaction_id(str(transaction), number)) == (str(transaction), number)


def test_the_pipeline_id_has_no_long_run_of_digits() -> None:
    transaction = "01234567-89ab-4def-8123-456789abcdef"
    expected = "credit_transfers-abcdefghijklenopibcdefghijklmnop-00001"
    assert pipeline_transaction_id(transaction, 1) == expected


@pytest.mark.parametrize(
    "other", ["visa-A1", "credit_transfers-X1", "credit_transfers-" + "z" * 32 + "-00001",
              "credit_transfers-" + "a" * 32 + "-1", "a" * 32 + "-00001", ""]
)  # fmt: skip
def test_other_transactions_are_no_messages_transfers(other: str) -> None:
    assert child_of(other) is None


@given(st.sampled_from(StepName), st.integers(1, 1_000))
def test_a_step_call_survives_its_queue(step: StepName, attempt: int) -> None:
    call = StepCall("id", step, attempt)
    assert StepCall.from_data(call.to_data()) == call


@pytest.mark.parametrize("data", [None, [], {}, {"transaction_id": "a", "step": "receive", "attempt": True}])
def test_anything_else_is_no_step_call(data: object) -> None:
    with pytest.raises(Malformed):
        StepCall.from_data(data)


def test_the_pipelines_source_is_called_as_it_calls_itself() -> None:
    assert pipeline_transaction_id(str(UUID(int=1, version=4)), 1).startswith(f"{credit_transfers.NAME}-")
