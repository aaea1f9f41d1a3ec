"""The tour's second half: ISO 20022 messages, and what is answered."""

import json
import subprocess
import sys
from typing import Any

from lxml import etree
from rich.table import Table

from local.progress import Step, console
from local.settings import ROOT, CannotRun, Settings

EXAMPLES = ROOT / "events/iso20022/examples"

MESSAGES = {
    "pacs.008-single.xml": "one credit transfer",
    "pacs.008-bulk-with-bad-ones.xml": "four, some of which cannot be",
    "pain.001.xml": "a customer's own order",
}

# The command's answer for an end other than settled, which a message with bad ones rightly has.
_NOT_ALL_SETTLED = 1


def show(settings: Settings) -> None:
    """Send each example through the API with a token of its own, and show what comes back.

    Raises:
        CannotRun: one of them was not answered in time.
    """
    answers = {}
    for name, what in MESSAGES.items():
        with Step(f"{name}: {what}, sent through the ISO 20022 API") as step:
            answers[name] = _sent(settings, name)
            step.done(f"{name}: {answers[name]['status']}")
    table = Table("message", "went", "answer", "transfers", title="ISO 20022 messages", title_justify="left")
    for name, answer in answers.items():
        kind, statuses = _told(answer["outgoing"])
        history = " → ".join(entry["status"] for entry in answer["history"])
        table.add_row(name, history, kind, ", ".join(statuses))
    console.print(table)


def _sent(settings: Settings, name: str) -> Any:
    command = [
        sys.executable,
        "-m",
        "postbus.cli",
        "iso20022",
        "send",
        str(EXAMPLES / name),
        "--fresh",
        "--json",
    ]
    done = subprocess.run(
        command,
        env={**settings.client_environment(), "PYTHONPATH": str(ROOT / "source/src")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, _NOT_ALL_SETTLED) or not done.stdout:
        raise CannotRun(f"{name} was not answered.\n{done.stderr or done.stdout}")
    return json.loads(done.stdout)


def _told(outgoing: str) -> tuple[str, list[str]]:
    """The message that answers, and what it says of each transfer: its status, and why."""
    root = etree.fromstring(outgoing.encode())
    kind = (etree.QName(root).namespace or "").rpartition(":")[2]
    told = []
    for transfer in root.iter("{*}TxInfAndSts"):
        codes = [str(code.text) for code in transfer.iterfind("{*}StsRsnInf/{*}Rsn/{*}Cd")]
        told.append(" ".join([str(transfer.findtext("{*}TxSts")), *codes]))
    return kind, told
