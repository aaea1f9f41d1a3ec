"""Credentials kept in Secrets Manager: read rarely, read again when they stop working."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.domain.errors import Unavailable

_CACHE_SECONDS = 300.0


class SecretFields(Protocol):
    """A secret that is cached until told to forget."""

    def read(self) -> Mapping[str, str]: ...

    def forget(self) -> None: ...


class Secret:
    """One secret, a JSON object of texts, cached for five minutes."""

    def __init__(
        self,
        client: Any,
        secret_id: str,
        cache_seconds: float = _CACHE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._cache_seconds = cache_seconds
        self._monotonic = monotonic
        self._cached: Mapping[str, str] | None = None
        self._read_at = 0.0

    def read(self) -> Mapping[str, str]:
        """The secret's fields.

        Raises:
            Unavailable: Secrets Manager did not answer; or there is no such secret, no right to read it, or
                not an object of texts in it, which an operator mends while the payments wait.
        """
        if self._cached is None or self._monotonic() - self._read_at > self._cache_seconds:
            self._cached = self._fetch()
            self._read_at = self._monotonic()
        return self._cached

    def forget(self) -> None:
        """Read anew next time: what is cached no longer opens the door."""
        self._cached = None

    def _fetch(self) -> Mapping[str, str]:
        try:
            with answering("Secrets Manager"):
                text = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString", "")
        except ClientError as error:
            raise Unavailable(f"secret {self._secret_id}: {code_of(error)}") from error
        try:
            fields = json.loads(text)
        except ValueError:
            fields = None
        # Never quote what was found: it is a secret even where it is malformed.
        if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
            raise Unavailable(f"secret {self._secret_id}: expected a JSON object of texts") from None
        return fields
