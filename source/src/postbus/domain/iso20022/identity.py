"""Whether the holders of our accounts are who they should be: the accounts directory's word.

An account's ``kyc_status`` is ``verified``, ``pending`` or ``failed``.  ``pending`` waits for an operator,
``failed`` is refused, and so is anything else, which nobody can vouch for.  A directory that does not keep
the attribute vouches for its accounts by having them.
"""

from collections.abc import Mapping
from typing import Any

from postbus.domain.iso20022.checks import CheckAnswer, CheckRequest, NeedsDecision, Passed, Refused
from postbus.domain.iso20022.messages import Reason
from postbus.domain.iso20022.status import REGULATORY

VERIFIED, PENDING = "verified", "pending"

# "Transaction forbidden on this type of account" (ExternalStatusReason1Code).
_FORBIDDEN = Reason("AG01")


def tokens_of(request: CheckRequest) -> tuple[str, ...]:
    """The accounts whose holders are asked about."""
    return tuple(token for token in (request.debtor_account_token, request.creditor_account_token) if token)


def judge(request: CheckRequest, accounts: Mapping[str, Mapping[str, Any]]) -> CheckAnswer:
    """The answer on one transfer.

    Args:
        accounts: the records found, by token.
    """
    found = [accounts.get(token) for token in tokens_of(request)]
    statuses = {VERIFIED if one is not None and "kyc_status" not in one else _status(one) for one in found}
    if statuses <= {VERIFIED}:
        return Passed()
    if statuses <= {VERIFIED, PENDING}:
        return NeedsDecision(Reason(REGULATORY))
    return Refused(_FORBIDDEN)


def _status(account: Mapping[str, Any] | None) -> str:
    """``failed`` for an account that is not there."""
    return "failed" if account is None else str(account["kyc_status"])
