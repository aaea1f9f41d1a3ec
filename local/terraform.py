"""Terraform on this machine: find it, find its provider without a network, run it, show what it does."""

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.processes import Background
from local.progress import Step
from local.settings import EMULATOR_BIN, ROOT, CannotRun, Settings

OLDEST = (1, 7, 1)  # 1.7.0 crashes on tests whose variables call functions
SOURCE = ROOT / "source"
PROVIDER = Path("registry.terraform.io/hashicorp/aws")

# Queues wait 25 s for each change; more of them at once, fewer waits in a row.
PARALLELISM = 30

# What only looks, or makes itself ready, has nothing to finish that a person would wait for.
_GRACE_SECONDS = 10.0


class Failed(CannotRun):
    """Terraform said no; the message is its own."""


@dataclass(frozen=True, slots=True)
class Terraform:
    """The program, bound to one local stack: its state and data stand in the stack's folder."""

    program: str
    settings: Settings
    variables_file: str

    @property
    def state(self) -> Path:
        return self.settings.folder / "terraform.tfstate"

    def environment(self) -> dict[str, str]:
        """Everything turned to the emulator; `python3` is the interpreter that runs the functions."""
        environment = self.settings.client_environment()
        environment["PATH"] = f"{EMULATOR_BIN}{os.pathsep}{environment.get('PATH', '')}"
        environment["TF_DATA_DIR"] = str(self.settings.folder / "terraform")
        return prepared(environment, self.settings.folder)

    def init(self) -> None:
        with Step("preparing Terraform") as step:
            command = [self.program, f"-chdir={SOURCE}", "init", "-input=false", "-no-color"]
            run(command, self.environment(), process(self.settings))
            step.done("Terraform is ready")

    def apply(self) -> None:
        """Create or change the stack; each resource counts on the live line, each package build is a line."""
        self._change("apply", "deploying the stack", "deployed")

    def destroy(self) -> None:
        self._change("destroy", "removing the stack", "removed")

    def plan_is_empty(self) -> bool:
        """Whether another apply would change nothing.

        Raises:
            Failed: the plan itself failed.
        """
        arguments = ["plan", "-detailed-exitcode", "-lock=false", "-no-color", "-input=false"]
        command = [self.program, f"-chdir={SOURCE}", *arguments, *self._options()]
        with process(self.settings).foreground(command, self.environment()) as running:
            assert running.stdout is not None
            said = running.stdout.read()
        if running.returncode == 2:
            print(said)
        elif running.returncode != 0:
            raise Failed(said)
        return running.returncode == 0

    def output(self, name: str) -> Any:
        """One output's value.

        Raises:
            Failed: there is no such output: the stack is not deployed.
        """
        command = [
            self.program,
            f"-chdir={SOURCE}",
            "output",
            "-json",
            f"-state={self.state}",
            "-no-color",
            name,
        ]
        return json.loads(run(command, self.environment()))

    def _options(self) -> list[str]:
        return [
            f"-var-file={self.variables_file}",
            *([f"-var-file={self.settings.more_variables}"] if self.settings.more_variables else []),
            f"-var=region={self.settings.region}",
            f"-state={self.state}",
            f"-parallelism={PARALLELISM}",
        ]

    def _change(self, verb: str, title: str, result: str) -> None:
        arguments = [verb, "-auto-approve", "-input=false", "-json", *self._options()]
        with Step(title) as step:
            command = [self.program, f"-chdir={SOURCE}", *arguments]
            follow(process(self.settings), command, self.environment(), step, result)


def process(settings: Settings) -> Background:
    """The Terraform that changes this stack, while it does."""
    return Background("terraform", settings.folder)


