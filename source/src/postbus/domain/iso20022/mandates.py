"""Whose money a client may move: the accounts, and the agents whose settlement accounts, it may have debited.

What a message says of its debtor is its sender's word.  Only these lists, which the operator keeps, say that
the sender may speak for that debtor.  They are read from a JSON document, by the client's id:

    {"4f2c...": {"agents": ["HARBDEFF"], "debtor_accounts": ["DE89370400440532013000"]}}

``*`` in a list stands for all.  What is not listed may not be debited.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.workflow import AccountKey, AccountKeyKind

_ALL: Final = "*"
_NAMES = frozenset({"agents", "debtor_accounts"})


@dataclass(frozen=True, slots=True)
class Mandate:
    """What one client may have debited.

    Attributes:
        agents: BICs whose settlement accounts it may; an institution's branches are the institution.
        debtor_accounts: IBANs and other identifications of the accounts that are kept here.  Personal data:
            never shown in its own text.
    """

    agents: frozenset[str] = frozenset()
    debtor_accounts: frozenset[str] = field(default=frozenset(), repr=False)

    def covers(self, key: AccountKey) -> bool:
        """Whether an account that is found under this key may be debited."""
        if key.kind is AccountKeyKind.BIC:
            return _ALL in self.agents or key.value[:8] in {bic[:8] for bic in self.agents}
        return self.covers_every_account or key.value in self.debtor_accounts

    @property
    def covers_every_account(self) -> bool:
        """Of those that are not an agent's settlement account."""
        return _ALL in self.debtor_accounts

    @property
    def keys(self) -> tuple[AccountKey, ...]:
        """What the accounts of ``debtor_accounts`` are found under; none where it is every account."""
        if self.covers_every_account:
            return ()
        kinds = (AccountKeyKind.IBAN, AccountKeyKind.OTHER)
        return tuple(AccountKey(kind, value) for value in sorted(self.debtor_accounts) for kind in kinds)


NOTHING: Final = Mandate()

# By the client's id.
Mandates = Mapping[str, Mandate]


def mandates(text: str) -> Mandates:
    """Read the document.

    Raises:
        Malformed: naming what is unknown or not of its kind, and no account.
    """
    try:
        data = json.loads(text)
    except ValueError:
        raise Malformed("clients", "JSON") from None
    if not isinstance(data, dict):
        raise Malformed("clients", "an object")
    return {client: _mandate(one) for client, one in data.items()}


def _mandate(data: Any) -> Mandate:
    if not isinstance(data, dict) or not _NAMES.issuperset(data):
        raise Malformed("clients", "agents and debtor_accounts of each")
    return Mandate(**{name: _list(name, value) for name, value in data.items()})


def _list(name: str, value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise Malformed(f"clients.{name}", "a list of texts")
    return frozenset(value)
