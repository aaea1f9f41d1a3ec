"""The operator's command, ``postbus``: find out what happens to payments, and decide where someone must."""

import json
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table
from typer.core import TyperGroup

from postbus.adapters.lambda_functions import LambdaFunction
from postbus.cli import (
    dead_letters,
    deployment,
    hold,
    iso20022,
    ledger,
    reconcile,
    replay,
    rules,
    sample,
    status,
    trace,
)
from postbus.cli.desk import AS_JSON, Changing, Desk, SafeConsole, desk_of
from postbus.cli.errors import CannotRun, Exit
from postbus.domain.errors import InvariantBroken, Malformed, OutcomeUnknown, PostbusError, Unavailable


class PlainErrors(TyperGroup):
    """One line to standard error and an exit code, instead of a traceback, for what people can act on."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (CannotRun, PostbusError, ClientError, BotoCoreError) as error:
            text, code = _told(error)
            SafeConsole(stderr=True, soft_wrap=True, highlight=False).print(f"postbus: {text}")
            raise typer.Exit(code) from None


def _told(error: Exception) -> tuple[str, int]:
    match error:
        case CannotRun():
            return str(error), error.exit
        case Malformed():
            return str(error), Exit.BAD_INPUT
        case Unavailable() | OutcomeUnknown():
            return f"{error}. Nothing is lost: try again.", Exit.NO_ANSWER
        case InvariantBroken():
            return f"{error}. This should not happen: keep this message for the developers.", Exit.NOT_DONE
        case ClientError():
            said = error.response.get("Error", {})
            what = f"{error.operation_name}: {said.get('Code', '')}: {said.get('Message', '')}"
            return f"AWS refused {what}", Exit.NOT_DONE
    return f"{type(error).__name__}: {error}", Exit.NO_ANSWER if _is_silence(error) else Exit.BAD_INPUT


def _is_silence(error: Exception) -> bool:
    return "Connect" in type(error).__name__ or "Timeout" in type(error).__name__


app = typer.Typer(
    name="postbus",
    cls=PlainErrors,
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def choose(
    context: typer.Context,
    prefix: str = typer.Option("", "--prefix", envvar="POSTBUS_PREFIX", help="The deployment's name prefix."),
    region: str | None = typer.Option(
        None, "--region", help="AWS region of the deployment; AWS_REGION alone decides nothing."
    ),
    file: str | None = typer.Option(
        None,
        "--deployment",
        envvar="POSTBUS_DEPLOYMENT",
        help="A file with the Terraform output `deployment`; by default the parameter store is asked.",
    ),
) -> None:
    """Which deployment to speak to."""
    if context.obj is None:
        context.obj = Desk(lambda: deployment.load(prefix, region, file))


app.command("status")(status.status)
app.command("trace")(trace.trace)
app.command("cancel", cls=Changing)(hold.cancel)
app.command("reconcile", cls=Changing)(reconcile.reconcile)
app.command("replay", cls=Changing)(replay.replay)
app.add_typer(hold.app, name="hold")
app.add_typer(dead_letters.app, name="dlq")
app.add_typer(iso20022.app, name="iso20022")
app.add_typer(ledger.app, name="ledger")
app.add_typer(rules.app, name="rules")
app.add_typer(sample.app, name="sample")


@app.command("sweep", cls=Changing)
def sweep(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """Send the last event of what got stuck again now, without waiting for the schedule."""
    desk = desk_of(context)
    function = LambdaFunction(desk.deployment.client("lambda"), desk.deployment.one("functions", "sweep"))
    with desk.progress("sweeping"):
        counts = function({})
    desk.show(as_json, counts, ", ".join(f"{number} {what}" for what, number in counts.items()))


@app.command("deployment")
def names(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """The names of everything this deployment consists of."""
    desk = desk_of(context)
    table = Table("what", "name")
    for kind, value in desk.deployment.names.items():
        if isinstance(value, dict):
            for name, what in sorted(value.items()):
                table.add_row(f"{kind}.{name}", str(what))
        else:
            table.add_row(kind, value if isinstance(value, str) else json.dumps(value))
    desk.show(as_json, desk.deployment.names, table)


def main() -> None:
    app(prog_name="postbus")
