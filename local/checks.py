"""The checks that need more than one command: Terraform's own, and end to end on a stack of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import emulator, stack
from local.progress import Step, console
from local.settings import LOCAL, ROOT, CannotRun, Settings, make_local
from local.terraform import SOURCE, find, modules, prepared, run

END_TO_END = ROOT / "local" / "e2e.tfvars"
CHECKOV = ROOT / ".venv-checkov" / "bin" / "python"


def terraform(*parts: str) -> None:
    """What is checked of the Terraform: all of it, or the parts that are named.

    Raises:
        CannotRun: with the findings of the first check that failed; a part is none of ``PARTS``.
    """
    if unknown := set(parts) - PARTS.keys():
        raise CannotRun(f"one of {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    for part in parts or PARTS:
        PARTS[part]()


def terraform_root() -> None:
    """`fmt` of everything, `validate` and `test` of the root."""
    _test_modules([SOURCE])


def terraform_modules() -> None:
    """`test` of every module by itself."""
    _test_modules([module for module in modules() if module != SOURCE])


def _test_modules(chosen: Sequence[Path]) -> None:
    """`init` and `test` each; of the root also `fmt`, which sees every module, and `validate`.

    Raises:
        CannotRun: with the findings of the first check that failed.
    """
    program = find()
    make_local()
    cache = LOCAL / "cache"
    environment = prepared({**os.environ, "AWS_REGION": "eu-central-1"}, cache)
    # Each module has a data folder of its own, but the provider is fetched once.
    environment["TF_PLUGIN_CACHE_DIR"] = str(cache / "plugins")
    environment["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"
    (cache / "plugins").mkdir(parents=True, exist_ok=True)
    if SOURCE in chosen:
        with Step("terraform fmt") as step:
            run([program, f"-chdir={SOURCE}", "fmt", "-check", "-recursive", "-diff"], environment)
            step.done("terraform fmt: clean")
    # Validating the root validates every module as it is used; a module's own tests plan it by itself.
    for module in chosen:
        name = "root" if module == SOURCE else f"module {module.name}"
        if module != SOURCE and not _has_tests(module):
            console.print(f"[dim]· terraform {name}: no tests of its own[/dim]")
            continue
        with Step(f"terraform {name}") as step:
            there = {**environment, "TF_DATA_DIR": str(cache / "terraform" / module.name)}
            step.update("init")
            run([program, f"-chdir={module}", "init", "-backend=false", "-input=false", "-no-color"], there)
            if module == SOURCE:
                step.update("validate")
                run([program, f"-chdir={module}", "validate", "-no-color"], there)
            step.update("test")
            said = run([program, f"-chdir={module}", "test", "-no-color"], there)
            step.done(f"terraform {name}: {said.strip().splitlines()[-1]}")


def checkov() -> None:
    """Static analysis of the Terraform; what is skipped stands, with its reason, beside its resource."""
    with Step("checkov") as step:
        command = [str(CHECKOV), "-m", "checkov.main", "--directory", str(SOURCE), "--framework", "terraform"]
        # It would ask its maker's servers for severities.
        command += ["--quiet", "--compact", "--skip-download"]
        settings = [f"--config-file={path}" for path in [ROOT / ".checkov.yaml"] if path.exists()]
        run(
            [*command, *settings],
            {**os.environ, "LOG_LEVEL": "ERROR", "CHECKOV_RUN_SCA_PACKAGE_SCAN": "false"},
        )
        step.done("checkov: no findings")


PARTS = {"terraform-root": terraform_root, "terraform-modules": terraform_modules, "checkov": checkov}


def end_to_end(settings: Settings, arguments: Sequence[str]) -> None:
    """Deploy to the chosen target, run the end-to-end tests, take it down again.

    POSTBUS_KEEP=1 leaves the stack up, for a look at it.

    Raises:
        CannotRun: tests failed, or the second plan would change something.
    """
    chosen = stack.target(settings)
    if chosen["id"] == "aws":
        if not os.environ.get("POSTBUS_DEPLOYMENT"):
            raise CannotRun("POSTBUS_DEPLOYMENT: the file with Terraform's output `deployment`")
        _pytest(["tests/e2e", *arguments], {**os.environ})
        return
    failed = True
    try:
        stack.up(settings)
        terraform = stack.terraform(settings)
        with Step("planning again") as step:
            if not terraform.plan_is_empty():
                raise CannotRun("an apply right after an apply would change something")
            step.done("a second plan is empty")
        _pytest(["tests/e2e", "--maxfail=4", *arguments], settings.client_environment())
        if os.environ.get("POSTBUS_KEEP") != "1":
            terraform.destroy()
        failed = False
    finally:
        if failed:
            for background in (emulator.process(settings), stack.pipe_runner(settings)):
                console.print(f"{background.name}:\n{background.tail()}", markup=False)
        if os.environ.get("POSTBUS_KEEP") == "1":
            console.print(f"left up at {settings.endpoint}: POSTBUS_PORT={settings.port} make down")
        else:
            stack.down(settings)


def own_port(settings: Settings) -> Settings:
    """A stack of its own for a check: never one that somebody is using, never a port that is taken."""
    if os.environ.get("POSTBUS_PORT") or stack.target(settings)["id"] != "ministack":
        return settings
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return Settings(port=port, region=settings.region, enforce_iam=settings.enforce_iam)


def _pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=dict(environment), check=False
    )
    if done.returncode != 0:
        raise CannotRun(f"the end-to-end tests failed (pytest ended with {done.returncode})")


def _has_tests(module: Path) -> bool:
    return any((module / "tests").glob("*.tftest.hcl"))
