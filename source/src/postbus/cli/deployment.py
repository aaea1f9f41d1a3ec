"""Which deployment the command speaks to: every name in it, and clients for its region."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from postbus.cli.errors import CannotRun

# What must be there for the command to make sense; the rest is looked up when a command needs it.
_TEXTS = ("name_prefix", "region", "bus")
_MAPS = ("tables", "queues", "dead_letters", "functions", "buckets", "rules")

_PARAMETER_REMEDY = (
    "Check --prefix and --region, or name a file with the Terraform output `deployment`: --deployment FILE."
)


@dataclass(frozen=True)
class Deployment:
    """The names of one deployment, as Terraform's output ``deployment`` tells them.

    Attributes:
        names: the whole object, for what has no property here.
    """

    names: Mapping[str, Any]
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def region(self) -> str:
        return str(self.names["region"])

    @property
    def home_region(self) -> str:
        """Whose payments it takes in."""
        return str(self.names.get("home_region") or self.region)

    @property
    def prefix(self) -> str:
        return str(self.names["name_prefix"])

    @property
    def bus(self) -> str:
        return str(self.names["bus"])

    def __str__(self) -> str:
        """Which one it is, for whoever is about to change it."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        where = f"at {endpoint}" if endpoint else f"in {self.region}"
        return f"{self.prefix}postbus {where}"

    def text(self, name: str) -> str:
        """A name of its own, such as ``text("archive_arn")``."""
        value = self.names.get(name)
        if not isinstance(value, str) or not value:
            raise CannotRun(f"deployment.{name}: not there; deploy again with this version of Postbus.")
        return value

    def all(self, kind: str) -> Mapping[str, str]:
        """All names of a kind: tables, functions, rules (ARNs), queues and dead_letters (URLs)."""
        return dict(self.names.get(kind, {}))

    def one(self, kind: str, name: str) -> str:
        """One name of a kind.

        Raises:
            CannotRun: the deployment has none; lists those it has.
        """
        names = self.all(kind)
        if name not in names:
            raise CannotRun(f"deployment.{kind}: no {name!r} in it; there is {', '.join(sorted(names))}.")
        return names[name]

    def table(self, name: str) -> str:
        return self.one("tables", name)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The inbound sources it has, by name."""
        return tuple(
            name.removeprefix("quarantine-") for name in self.all("queues") if name.startswith("quarantine-")
        )

    def client(self, service: str) -> Any:
        """The process's client of an AWS service in the deployment's region; AWS_ENDPOINT_URL is honoured."""
        if service not in self._clients:
            import boto3
            from botocore.config import Config

            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]
                region_name=self.region,
                config=Config(
                    connect_timeout=5,
                    # Longer than the functions it calls may take.
                    read_timeout=70,
                    retries={"mode": "standard", "max_attempts": 4},
                    max_pool_connections=20,
                ),
            )
        return self._clients[service]


def load(prefix: str = "", region: str | None = None, file: str | Path | None = None) -> Deployment:
    """Find a deployment's names: in the file if one is named, else in the parameter store.

    Args:
        prefix: the deployment's ``name_prefix``.
        region: AWS region.  It has to be named: what the environment says for other programs (AWS_REGION, a
            profile) must not turn a command that was meant for this machine's stack to AWS.
        file: JSON, as printed by ``terraform output -json deployment``; by default POSTBUS_DEPLOYMENT.
    Raises:
        CannotRun: says what is missing and what to do about it.
    """
    file = file or os.environ.get("POSTBUS_DEPLOYMENT")
    if file:
        return _checked(_from_file(Path(file)), str(file))
    if not region:
        raise CannotRun(_which_region(prefix))
    return _from_parameter(f"/{prefix}postbus/deployment", region)


def _which_region(prefix: str) -> str:
    if prefix:
        return f"--region: which region is {prefix}postbus in? AWS_REGION does not say it to this command."
    port = os.environ.get("POSTBUS_PORT") or "4566"
    return (
        f"no stack is up on port {port} of this machine: `make demo` starts one; "
        "POSTBUS_PORT says where another is; or name a deployment on AWS by --region."
    )


def _from_file(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"--deployment {file}: cannot be read: {error.strerror or error}.") from None


def _from_parameter(name: str, region: str) -> Deployment:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from postbus.adapters.aws_calls import code_of

    try:
        answer = boto3.client("ssm", region_name=region).get_parameter(Name=name)
    except ClientError as error:
        code = code_of(error)
        if code == "ParameterNotFound":
            raise CannotRun(f"--prefix: no deployment at {name}. {_PARAMETER_REMEDY}") from None
        raise CannotRun(f"{name} cannot be read: {code}. {_PARAMETER_REMEDY}") from None
    except BotoCoreError as error:
        raise CannotRun(f"{name} cannot be read: {error}") from None
    return _checked(answer["Parameter"]["Value"], name)


def _checked(text: str, where: str) -> Deployment:
    try:
        names = json.loads(text)
    except ValueError:
        raise CannotRun(f"{where}: not JSON; expected the Terraform output `deployment`.") from None
    if not isinstance(names, Mapping):
        raise CannotRun(f"{where}: expected a JSON object, the Terraform output `deployment`.")
    for name in _TEXTS:
        if not isinstance(names.get(name), str) or (not names[name] and name != "name_prefix"):
            raise CannotRun(f"{where}: {name}: expected text.")
    for name in _MAPS:
        if not isinstance(names.get(name), Mapping):
            raise CannotRun(f"{where}: {name}: expected an object of names.")
    return Deployment(names)
