"""The whole stack on one target: up, down, what is running."""

import json
import os
import re
import shutil
import sys
import tomllib
from contextlib import suppress
from typing import Any

from local import emulator
from local.processes import Background
from local.progress import Step, console
from local.settings import LOCAL, ROOT, CannotRun, Settings, make_local
from local.terraform import Failed, Terraform, find
from local.terraform import process as terraform_process

# What services say of what is there already: some with status 409, some with 400.
_THERE_ALREADY = re.compile("StatusCode: 409|AlreadyExists|ResourceInUse|already exists")

# Seldom more than one: emulator_server.py leaves little to be lost.
_TRIES = 3


def target(settings: Settings) -> dict[str, Any]:
    """What `tests/targets.toml` says about the chosen target.

    Raises:
        CannotRun: there is no such target.
    """
    name = settings.client_environment()["POSTBUS_TARGET"]
    known = tomllib.loads((ROOT / "tests" / "targets.toml").read_text(encoding="utf-8"))
    found = known.get(name)
    if not isinstance(found, dict):
        names = ", ".join(one for one, value in known.items() if isinstance(value, dict))
        raise CannotRun(f"POSTBUS_TARGET: one of {names}, not {name!r}")
    return {"id": name, **found}


def terraform(settings: Settings) -> Terraform:
    """Terraform for the chosen target's stack."""
    return Terraform(find(), settings, variables_file(target(settings)["id"]))


def up(settings: Settings) -> None:
    """Emulator, deployment, pipe runner: each is left as it is where it already runs.

    Raises:
        CannotRun: something on this machine is in the way.
    """
    chosen = target(settings)
    deployed = terraform(settings)
    make_local()
    if chosen["id"] == "ministack":
        with Step("starting the emulator") as step:
            emulator.start(settings)
            step.done(f"the emulator answers at {settings.endpoint}")
    elif not emulator.port_taken(settings.port):
        raise CannotRun(f"{chosen['name']} does not answer at {settings.endpoint}: start it first.")
    _deploy(deployed, from_nothing=chosen["id"] == "ministack" and not deployed.state.exists())
    with Step("reading what was deployed") as step:
        deployment = deployed.output("deployment")
        settings.deployment_file.write_text(json.dumps(deployment, indent=1), encoding="utf-8")
        pipes = deployed.output("pipes")
        (settings.folder / "pipes.json").write_text(json.dumps(pipes, indent=1), encoding="utf-8")
        step.done(f"names are in {settings.deployment_file.relative_to(ROOT)}")
    if "pipes" not in chosen["capabilities"]:
        runner = pipe_runner(settings)
        runner.stop()  # one that runs may have another definition
        command = [sys.executable, "-m", "local.pipe_runner", f"--pipes={settings.folder / 'pipes.json'}"]
        environment = {
            **settings.client_environment(),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'source/src'}",
        }
        runner.start([*command, f"--positions={settings.folder / 'positions.json'}"], environment)
        console.print(f"[green]✓[/green] the pipe runner delivers {', '.join(pipes)}")


def _deploy(deployed: Terraform, from_nothing: bool) -> None:
    """Apply; again from nothing where an answer was lost on the way.

    Now and then Terraform's provider closes a connection on which the answer to a creation is under way, and
    asks again.  It is then told that there is one already: its own, of which it knows nothing.
    """
    deployed.init()
    for tries_left in reversed(range(_TRIES)):
        try:
            deployed.apply()
        except Failed as error:
            if not _THERE_ALREADY.search(str(error)):
                raise
            if not (from_nothing and tries_left):
                raise Failed(
                    f"{error}\n`make down` ends what stands here in part; then begin again."
                ) from None
            console.print(
                f"[yellow]an answer was lost, so all of it again:[/yellow] {error}", highlight=False
            )
            settings = deployed.settings
            emulator.stop(settings, keep_state=False)
            shutil.rmtree(settings.folder)
            emulator.start(settings)
            deployed.init()
        else:
            return


def down(settings: Settings) -> None:
    """End what runs and delete what it left; another port's stack stays as it is."""
    with Step("stopping the stack") as step:
        ended = []
        for background in (terraform_process(settings), pipe_runner(settings)):
            step.update(background.name)
            if background.stop(grace_seconds=0):
                ended.append(background.name)
        step.update("emulator")
        if emulator.stop(settings, keep_state=False):
            ended.append("emulator")
        step.update("deleting what it left")
        shutil.rmtree(settings.folder, ignore_errors=True)
        # Another stack, or what a check beside this one works with, is not what this one left.
        with suppress(OSError):
            LOCAL.rmdir()
        step.done(f"ended {', '.join(ended)}; no data is left" if ended else "nothing was running")


def status(settings: Settings) -> None:
    if not settings.folder.exists():
        console.print(f"no stack is up on port {settings.port}: `make demo`, or `make up`, starts one")
        return
    for background in (emulator.process(settings), pipe_runner(settings)):
        pid = background.pid()
        console.print(f"{background.name}: {f'running, pid {pid}' if pid else 'not running'}")
    if pid := terraform_process(settings).pid():
        console.print(f"terraform: at work, pid {pid}")
    console.print(f"endpoint: {settings.endpoint}\ndeployment: {settings.deployment_file}")


def pipe_runner(settings: Settings) -> Background:
    return Background("pipe-runner", settings.folder)


def variables_file(target_id: str) -> str:
    return str(ROOT / "local" / f"{target_id}.tfvars")
