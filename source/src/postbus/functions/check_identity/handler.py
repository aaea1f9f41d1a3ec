"""Say whether the holders of a transfer's accounts are who they should be: KYC.

{"requests": [...]}  ->  {"answers": [...]}, one for each transfer
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from postbus.domain.iso20022 import identity
from postbus.domain.iso20022.checks import answered, asked
from postbus.ports import Directory
from postbus.runtime.entry import request_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(accounts: Directory) -> Callable[[Any], Any]:
    """Bind the check to its port."""

    def check(event: Any) -> Any:
        requests = asked(event)
        known = accounts.find([token for one in requests for token in identity.tokens_of(one)])
        return answered(identity.judge(one, known) for one in requests)

    return check


def bind(config: "Config") -> Callable[[Any], Any]:
    from postbus.adapters.dynamodb_directory import DynamoDbDirectory
    from postbus.runtime.clients import client

    return build(DynamoDbDirectory(client("dynamodb"), config.text("ACCOUNTS_TABLE"), "token"))


lambda_handler = request_function(bind)
