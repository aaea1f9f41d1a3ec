"""A counting proxy between the stack and its emulator: every billable unit the functions ask for.

    python -m tests.bench.meter --listen 4577 --to 4566

It passes bytes through unchanged and counts by service and operation.  Sizes are those of the real
requests.  The rules it counts by (1 KB write units, doubled in a transaction; 4 KB read units; 64 KB
requests and events) are the services' published ones.
"""

import argparse
import http.client
import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KB = 1024


def item_bytes(item: Mapping[str, Any]) -> int:
    """Size of a DynamoDB item as the service counts it: names plus values, in bytes.

    Source: DynamoDB developer guide, item sizes and formats.
    """
    return sum(len(name.encode()) + _value_bytes(attribute) for name, attribute in item.items())


def _value_bytes(attribute: Mapping[str, Any]) -> int:
    ((kind, content),) = attribute.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content) * 3 // 4
        case "N":
            return (len(content) + 1) // 2 + 1
        case "SS":
            return sum(len(element.encode()) for element in content)
        case "L":
            return 3 + sum(1 + _value_bytes(element) for element in content)
        case "M":
            return 3 + len(content) + item_bytes(content)
        case _:
            return 1


def write_units(size: int) -> int:
    return max(1, -(-size // KB))


def read_units(size: int, consistent: bool) -> float:
    units = max(1, -(-size // (4 * KB)))
    return units if consistent else units / 2


class Meter:
    """What has been asked for so far, by unit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.units: dict[str, float] = defaultdict(float)

    def add(self, unit: str, count: float) -> None:
        with self._lock:
            self.units[unit] += count

    def count(self, target: str, body: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Count one request by its ``X-Amz-Target``."""
        service, _, operation = target.partition(".")
        if service.startswith("DynamoDB_"):
            self._dynamodb(operation, body, answer)
        elif service == "AmazonSQS":
            self.add(f"sqs {operation}", 1)
        elif target == "AWSEvents.PutEvents":
            for sent in body.get("Entries", ()):
                self.add("events", -(-len(sent.get("Detail", "").encode()) // (64 * KB)))
                self.add(f"event {sent.get('DetailType')}", 1)
                self.add("event bytes", len(json.dumps(sent).encode()))
        else:
            self.add(f"call {service}.{operation}", 1)

    def _dynamodb(self, operation: str, body: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        table = body.get("TableName", "")
        match operation:
            case "PutItem":
                self.add(f"write {table}", write_units(item_bytes(body["Item"])))
            case "UpdateItem" | "DeleteItem":
                self.add(f"write {table}", write_units(item_bytes(answer.get("Attributes", {}))))
            case "BatchWriteItem":
                for name, requests in body["RequestItems"].items():
                    for request in requests:
                        put = request.get("PutRequest", {}).get("Item", {})
                        self.add(f"write {name}", write_units(item_bytes(put)))
            case "TransactWriteItems":
                for action in body["TransactItems"]:
                    ((_, part),) = action.items()
                    self.add(f"write {part['TableName']}", 2 * write_units(item_bytes(part.get("Item", {}))))
            case "GetItem":
                size = item_bytes(answer.get("Item", {}))
                self.add(f"read {table}", read_units(size, body.get("ConsistentRead", False)))
            case "BatchGetItem":
                for name, items in answer.get("Responses", {}).items():
                    consistent = body["RequestItems"][name].get("ConsistentRead", False)
                    asked = len(body["RequestItems"][name]["Keys"])
                    found = sum(read_units(item_bytes(item), consistent) for item in items)
                    self.add(f"read {name}", found + read_units(0, consistent) * (asked - len(items)))
            case "Query" | "Scan":
                size = sum(item_bytes(item) for item in answer.get("Items", ()))
                self.add(f"read {table}", read_units(size, body.get("ConsistentRead", False)))
            case _:
                self.add(f"call DynamoDB.{operation}", 1)


def serve(listen: int, to: int, meter: Meter) -> ThreadingHTTPServer:
    """The proxy, bound to 127.0.0.1 and not yet running."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        local = threading.local()

        def _pass(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            upstream = http.client.HTTPConnection("127.0.0.1", to, timeout=60)
            try:
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                content = answer.read()
            finally:
                upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in (
                    "transfer-encoding",
                    "connection",
                    "content-length",
                    "date",
                    "server",
                ):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(BrokenPipeError):  # whoever asked was ended meanwhile
                self.wfile.write(content)
            if target := self.headers.get("X-Amz-Target"):
                meter.count(target, _json(body), _json(content))
            else:
                meter.add(f"call {self.command} {self.path.split('?')[0][:40]}", 1)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _pass  # noqa: N815 - the server's names

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing: the figures are the output."""

    server = ThreadingHTTPServer(("127.0.0.1", listen), Proxy)
    server.daemon_threads = True
    return server


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(content)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--listen", type=int, required=True)
    arguments.add_argument("--to", type=int, required=True)
    options = arguments.parse_args()
    meter = Meter()
    server = serve(options.listen, options.to, meter)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(json.dumps(meter.units, indent=2))


if __name__ == "__main__":
    main()
