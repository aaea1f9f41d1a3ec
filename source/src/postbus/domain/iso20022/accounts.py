"""The accounts a transfer is booked on: a customer's of ours, or else its agent's settlement account."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.instructions import Accounts
from postbus.domain.iso20022.mandates import Mandate
from postbus.domain.iso20022.messages import AccountIdentification, Agent, Reason, Transfer
from postbus.domain.iso20022.workflow import AccountKey, AccountKeyKind, FoundAccount

# PaymentMethod3Code of what asks for a cheque to be drawn: nothing is booked on the creditor's account.
_CHEQUE = "CHK"

Found = Mapping[AccountKey, Sequence[FoundAccount]]


@dataclass(frozen=True, slots=True)
class _Side:
    """A transfer's debtor or creditor, and the reasons of ExternalStatusReason1Code for it."""

    name: str
    account: AccountIdentification | None
    agent: Agent
    account_unknown: str
    agent_unknown: str


def keys_of(transfer: Transfer) -> tuple[AccountKey, ...]:
    """Everything a transfer's accounts are looked up by."""
    return tuple(key for side in _sides(transfer) for key in (*_own_keys(side), *_agent_key(side)))


def resolve(
    transfer: Transfer, found: Found, own_agents: Collection[str], mandate: Mandate
) -> Accounts | Reason:
    """The accounts, or why there are none.

    Args:
        found: what was found under ``keys_of``.
        own_agents: the first eight characters of our own BICs.
        mandate: what the client that sent it may have debited.
    """
    if transfer.payment_method == _CHEQUE:
        return Reason("AG03", ("No cheque is drawn here: its PmtMtd must be TRF or TRA.",))
    tokens = []
    debtor, creditor = _sides(transfer)
    if not _may_debit(debtor, found, own_agents, mandate):
        return Reason("AG01", ("The debtor's account is not one that this client may have debited.",))
    for side in (debtor, creditor):
        account = _account(side, transfer.amount.currency, found, own_agents)
        if isinstance(account, Reason):
            return account
        tokens.append(account.token)
    try:
        return Accounts(*tokens)
    except Malformed:
        return Reason("AC03", ("Debtor and creditor are booked on one account.",))


def settlement_agent(transfer: Transfer, found: Found, own_agents: Collection[str]) -> str | None:
    """The BIC of whose settlement account a transfer is booked to; ``None`` where it is a customer's."""
    _, creditor = _sides(transfer)
    booked_on = _booked_on(creditor, found, own_agents)
    return booked_on.value if booked_on and booked_on.kind is AccountKeyKind.BIC else None


def _may_debit(side: _Side, found: Found, own_agents: Collection[str], mandate: Mandate) -> bool:
    """Whether the client may have the account debited that the debtor is booked on.

    Told before anything of the account is: whoever may not debit it does not learn whether it is open, nor,
    where none of what is named is the client's, whether it is there.
    """
    if (booked_on := _booked_on(side, found, own_agents)) is not None:
        return mandate.covers(booked_on)
    keys = _keys(side, own_agents)
    return not keys or any(map(mandate.covers, keys))


def _account(side: _Side, currency: str, found: Found, own_agents: Collection[str]) -> FoundAccount | Reason:
    booked_on = _booked_on(side, found, own_agents)
    if booked_on is None:
        return _unknown(side, _is_own(side.agent, own_agents))
    if booked_on in _own_keys(side) and _names_another(side, currency):
        return Reason("AM03", (f"The {side.name}'s account is named in another currency.",))
    account = next((one for one in found[booked_on] if one.currency == currency), None)
    if account is None:
        return Reason("AM03", (f"The {side.name}'s account is kept in another currency.",))
    match account.status:
        case "open":
            return account
        case "closed":
            return Reason("AC04", (f"The {side.name}'s account is closed.",))
        case _:
            return Reason("AC06", (f"The {side.name}'s account is blocked.",))


def _names_another(side: _Side, currency: str) -> bool:
    """Whether the message says (``Ccy``) which of the accounts under one identification is meant, and it is
    not the one in this currency.  Of an account that is kept elsewhere that is its agent's affair."""
    return side.account is not None and side.account.currency not in (None, currency)


def _booked_on(side: _Side, found: Found, own_agents: Collection[str]) -> AccountKey | None:
    return next((key for key in _keys(side, own_agents) if found.get(key)), None)


def _keys(side: _Side, own_agents: Collection[str]) -> list[AccountKey]:
    """What the side's account is looked for under, the best first: with ourselves no agent has one."""
    own = list(_own_keys(side))
    return own if _is_own(side.agent, own_agents) else [*own, *_agent_key(side)]


def _is_own(agent: Agent, own_agents: Collection[str]) -> bool:
    return agent.bic is not None and agent.bic[:8] in own_agents


def _unknown(side: _Side, is_own_agent: bool) -> Reason:
    if not list(_own_keys(side)) and side.agent == Agent():
        return Reason("AC01", (f"Neither an account nor an agent of the {side.name} is named.",))
    if is_own_agent or side.agent.bic is None:
        return Reason(side.account_unknown, (f"The {side.name}'s account is not known.",))
    return Reason(side.agent_unknown, (f"The {side.name}'s agent has no settlement account.",))


def _sides(transfer: Transfer) -> tuple[_Side, _Side]:
    return (
        _Side("debtor", transfer.debtor_account, transfer.debtor_agent, "AC02", "RC03"),
        _Side("creditor", transfer.creditor_account, transfer.creditor_agent, "AC03", "RC04"),
    )


def _own_keys(side: _Side) -> Iterator[AccountKey]:
    if side.account is not None and side.account.iban:
        yield AccountKey(AccountKeyKind.IBAN, side.account.iban)
    elif side.account is not None and side.account.other:
        yield AccountKey(AccountKeyKind.OTHER, side.account.other)


def _agent_key(side: _Side) -> Iterator[AccountKey]:
    if side.agent.bic:
        yield AccountKey(AccountKeyKind.BIC, side.agent.bic)
