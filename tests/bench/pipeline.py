"""How fast payments go through the whole deployed chain, and what a burst costs in processes and memory.

A payment's latency runs from just before its record is written to the time its posting was committed, both
by this machine's clock.  Every run ends by checking that it is whole: each payment posted once, the trial
balance zero.
"""

import os
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from postbus.domain import sample
from tests.e2e.stack import Stack, visa_record

LONGEST_WAIT_SECONDS = 240


def write(stack: Stack, records: Sequence[dict[str, str]], rate: float | None) -> dict[str, datetime]:
    """Write the records, in ten groups a second or as fast as can be; when each was about to be written.

    In groups, so that the load itself takes little of the machine that is measured.
    """
    client, table = stack.client("dynamodb"), stack.deployment["tables"]["visa"]
    size = max(1, round(rate / 10)) if rate else 25
    written: dict[str, datetime] = {}

    def some(group: Sequence[dict[str, str]]) -> None:
        at = datetime.now(UTC)
        written.update({f"visa-{record['auth']}": at for record in group})
        items = [{name: {"S": value} for name, value in record.items()} for record in group]
        answer = client.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]}
        )
        if answer["UnprocessedItems"]:
            raise SystemExit("the emulator did not take the load")

    with ThreadPoolExecutor(4) as writers:
        began = time.monotonic()
        groups = []
        for start in range(0, len(records), size):
            if rate:
                time.sleep(max(0.0, began + start / rate - time.monotonic()))
            groups.append(writers.submit(some, records[start : start + size]))
    for group in groups:
        group.result()
    return written


def posted(stack: Stack, wanted: set[str]) -> dict[str, datetime]:
    """When each wanted payment was posted; all of them, or those there were when the time was up."""
    client, table = stack.client("dynamodb"), stack.deployment["tables"]["ledger"]
    found: dict[str, datetime] = {}
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while (missing := sorted(wanted - found.keys())) and time.monotonic() < deadline:
        before = len(found)
        for start in range(0, len(missing), 100):
            keys = [{"transaction_id": {"S": identifier}} for identifier in missing[start : start + 100]]
            answer = client.batch_get_item(
                RequestItems={
                    table: {
                        "Keys": keys,
                        "ProjectionExpression": "transaction_id, #s, decided_at",
                        "ExpressionAttributeNames": {"#s": "state"},
                    }
                }
            )
            for item in answer["Responses"][table]:
                if item["state"]["S"] == "POSTED":
                    found[item["transaction_id"]["S"]] = datetime.fromisoformat(item["decided_at"]["S"])
        if len(found) == before:
            time.sleep(0.5)
    return found


class Descendants(threading.Thread):
    """Samples the emulator's processes and their memory twice a second."""

    def __init__(self, root_pid: int) -> None:
        super().__init__(daemon=True)
        self._root, self._done = root_pid, threading.Event()
        self.processes = 0
        self.megabytes = 0

    def run(self) -> None:
        while not self._done.wait(0.5):
            parents: dict[int, int] = {}
            for stat in Path("/proc").glob("[0-9]*/stat"):
                try:
                    parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
                except OSError:
                    continue
            family = {self._root}
            while grown := {pid for pid, parent in parents.items() if parent in family} - family:
                family |= grown
            memory = 0
            for pid in family:
                try:
                    memory += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf(
                        "SC_PAGE_SIZE"
                    )
                except OSError:
                    continue
            self.processes = max(self.processes, len(family))
            self.megabytes = max(self.megabytes, memory // 1_000_000)

    def stop(self) -> None:
        self._done.set()
        self.join()


def measure(
    stack: Stack, name: str, count: int, rate: float | None, emulator_pid: int | None
) -> dict[str, Any]:
    """One run, whole or an error."""
    print(f"{name}: {count} payments {f'at {rate:g} per second' if rate else 'at once'} …", flush=True)
    sampler = Descendants(emulator_pid) if emulator_pid else None
    if sampler:
        sampler.start()
    # Spread over many cards: one card with hundreds of payments an hour would rightly be held.
    cards = [sample.token_of(sample.pan(number)) for number in range(sample.DEFAULT_CARDS)]
    records = [visa_record(pan_token=cards[number % len(cards)]) for number in range(count)]
    written = write(stack, records, rate)
    done = posted(stack, set(written))
    if sampler:
        sampler.stop()
    if lost := set(written) - set(done):
        raise SystemExit(
            f"{len(lost)} of {count} were not posted within {LONGEST_WAIT_SECONDS} s: {sorted(lost)[:3]} …"
        )
    if any(stack.trial_balance().values()):
        raise SystemExit(f"trial balance is not zero: {stack.trial_balance()}")
    seconds = sorted((done[key] - written[key]).total_seconds() for key in written)
    whole = (max(done.values()) - min(written.values())).total_seconds()
    row: dict[str, Any] = {
        "run": name,
        "payments": count,
        "per_second": round(count / whole, 1),
        "p50_seconds": round(statistics.median(seconds), 3),
        "p95_seconds": round(seconds[int(len(seconds) * 0.95) - 1], 3),
        "seconds": round(whole, 1),
    }
    if sampler:
        row |= {"processes": sampler.processes, "memory_mb": sampler.megabytes}
    return row


def report(stack: Stack, emulator_pid: int | None, quick: bool) -> None:
    """Run the steady loads and the bursts, and print a line for each."""
    scale = 4 if quick else 1
    measure(stack, "warm-up", 20, 5.0, None)
    rows = [
        measure(stack, "steady 20/s", 1200 // scale, 20.0, emulator_pid),
        measure(stack, "steady 45/s", 2700 // scale, 45.0, emulator_pid),
        measure(stack, "burst of 200", 200, None, emulator_pid),
        measure(stack, "burst of 2000", 2000 // scale, None, emulator_pid),
    ]
    for row in rows:
        print("  ".join(f"{name}={value}" for name, value in row.items()))
