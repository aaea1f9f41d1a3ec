"""The Lambda service, whose functions run in this process."""

import io
import json
from collections.abc import Callable
from typing import Any

Function = Callable[[Any], Any]


class InProcess:
    """One function by whatever name; what passes is JSON.

    Attributes:
        calls: how often it was called.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.calls = 0

    def invoke(self, **request: Any) -> Any:
        self.calls += 1
        try:
            body = json.dumps(self.function(json.loads(request["Payload"])))
        except Exception as error:  # noqa: BLE001 - as the service tells any of them
            told = json.dumps({"errorType": type(error).__name__}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(told)}
        return {"Payload": io.BytesIO(body.encode())}