def find(environment: Mapping[str, str] = os.environ) -> str:
    """The path of a Terraform that is new enough.

    Raises:
        CannotRun: none is on PATH, or it is too old.
    """
    needed = ".".join(map(str, OLDEST))
    program = shutil.which("terraform", path=environment.get("PATH"))
    if program is None:
        raise CannotRun(
            f"Terraform {needed} or newer is needed and none was found on PATH.\n"
            "Install it from https://developer.hashicorp.com/terraform/install and try again."
        )
    shown = subprocess.run([program, "version", "-json"], capture_output=True, text=True, check=False)
    version = re.search(r'"terraform_version":\s*"(\d+)\.(\d+)\.(\d+)[^"]*"', shown.stdout)
    if version is None or tuple(map(int, version.groups())) < OLDEST:
        found = version[0].split('"')[3] if version else "a version that does not tell"
        raise CannotRun(
            f"Terraform {needed} or newer is needed; {program} is {found}.\n"
            "Install a newer one from https://developer.hashicorp.com/terraform/install and try again."
        )
    return program


def prepared(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment for Terraform: with a CLI configuration of our own only where a mirror needs one.

    A configuration that the user has is left alone, unless POSTBUS_TERRAFORM_MIRROR asks for a mirror.
    """
    result = dict(environment)
    named = result.get("TF_CLI_CONFIG_FILE")
    if named and not Path(named).exists():
        del result["TF_CLI_CONFIG_FILE"]  # Terraform itself only warns about it
    mirror = find_mirror(result)
    if mirror is not None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "terraform.rc"
        config.write_text(mirror_config(mirror), encoding="utf-8")
        result["TF_CLI_CONFIG_FILE"] = str(config)
    return result


def mirror_config(mirror: Path) -> str:
    return f"""provider_installation {{
  filesystem_mirror {{
    path    = {json.dumps(str(mirror))}
    include = ["{PROVIDER.as_posix()}"]
  }}
  direct {{
    exclude = ["{PROVIDER.as_posix()}"]
  }}
}}
"""


def find_mirror(environment: Mapping[str, str], root: Path = Path("/")) -> Path | None:
    """A folder with the AWS provider that Terraform would not find by itself, or ``None``.

    Asked in this order: POSTBUS_TERRAFORM_MIRROR; the user's own configuration and the places where
    Terraform looks unasked (nothing to do then); folders directly under the system's add-on and share
    directories.

    Raises:
        CannotRun: POSTBUS_TERRAFORM_MIRROR names a folder without the provider.
    """
    asked = environment.get("POSTBUS_TERRAFORM_MIRROR")
    if asked:
        if not _holds_provider(Path(asked)):
            raise CannotRun(
                f"POSTBUS_TERRAFORM_MIRROR: {asked} holds no {PROVIDER} for this machine ({_platform()})."
            )
        return Path(asked).resolve()
    home = Path(environment.get("HOME", "/nonexistent"))
    if environment.get("TF_CLI_CONFIG_FILE") or (home / ".terraformrc").exists():
        return None
    shares = environment.get("XDG_DATA_DIRS") or f"{root}usr/local/share:{root}usr/share"
    own = environment.get("XDG_DATA_HOME") or str(home / ".local/share")
    unasked = [home / ".terraform.d/plugins", Path(own) / "terraform/plugins"]
    unasked += [Path(share) / "terraform/plugins" for share in shares.split(":") if share]
    if any(_holds_provider(place) for place in unasked):
        return None
    for parent in ("opt", "usr/share", "usr/local/share"):
        for place in sorted((root / parent).glob("*/")):
            if _holds_provider(place):
                return place
    return None


def _holds_provider(place: Path) -> bool:
    """Whether a mirror's folder has the provider for this machine, unpacked or packed."""
    try:
        provider = place / PROVIDER
        return any(provider.glob(f"*/{_platform()}")) or any(provider.glob(f"*_{_platform()}.zip"))
    except OSError:  # a folder that is not ours to read holds nothing for us
        return False


def _platform() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64", "AMD64": "amd64"}.get(
        platform.machine(), platform.machine()
    )
    return f"{platform.system().lower()}_{machine}"


