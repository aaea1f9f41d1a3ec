"""Hand in what waits in a broker's queue, each message once.

schedule  ->  the queue's messages, to the ISO 20022 API
          ->  metrics BrokerMessagesKeptBack, BrokerMessagesRefused

It takes nothing while the API says that it cannot take anything: a broker may count how often it delivers a
message, and give it up.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from postbus.domain.iso20022.brokered import Accepted, Delivery, Refused
from postbus.ports import Metrics
from postbus.ports_iso20022 import BrokerReader, MessageApi
from postbus.runtime.broker import endpoint, raise_if_stuck, read
from postbus.runtime.entry import request_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(
    connect: Callable[[], BrokerReader], api: MessageApi, metrics: Metrics, seconds: float
) -> Callable[[Any], dict[str, int]]:
    """Bind the run to its ports.

    Args:
        connect: opens the queue.
        seconds: how long a run takes messages.
    """

    def submit(delivery: Delivery) -> Accepted | Refused:
        return api.submit(delivery.key, delivery.body)

    def read_broker(_schedule: Any) -> dict[str, int]:
        api.check()
        reading = read(connect, submit, seconds)
        metrics.publish("BrokerMessagesKeptBack", reading.kept_back)
        metrics.publish("BrokerMessagesRefused", reading.refused)
        raise_if_stuck(reading)
        return {
            "accepted": reading.accepted,
            "refused": reading.refused,
            "kept_back": reading.kept_back,
        }

    return read_broker


def bind(config: "Config") -> Callable[[Any], dict[str, int]]:
    from postbus.adapters.cloudwatch_metrics import CloudWatchMetrics
    from postbus.adapters.rabbitmq_broker import RabbitMqReader
    from postbus.adapters.secrets import Secret
    from postbus.runtime.clients import client
    from postbus.runtime.message_api import message_api

    secrets = client("secretsmanager")
    broker_secret = Secret(secrets, config.text("BROKER_SECRET_ID"))
    broker = endpoint(config)
    return build(
        lambda: RabbitMqReader(
            broker,
            broker_secret,
            config.text("BROKER_QUEUE"),
            config.text("BROKER_REFUSED_QUEUE"),
            config.integer("BROKER_IN_HAND", 10),
        ),
        message_api(config.text("API_URL"), Secret(secrets, config.text("API_SECRET_ID"))),
        CloudWatchMetrics(client("cloudwatch"), config.text("METRICS_NAMESPACE", "Postbus"), "read_broker"),
        config.integer("READ_SECONDS", 45),
    )


lambda_handler = request_function(bind)
