"""The API's client finds a deployment on AWS and one on an emulator."""

import pytest

from postbus.runtime.message_api import message_api
from tests.component.broker.conftest import Fields
from tests.servers.message_api import MessageApiServer


def test_an_emulators_paths_stand_behind_its_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    with MessageApiServer() as api:
        origin = api.url.removesuffix("/stage")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"{origin}/")
        message_api("/stage", Fields({**api.credentials, "token_url": "/oauth2/token"})).check()
        assert api.tokens == 1


def test_a_deployments_own_host_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with MessageApiServer() as api:
        message_api(api.url, Fields(api.credentials)).check()
