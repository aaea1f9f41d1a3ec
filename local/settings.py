"""Where the local stack lives and how to reach it; read from the environment once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCAL = ROOT / ".local"
EMULATOR_BIN = ROOT / ".venv-emulator" / "bin"

# Region and account of a stack on one machine; any would do, but names and keys are made of them.
DEFAULT_REGION = "eu-central-1"
ACCOUNT_ID = "000000000000"


def make_local() -> None:
    """Make the folder of logs, Terraform state and the tables' contents, for its owner's eyes alone."""
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    LOCAL.chmod(0o700)  # a test's cache may have made it before


class CannotRun(Exception):
    """Something on this machine is in the way; the message says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One stack on this machine.

    Attributes:
        port: of the emulator, on 127.0.0.1; two stacks on two ports do not touch each other.
        enforce_iam: whether the emulator checks the roles of functions.
        more_variables: a file of Terraform variables beside the target's own; ``None`` for none.
    """

    port: int = 4566
    region: str = DEFAULT_REGION
    enforce_iam: bool = False
    more_variables: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read POSTBUS_PORT, POSTBUS_REGION and POSTBUS_ENFORCE_IAM.

        Raises:
            CannotRun: POSTBUS_PORT is not a port that anyone may use.
        """
        text = environment.get("POSTBUS_PORT") or "4566"
        if not (text.isascii() and text.isdigit() and 1024 <= int(text) <= 65535):
            raise CannotRun(f"POSTBUS_PORT: a port from 1024 to 65535, not {text!r}")
        return cls(
            port=int(text),
            region=environment.get("POSTBUS_REGION") or DEFAULT_REGION,
            enforce_iam=environment.get("POSTBUS_ENFORCE_IAM", "") in ("1", "true", "yes"),
        )

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        """All this stack leaves on disk."""
        return LOCAL / f"stack-{self.port}"

    @property
    def deployment_file(self) -> Path:
        """Terraform's output ``deployment``: every name a user or a test needs."""
        return self.folder / "deployment.json"

    def client_environment(self, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The caller's environment, turned towards this stack: no real account is in reach of it."""
        kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
        return {
            **kept,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "POSTBUS_DEPLOYMENT": str(self.deployment_file),
            "POSTBUS_TARGET": environment.get("POSTBUS_TARGET") or "ministack",
        }
