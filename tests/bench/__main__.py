"""Every figure the README states, measured on this machine.

    make bench            all of it, about six minutes on two cores
    make bench QUICK=1    smaller runs, for a look

Absolute figures are this machine's; it is named first.  Nothing here asserts a time: a run fails only when it
was not whole, that is when a payment was lost or doubled or the books do not balance.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import checks, emulator, stack
from local.settings import ROOT, Settings
from local.terraform import SOURCE, run
from postbus.cli.sample import load_sample
from tests.bench import cost, imports, iso20022, pipeline
from tests.bench.meter import Meter, serve
from tests.e2e.stack import Stack

# Payments of the run whose units are counted; enough that batches fall as they do under a steady load.
COUNTED = 400
COUNTED_PER_SECOND = 40

# What CloudWatch adds to each event of a log before it counts its bytes.
LOG_OVERHEAD_BYTES = 26


def machine() -> str:
    """What the figures were measured on."""
    cpus = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return (
        f"{os.cpu_count()} x {', '.join(sorted(cpus)) or platform.machine()}, {memory} GiB, "
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", default=os.environ.get("QUICK") == "1")
    parser.add_argument("--only", choices=("imports", "iso20022", "pipeline", "cost", "debtor"))
    options = parser.parse_args()
    print(f"machine: {machine()}\nload before: {os.getloadavg()[0]:.2f}\n", flush=True)
    if options.only in (None, "imports"):
        section("Packages and cold imports")
        imports.report(built_packages())
    if options.only in (None, "iso20022"):
        section("ISO 20022 messages, on one core")
        iso20022.report(options.quick)
    if options.only in ("imports", "iso20022"):
        return
    settings = checks.own_port(Settings.from_environment())
    try:
        stack.up(settings)
        os.environ.update(settings.client_environment())
        deployed = Stack(json.loads(settings.deployment_file.read_text()), settings.deployment_file)
        load_sample(
            deployed.client("dynamodb"),
            deployed.deployment["tables"],
            deployed.deployment["posting_shards"],
            datetime.now(UTC),
        )
        if options.only in (None, "pipeline"):
            section("The whole chain on the embedded emulator")
            pipeline.report(deployed, emulator.process(settings).pid(), options.quick)
        if options.only in (None, "debtor"):
            section("A debtor with 1,000 transfers in one batch")
            subprocess.run([sys.executable, "-m", "tests.bench.hot_debtor"], cwd=ROOT, check=True)
        if options.only in (None, "cost"):
            section("Cost on AWS, counted in a run")
            priced(deployed, settings)
    finally:
        stack.down(settings)


def section(title: str) -> None:
    print(f"\n== {title}", flush=True)


def built_packages() -> dict[str, Path]:
    """The packages as they go to AWS (arm64), and as they run here, by name."""
    builder = ROOT / "source/build/package.py"
    found: dict[str, Path] = {}
    for name in ("core", "rules", "mock", "iso20022", "screening", "mq"):
        for label, system in ((f"{name} (arm64)", ["linux-arm64", "--python", "3.13"]), (name, ["host"])):
            archive = ROOT / f".build/bench/{system[0]}/{name}.zip"
            command = [sys.executable, str(builder), name, "--platform", *system, "--output", str(archive)]
            subprocess.run(command, cwd=ROOT, check=True)
            found[label] = archive
    return found


def priced(deployed: Stack, settings: Settings) -> None:
    """Count what a run asks for, and what a million payments would cost."""
    mix = {"count": COUNTED, "rate_per_second": COUNTED_PER_SECOND, "invalid_rate": 0, "declined_rate": 0}
    meter = Meter()
    server = serve(0, settings.port, meter)
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with batching_window(deployed):
        try:
            with through(deployed, endpoint):
                # New workers are warmed first, and their connections made.
                deployed.invoke("visa-mock", {**mix, "seed": 2, "count": 40})
                deployed.quiet(180)
                meter.units.clear()
                deployed.invoke("visa-mock", {**mix, "seed": 1})
                deployed.quiet(180)
                units = dict(meter.units)
        finally:
            server.shutdown()
            server.server_close()
        # The meter costs time: what the functions take is measured without it.
        deployed.invoke("visa-mock", {**mix, "seed": 3, "count": 40})
        deployed.quiet(180)
        since = int(time.time() * 1000)
        deployed.invoke("visa-mock", {**mix, "seed": 4})
        deployed.quiet(180)
        functions = invocations(deployed, since)
    lines = cost.bill(units, COUNTED, functions)
    print(f"counted over {COUNTED} payments of the mock's ordinary mix at {COUNTED_PER_SECOND} a second\n")
    cost.show(lines, cost.idle(planned_resources(settings)))


@contextmanager
def batching_window(deployed: Stack) -> Iterator[None]:
    """Poll the timeline's queue as Lambda does on AWS: the emulator takes ten messages at most, at once."""
    functions, queues = deployed.client("lambda"), deployed.client("sqs")
    name = deployed.deployment["functions"]["record-timeline"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    url = queues.get_queue_url(QueueName=mapping["EventSourceArn"].rpartition(":")[2])["QueueUrl"]
    size = int(cost.variable_default("timeline_batch_size"))
    window = float(cost.variable_default("timeline_batching_window_seconds"))
    ended = threading.Event()

    def received() -> Iterator[Any]:
        while messages := queues.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"]
        ).get("Messages"):
            yield from messages

    def poll() -> None:
        while not ended.wait(window):
            waiting = list(received())
            for start in range(0, len(waiting), size):
                batch = waiting[start : start + size]
                deployed.invoke("record-timeline", {"Records": [as_record(message) for message in batch]})
                for message in batch:
                    queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def as_record(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as Lambda hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }


