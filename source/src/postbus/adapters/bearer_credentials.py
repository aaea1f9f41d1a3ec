"""The ``Authorization`` of an HTTP service whose credentials are a secret."""

import base64
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode, urlsplit

from postbus.adapters.http_exchange import Deadlines, Exchange
from postbus.adapters.secrets import SecretFields
from postbus.domain.errors import OutcomeUnknown, Unavailable

# RFC 6750 b64token: nothing that could end a header line.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
_API_KEY = re.compile(r"[!-~]+", re.ASCII)
_DEFAULT_LIFE_SECONDS = 300
_LONGEST_LIFE_SECONDS = 86_400
_RENEW_BEFORE_SECONDS = 30


class BearerCredentials:
    """A bearer token: either the secret's own, or one obtained with the secret's client credentials.

    The secret is ``{"token"}`` or ``{"client_id", "client_secret", "token_url", "scope"?}`` (RFC 6749, 4.4),
    either with ``{"api_key"}`` where the service counts its callers by one.
    """

    def __init__(
        self,
        secret: SecretFields,
        deadlines: Deadlines | None = None,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = secret
        self._deadlines = deadlines
        self._tls = tls
        self._monotonic = monotonic
        self._granted: str | None = None
        self._granted_until = 0.0

    def authorization(self) -> str:
        """The header's value.

        Raises:
            Unavailable: no usable secret, or no token for it now.
        """
        fields = self._secret.read()
        if "token" in fields:
            return "Bearer " + _usable(fields["token"], "the secret's token")
        if self._granted is None or self._monotonic() > self._granted_until:
            self._granted = self._grant(fields)
        return f"Bearer {self._granted}"

    def api_key(self) -> str | None:
        """What goes with the token as ``x-api-key``; ``None`` where the secret has none.

        Raises:
            Unavailable: no usable secret, or a key in it that no header can carry.
        """
        key = self._secret.read().get("api_key")
        if key is not None and not _API_KEY.fullmatch(key):
            raise Unavailable("the secret's api_key is no header's value")
        return key

    def renew(self) -> None:
        """The service did not accept it: read the secret and ask for a token anew."""
        self._secret.forget()
        self._granted = None

    def _grant(self, fields: Mapping[str, str]) -> str:
        try:
            url = urlsplit(fields["token_url"])
            client = f"{quote(fields['client_id'], safe='')}:{quote(fields['client_secret'], safe='')}"
        except (KeyError, ValueError):
            raise Unavailable("the secret holds no token, nor client_id, client_secret, token_url") from None
        form = {"grant_type": "client_credentials"}
        if "scope" in fields:
            form["scope"] = fields["scope"]
        try:
            exchange = Exchange(f"{url.scheme}://{url.netloc}", self._deadlines, self._tls, self._monotonic)
        except ValueError as error:  # an Exchange's words quote nothing
            raise Unavailable(f"the secret's token_url: {error}") from None
        try:
            reply = exchange.request(
                "POST",
                url.path or "/",
                {
                    "Authorization": "Basic " + base64.b64encode(client.encode()).decode(),
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                },
                urlencode(form).encode(),
            )
        except OutcomeUnknown as error:  # a token more or less does no harm
            raise Unavailable(f"no token: {error}") from error
        finally:
            exchange.close()
        try:
            granted = json.loads(reply.body)
            life_seconds = min(int(granted.get("expires_in", _DEFAULT_LIFE_SECONDS)), _LONGEST_LIFE_SECONDS)
            token = granted["access_token"]
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError):
            token, life_seconds = None, 0
        if reply.status != 200 or not isinstance(token, str):
            raise Unavailable(f"no token: the token endpoint answered {reply.status}")
        self._granted_until = self._monotonic() + max(life_seconds - _RENEW_BEFORE_SECONDS, 0)
        return _usable(token, "the granted token")


def _usable(token: str, what: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise Unavailable(f"{what} is not a bearer token")
    return token
