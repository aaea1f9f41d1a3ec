"""The function's environment, read once, by name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from postbus.domain.errors import PostbusError


class ConfigurationMissing(PostbusError):
    """The function was deployed without a setting it needs; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one function.  Reading one that is absent or not of its type names the variable."""

    values: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_environment(cls) -> "Config":
        return cls({name: value for name, value in os.environ.items() if name.startswith("POSTBUS_")})

    def text(self, name: str, default: str | None = None) -> str:
        """The text of ``POSTBUS_<NAME>``.

        Raises:
            ConfigurationMissing: it is not set and has no default.
        """
        variable = f"POSTBUS_{name}"
        value = self.values.get(variable, default)
        if not value:
            raise ConfigurationMissing(f"environment variable {variable} is not set")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """The whole number in ``POSTBUS_<NAME>``.

        Raises:
            ConfigurationMissing: it is not set and has no default, or is not a whole number.
        """
        text = self.text(name, None if default is None else str(default))
        try:
            return int(text)
        except ValueError:
            raise ConfigurationMissing(
                f"environment variable POSTBUS_{name} is not a whole number: {text!r}"
            ) from None
