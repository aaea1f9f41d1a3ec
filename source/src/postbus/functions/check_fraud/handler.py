"""Say whether a transfer shows signs of fraud.

{"requests": [...]}  ->  {"answers": [...]}, one for each transfer
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from postbus.domain.iso20022 import fraud
from postbus.domain.iso20022.checks import CheckRequest, answered, asked
from postbus.domain.iso20022.fraud import FraudRules
from postbus.ports import Clock, VelocityCounter
from postbus.runtime.entry import request_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(velocity: VelocityCounter, rules: FraudRules, clock: Clock) -> Callable[[Any], Any]:
    """Bind the check to its port."""

    def check(event: Any) -> Any:
        requests = asked(event)
        # A pay-roll is one message: a thousand transfers in it are no haste.
        messages = {(one.debtor_account_token, one.transaction_id): one for one in requests}
        counts = {message: counted(one) for message, one in messages.items()}
        return answered(
            fraud.judge(one, rules, counts[one.debtor_account_token, one.transaction_id]) for one in requests
        )

    def counted(request: CheckRequest) -> int:
        if rules.messages_per_hour is None or request.debtor_account_token is None:
            return 0
        # Under a name of its own: the pipeline counts the account's transfers beside this.
        token = f"messages-{request.debtor_account_token}"
        return velocity.count(token, request.transaction_id, clock())

    return check


def bind(config: "Config") -> Callable[[Any], Any]:
    from postbus.adapters.dynamodb_velocity import DynamoDbVelocity
    from postbus.runtime.clients import client, now

    return build(
        DynamoDbVelocity(client("dynamodb"), config.text("CLAIMS_TABLE")),
        FraudRules.from_json(config.text("FRAUD_RULES", "{}")),
        now,
    )


lambda_handler = request_function(bind)