@contextmanager
def through(deployed: Stack, endpoint: str) -> Iterator[None]:
    """Every function speaks to AWS by way of the meter."""
    functions = deployed.client("lambda")
    before: dict[str, Mapping[str, str]] = {}
    for name in deployed.deployment["functions"].values():
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        before[name] = variables
        changed = {**variables, "AWS_ENDPOINT_URL": endpoint}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": changed})
    try:
        yield
    finally:
        for name, variables in before.items():
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


def invocations(deployed: Stack, since: int) -> dict[str, dict[str, float]]:
    """What each function did since then, by its own log: one line an invocation, with its time."""
    functions, logs = deployed.client("lambda"), deployed.client("logs")
    found: dict[str, dict[str, float]] = {}
    for name in deployed.deployment["functions"].values():
        configuration = functions.get_function_configuration(FunctionName=name)
        memory = configuration["MemorySize"] / 1024
        sums: dict[str, float] = defaultdict(float)
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since):
            for event in page["events"]:
                # START, END and REPORT are off (system_log_level); the emulator writes them all the same.
                for line, told in json_lines(event["message"]):
                    sums["log_bytes"] += len(line.encode()) + LOG_OVERHEAD_BYTES
                    if told.get("message") in ("batch", "answered") and "milliseconds" in told:
                        sums["invocations"] += 1
                        sums["messages"] += told.get("messages", 0)
                        sums["queued"] = float(told["message"] == "batch")
                        sums["gb_seconds"] += max(1, told["milliseconds"]) / 1000 * memory
        found[name.removeprefix(deployed.deployment["name_prefix"]).removeprefix("postbus-")] = dict(sums)
    return {
        name.replace("-", "_"): {"invocations": 0, "messages": 0, "gb_seconds": 0, "log_bytes": 0} | sums
        for name, sums in found.items()
        # Made-up payments, and what stands in for a rule where the emulator lacks one, are not on the bill.
        if name not in ("visa-mock", "forward-audit")
    }


def json_lines(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines that are JSON objects, as they stand and as they read."""
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            yield line, told


def planned_resources(settings: Settings) -> Counter[str]:
    """How many resources of each type a deployment to AWS makes, alarms and pipes included: by its plan."""
    terraform = stack.terraform(settings)
    planned: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        command = [terraform.program, f"-chdir={SOURCE}", "plan", "-json", "-input=false", "-lock=false"]
        command += [f"-state={scratch}/none.tfstate", f"-var=region={settings.region}"]
        command += ["-var=target={is_aws=false}"]
        for _, told in json_lines(run(command, terraform.environment())):
            change = told.get("change", {})
            if told.get("type") == "planned_change" and change.get("action") == "create":
                planned[change["resource"]["resource_type"]] += 1
    if not planned["aws_cloudwatch_metric_alarm"]:
        raise SystemExit("the plan names no alarm: has its notation changed?")
    return planned


if __name__ == "__main__":
    main()
