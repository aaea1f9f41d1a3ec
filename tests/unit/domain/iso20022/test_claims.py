"""What a message claims for itself: sent again it claims the same, and no client can claim another's."""

from dataclasses import replace

from postbus.domain.iso20022.claims import claims
from tests.unit.domain.iso20022.own_messages import NAMES, own_message

PACS = own_message("pacs.008.001.08").message


def keys(*args: object) -> set[str]:
    return {claim.key for claim in claims(*args)}  # type: ignore[arg-type]


def test_a_message_sent_again_makes_the_same_claims() -> None:
    for name in NAMES:
        message = own_message(name).message
        assert claims(message, "client-a") == claims(message, "client-a")
        assert claims(message, "client-a")[0].code == "DU01"


def test_each_reference_is_claimed_with_its_code_and_transfer() -> None:
    found = [(claim.code, claim.number) for claim in claims(PACS, "client-a")]
    assert found == [
        ("DU01", None),
        ("DU03", 1), ("DU03", 1), ("DU04", 1), ("DU05", 1),
        ("DU03", 2), ("DU03", 2), ("DU05", 2),
    ]  # fmt: skip


def test_payment_information_is_claimed_once() -> None:
    found = claims(own_message("pain.001.001.09").message, "client-a")
    assert [claim.number for claim in found if claim.code == "DU02"] == [1, 3]


def test_another_client_claims_nothing_of_the_first() -> None:
    assert keys(PACS, "client-a") & keys(PACS, "client-b") == set()


def test_a_uetr_is_one_payments_whomever_the_client_speaks_for() -> None:
    assert PACS.sender is not None
    another = replace(PACS, sender=replace(PACS.sender, bic="MILLNL2A"))
    both = keys(PACS, "client-a") & keys(another, "client-a")
    assert {key.partition("#")[0] for key in both} == {"uetr"}


def test_the_same_payment_under_another_message_id_is_found_by_its_references() -> None:
    again = replace(PACS, message_id="ANOTHER")
    found = {claim.code for claim in claims(again, "client-a") if claim.key in keys(PACS, "client-a")}
    assert found == {"DU03", "DU04", "DU05"}


def test_a_key_tells_nothing_of_the_message() -> None:
    for key in keys(PACS, "client-a"):
        kind, _, digest = key.partition("#")
        assert kind.replace("_", "").isalpha()
        assert len(digest) == 32
        assert int(digest, 16) >= 0


def test_a_return_is_claimed_by_its_own_id() -> None:
    found = claims(own_message("pacs.004.001.10").message, "client-a")
    assert [(claim.code, claim.number) for claim in found] == [("DU01", None), ("DU03", 1)]