def run(command: Sequence[str], environment: Mapping[str, str], background: Background | None = None) -> str:
    """Run to the end and return what it printed; an interrupt ends it, and what it has started.

    Args:
        background: where it is found by another command meanwhile; ``None`` for nowhere.
    Raises:
        Failed: it ended with an error; the message is what it printed.
    """
    with TemporaryDirectory() as scratch, (Path(scratch) / "errors").open("w+", encoding="utf-8") as errors:
        own = background or Background("run", Path(scratch))
        with own.foreground(command, environment, _GRACE_SECONDS, errors) as running:
            assert running.stdout is not None
            said = running.stdout.read()
        errors.seek(0)
        if running.returncode != 0:
            raise Failed(f"{Path(command[0]).name} {' '.join(command[1:])}\n{said}{errors.read()}")
    return said


def follow(
    background: Background, command: Sequence[str], environment: Mapping[str, str], step: Step, result: str
) -> None:
    """Run ``terraform apply|destroy -json`` and show its messages as they come.

    An interrupt is Terraform's too: it has the time to finish what it is at, and its provider ends with it.

    Raises:
        Failed: with the errors that Terraform gave.
    """
    account = Account()
    with background.foreground(command, environment) as running:
        assert running.stdout is not None
        try:
            for line in running.stdout:
                account.take(line, step.note)
                step.update(account.line())
        except KeyboardInterrupt:
            step.update("interrupted, Terraform finishes what it is at; again to end it at once")
            raise
    if running.returncode != 0:
        raise Failed("\n".join(account.errors) or f"terraform ended with {running.returncode}")
    step.done(f"{result}: {account.summary or 'no changes'}")


class Account:
    """What Terraform said so far: how many of the planned changes are done, and what it is at."""

    def __init__(self) -> None:
        self.planned = 0
        self.finished = 0
        self.summary = ""
        self.errors: list[str] = []
        self._busy: dict[str, None] = {}  # in the order they began

    def line(self) -> str:
        if not self._busy and not self.finished:
            return "reading what there is"
        more = f" and {len(self._busy) - 1} more" if len(self._busy) > 1 else ""
        return f"{self.finished}/{self.planned} {next(reversed(self._busy), '')}{more}".strip()

    def take(self, line: str, note: Callable[[str], None]) -> None:
        """Read one line of Terraform's machine-readable output; other lines are kept as errors."""
        try:
            message = json.loads(line)
        except ValueError:
            if line.strip():
                self.errors.append(line.rstrip())
            return
        match message.get("type"):
            case "planned_change" if message["change"]["action"] not in ("read", "noop"):
                self.planned += 2 if message["change"]["action"] == "replace" else 1
            case "apply_start" if message["hook"]["action"] != "read":
                self._busy[message["hook"]["resource"]["addr"]] = None
            case "apply_complete" if message["hook"]["action"] != "read":
                self._busy.pop(message["hook"]["resource"]["addr"], None)
                self.finished += 1
            case "provision_progress" if message["hook"].get("output", "").startswith("package "):
                note(message["hook"]["output"].strip())
            case "change_summary" if message["changes"]["operation"] != "plan":
                changes = message["changes"]
                counts = (("add", "added"), ("change", "changed"), ("remove", "removed"))
                self.summary = ", ".join(f"{changes[key]} {word}" for key, word in counts if changes[key])
            case "diagnostic" if message["diagnostic"]["severity"] == "error":
                self.errors.append(_diagnostic(message["diagnostic"]))
            case _:
                return


def _diagnostic(found: Mapping[str, Any]) -> str:
    where = f"{found['range']['filename']}:{found['range']['start']['line']}: " if found.get("range") else ""
    address = f" ({found['address']})" if found.get("address") else ""
    return f"{where}{found['summary']}{address}\n{found.get('detail', '')}".rstrip()


def modules() -> Iterator[Path]:
    """The root and each module, for `terraform test` and `validate`."""
    yield SOURCE
    for path in sorted((SOURCE / "modules").glob("*/")):
        if any(path.glob("*.tf")):
            yield path
