"""A client of the ISO 20022 API, on AWS or on an emulator."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postbus.adapters.iso20022_api import HttpMessageApi
    from postbus.adapters.secrets import SecretFields


def message_api(url: str, secret: "SecretFields") -> "HttpMessageApi":
    """The API at a deployment's ``url``, with the credentials that its secret holds."""
    from postbus.adapters.bearer_credentials import BearerCredentials
    from postbus.adapters.iso20022_api import HttpMessageApi

    return HttpMessageApi.at(_reached(url), BearerCredentials(_Reached(secret)))


class _Reached:
    """A client's credentials, with a token URL that can be reached from here."""

    def __init__(self, secret: "SecretFields") -> None:
        self._secret = secret

    def read(self) -> Mapping[str, str]:
        fields = dict(self._secret.read())
        if "token_url" in fields:
            fields["token_url"] = _reached(fields["token_url"])
        return fields

    def forget(self) -> None:
        self._secret.forget()


def _reached(url: str) -> str:
    """An emulator has no host names of its own: its paths stand behind its endpoint."""
    return os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/") + url if url.startswith("/") else url
