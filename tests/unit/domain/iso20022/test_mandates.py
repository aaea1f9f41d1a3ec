"""Whose money a client may move, as it is set and as it is asked."""

import pytest

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.mandates import NOTHING, Mandate, mandates
from postbus.domain.iso20022.workflow import AccountKey, AccountKeyKind
from tests.fakes.messages import EVERYTHING

IBAN = AccountKey(AccountKeyKind.IBAN, "DE89370400440532013000")
OTHER = AccountKey(AccountKeyKind.OTHER, "tok_1")
BRANCH = AccountKey(AccountKeyKind.BIC, "HARBDEFF123")


def test_each_client_has_what_is_listed_for_it() -> None:
    read = mandates('{"a": {"agents": ["HARBDEFFXXX"], "debtor_accounts": ["tok_1"]}, "b": {}}')
    assert [read["a"].covers(key) for key in (IBAN, OTHER, BRANCH)] == [False, True, True]
    assert read["b"] == NOTHING == Mandate()


def test_a_star_is_all_of_its_list_and_no_list_is_nothing() -> None:
    every = (IBAN, OTHER, BRANCH)
    assert all(map(EVERYTHING.covers, every))
    assert not any(map(NOTHING.covers, every))
    assert not Mandate(agents=frozenset({"*"})).covers(IBAN)
    assert not Mandate(debtor_accounts=frozenset({"*"})).covers(BRANCH)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"a": []}', '{"a": {"agent": []}}', '{"a": {"agents": "*"}}', '{"a": {"agents": [""]}}'],
)
def test_what_is_no_list_of_clients_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        mandates(text)


def test_the_text_of_a_mandate_shows_no_account() -> None:
    assert "DE89" not in repr(Mandate(debtor_accounts=frozenset({"DE89370400440532013000"})))
