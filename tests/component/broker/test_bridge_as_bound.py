"""The bridge's two functions by their entry points, with the settings they are deployed with."""

from collections.abc import Callable
from typing import Any

import pytest

from postbus.adapters.rabbitmq_broker import Endpoint
from postbus.functions.read_broker import handler as read_broker
from postbus.functions.write_broker import handler as write_broker
from postbus.runtime.broker import endpoint
from postbus.runtime.config import Config, ConfigurationMissing

BOTH = {
    "BROKER_HOST": "mq.example.com", "BROKER_PORT": "5671", "BROKER_VIRTUAL_HOST": "/",
    "BROKER_SECRET_ID": "broker", "API_URL": "https://api.example.com", "API_SECRET_ID": "client",
}  # fmt: skip
READING = {"BROKER_QUEUE": "messages", "BROKER_REFUSED_QUEUE": "refused", "READ_SECONDS": "45"}
WRITING = {"BROKER_EXCHANGE": "", "BROKER_ROUTING_KEY": "answers"}


def config(*settings: dict[str, str]) -> Config:
    return Config({f"POSTBUS_{name}": value for given in settings for name, value in given.items()})


@pytest.mark.parametrize(("bind", "own"), [(read_broker.bind, READING), (write_broker.bind, WRITING)])
def test_a_function_of_the_bridge_finds_all_it_needs_in_its_settings(
    bind: Callable[[Config], Any], own: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert callable(bind(config(BOTH, own)))


def test_both_reach_the_broker_that_the_settings_name() -> None:
    assert endpoint(config(BOTH)) == Endpoint("mq.example.com", 5671, "/")


@pytest.mark.parametrize("name", ["BROKER_HOST", "BROKER_PORT", "BROKER_VIRTUAL_HOST"])
def test_a_setting_of_the_broker_that_is_missing_is_named(name: str) -> None:
    without = {key: value for key, value in BOTH.items() if key != name}
    with pytest.raises(ConfigurationMissing, match=name):
        endpoint(config(without))
