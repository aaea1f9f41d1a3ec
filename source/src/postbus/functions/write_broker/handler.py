"""Publish the outgoing message of a transaction that has become final.

final status, by way of topic and queue  ->  outgoing message  ->  the broker

Only what the bridge's own client handed in: the API shows a client its own transactions and no others.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from postbus.domain.errors import Unavailable
from postbus.domain.iso20022.brokered import Notice, NotOurs, Outgoing, Publication, StillOpen
from postbus.ports_iso20022 import BrokerWriter, MessageApi
from postbus.runtime.entry import message_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(api: MessageApi, writer: BrokerWriter) -> Callable[[Any], None]:
    """Bind the step to its ports."""

    def write(body: Any) -> None:
        notice = Notice.of(body)
        if not notice.is_final:
            return
        match api.outgoing(notice.transaction_id):
            case Outgoing() as outgoing:
                writer.publish(Publication.answering(notice, outgoing))
            case StillOpen():
                raise Unavailable(f"{notice.transaction_id} has no outgoing message yet")
            case NotOurs():
                return

    return write


def bind(config: "Config") -> Callable[[Any], None]:
    from postbus.adapters.rabbitmq_broker import RabbitMqWriter
    from postbus.adapters.secrets import Secret
    from postbus.runtime.broker import endpoint
    from postbus.runtime.clients import client
    from postbus.runtime.message_api import message_api

    secrets = client("secretsmanager")
    api = message_api(config.text("API_URL"), Secret(secrets, config.text("API_SECRET_ID")))
    writer = RabbitMqWriter(
        endpoint(config),
        Secret(secrets, config.text("BROKER_SECRET_ID")),
        config.values.get("POSTBUS_BROKER_EXCHANGE", ""),
        config.text("BROKER_ROUTING_KEY"),
    )
    return build(api, writer)


lambda_handler = message_function(bind)
