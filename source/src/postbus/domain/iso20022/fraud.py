"""Simple signs of fraud: an unusual amount, and unusually many messages from one account within an hour.

A sign is no proof: the message waits for an operator (FR01).  Without rules nothing is a sign.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from postbus.domain.enrichment import MOST_COUNTED
from postbus.domain.errors import Malformed
from postbus.domain.iso20022.checks import CheckAnswer, CheckRequest, NeedsDecision, Passed
from postbus.domain.iso20022.messages import Reason
from postbus.domain.iso20022.status import FRAUD

_SIGN = NeedsDecision(Reason(FRAUD))


@dataclass(frozen=True, slots=True)
class FraudRules:
    """What is a sign.

    Attributes:
        usual_minor: by currency, the most minor units of a usual transfer.
        account_usual_minor: the same by the debtor account's token, in the transfer's currency; it stands
            instead of the currency's.
        messages_per_hour: the most messages from one account; ``None`` for any number.
    """

    usual_minor: Mapping[str, int] = field(default_factory=dict)
    account_usual_minor: Mapping[str, int] = field(default_factory=dict)
    messages_per_hour: int | None = None

    @classmethod
    def from_json(cls, text: str) -> "FraudRules":
        """Read an object with any of the attributes; raises Malformed naming what is not of its kind."""
        try:
            data = json.loads(text)
        except ValueError:
            raise Malformed("fraud rules", "JSON") from None
        known = set(cls.__dataclass_fields__)
        if not isinstance(data, dict) or set(data) - known:
            raise Malformed("fraud rules", "an object with " + ", ".join(sorted(known)))
        for name in ("usual_minor", "account_usual_minor"):
            limits = data.get(name, {})
            if not isinstance(limits, dict) or not all(_is_count(limit) for limit in limits.values()):
                raise Malformed(f"fraud rules.{name}", "whole minor units by name")
        most = data.get("messages_per_hour")
        if most is not None and not (_is_count(most) and most < MOST_COUNTED):
            raise Malformed("fraud rules.messages_per_hour", f"a whole number below {MOST_COUNTED}")
        return cls(**data)


def judge(request: CheckRequest, rules: FraudRules, messages_so_far: int) -> CheckAnswer:
    """The answer on one transfer.

    Args:
        messages_so_far: of the debtor's account in this hour, this one included.
    """
    usual = rules.account_usual_minor.get(
        request.debtor_account_token or "", rules.usual_minor.get(request.amount.currency)
    )
    if usual is not None and request.amount.minor > usual:
        return _SIGN
    if rules.messages_per_hour is not None and messages_so_far > rules.messages_per_hour:
        return _SIGN
    return Passed()


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
