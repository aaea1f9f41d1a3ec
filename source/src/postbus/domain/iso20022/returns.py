"""Which transfer a return gives back, and why it may not."""

from collections.abc import Container, Sequence

from postbus.domain.iso20022.instructions import Accounts, Returned
from postbus.domain.iso20022.mandates import Mandate
from postbus.domain.iso20022.messages import Agent, Reason, Return
from postbus.domain.iso20022.originals import institution
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import AccountKey, AccountKeyKind, Child, ChildState, Head

_UNKNOWN_ORIGINAL = Reason("MS03", ("What it returns is not known, or was refused.",))
_ANOTHERS = Reason("AG01", ("Only whom the original was sent to, or the creditor's agent, returns it.",))
_OTHER_AMOUNT = Reason("AM09", ("What it returns had another amount.",))


def returned(
    one: Return, meant: Sequence[Child], mandate: Mandate, tokens: Container[str]
) -> Returned | Reason:
    """What a return gives back, or why it cannot.

    One that is not booked yet may be returned: the return waits for it.

    Args:
        meant: the transfers that may be the one it returns.
        mandate: of the client that the return comes from.
        tokens: of the accounts that the mandate lists.
    """
    if len(meant) != 1 or is_return(meant[0]):
        return _UNKNOWN_ORIGINAL
    child = meant[0]
    key, debtor, creditor = child.record_key, child.debtor_account_token, child.creditor_account_token
    if key is None or debtor is None or creditor is None or child.amount is None:
        return _UNKNOWN_ORIGINAL
    if not _may_return(one, child, mandate, tokens):
        return _ANOTHERS
    if (never := never_returned(child.state)) is not None:
        return never
    if one.original_amount not in (None, child.amount):
        return _OTHER_AMOUNT
    if one.amount.currency != child.amount.currency:
        return Reason("AM03", ("What it returns has another currency.",))
    if one.amount.minor > child.amount.minor:
        return Reason("AM09", ("More is returned than there was.",))
    return Returned(key, child.amount, Accounts(debtor, creditor))


def is_return(child: Child) -> bool:
    """Whether it gives back what an earlier transfer brought."""
    return child.original_transfer is not None


def is_unread(original: Head) -> bool:
    """Whether it is not known yet which transfers a message has, so that a return of one is too early."""
    return original.children is None and original.status not in FINAL


def never_returned(original: ChildState) -> Reason | None:
    """Why a transfer in this state is not returned; ``None`` for one that is booked or still may be."""
    match original:
        case ChildState.OPEN | ChildState.POSTED:
            return None
        case ChildState.REJECTED:
            return Reason("MS03", ("What it returns was refused, and is not booked.",))
        case ChildState.VOIDED:
            return Reason("MS03", ("What it returns was taken back, and is not booked.",))


def _may_return(one: Return, child: Child, mandate: Mandate, tokens: Container[str]) -> bool:
    """Whether a return comes from where the transfer went to: its payer cannot take it back.

    Which agents a transfer names is its payer's word, and whom a return comes from its sender's.  What holds
    is the account that the money came to: only a client that may have that account debited gives it back,
    and an agent only what came to its own settlement account.
    """
    returner = institution(one.instructing_agent)
    if returner is None:
        return False
    if bic := child.settlement_agent:
        is_its_own = returner == institution(Agent(bic=bic))
        return is_its_own and mandate.covers(AccountKey(AccountKeyKind.BIC, bic))
    if not mandate.covers_every_account and child.creditor_account_token not in tokens:
        return False
    return returner in map(institution, (child.instructed_agent, child.creditor_agent))
