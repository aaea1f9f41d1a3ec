"""`python -m local <verb>`: what the Makefile calls where a target needs more than one command."""

import argparse
import os
import signal
import sys
from dataclasses import replace

from local import checks, demo, stack
from local.progress import console
from local.settings import CannotRun, Settings
from local.terraform import find_mirror, mirror_config


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m local", description="Run Postbus on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="start the emulator, deploy the stack, run the pipes")
    verbs.add_parser("down", help="end it all and delete what it left")
    verbs.add_parser("status", help="what is running")
    verbs.add_parser("demo", help="up, then the guided tour")
    verbs.add_parser("plan", help="fail unless another apply would change nothing")
    verbs.add_parser("test-terraform", help=f"all of {', '.join(checks.PARTS)}, or those named")
    verbs.add_parser("e2e", help="the end-to-end tests on a stack of their own; further words go to pytest")
    verbs.add_parser("terraform-config", help="print a CLI configuration for the provider mirror found here")
    options, further = parser.parse_known_args(arguments)
    if further and options.verb not in ("e2e", "test-terraform"):
        parser.error(f"{options.verb} takes no {' '.join(further)}")
    settings = Settings.from_environment()
    try:
        _do(options.verb, settings, further)
    except KeyboardInterrupt:
        if options.verb not in ("up", "demo", "down"):
            raise Interrupted("interrupted") from None
        again = "make down" if settings.port == Settings().port else f"POSTBUS_PORT={settings.port} make down"
        raise Interrupted(f"interrupted; `{again}` ends what was started") from None


class Interrupted(KeyboardInterrupt):
    """Interrupted, and here is what to do now."""


def _do(verb: str, settings: Settings, further: list[str]) -> None:
    match verb:
        case "up":
            stack.up(settings)
        case "down":
            stack.down(settings)
        case "status":
            stack.status(settings)
        case "demo":
            stack.up(settings)
            demo.run(settings)
        case "plan":
            if not stack.terraform(settings).plan_is_empty():
                raise CannotRun("the plan is not empty")
            print("the plan is empty")
        case "test-terraform":
            checks.terraform(*further)
        case "e2e":
            # Roles are enforced where the emulator can: a grant that is missing fails here, not on AWS.
            own = replace(checks.own_port(settings), enforce_iam=True, more_variables=checks.END_TO_END)
            checks.end_to_end(own, further)
        case "terraform-config":
            _terraform_config()


def _terraform_config() -> None:
    mirror = find_mirror({name: value for name, value in os.environ.items() if name != "TF_CLI_CONFIG_FILE"})
    if mirror is None:
        raise CannotRun("Terraform finds its provider by itself here, or no mirror was found.")
    print(mirror_config(mirror), end="")


if __name__ == "__main__":
    # Whoever ends `make` or closes the terminal interrupts too, unless that was to be ignored (nohup).
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        main(sys.argv[1:])
    except CannotRun as problem:
        console.print(f"\n{problem}", style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt as interrupt:
        if interrupt.args:
            console.print(f"\n{interrupt}", style="yellow", markup=False)
        sys.exit(130)
