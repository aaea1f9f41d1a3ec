"""A deployed function, called as its own caller would."""

import json
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering
from postbus.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaFunction:
    """One function by name."""

    def __init__(self, client: "LambdaClient", name: str) -> None:
        self._client = client
        self._name = name

    def __call__(self, payload: Any) -> Any:
        """Its answer.

        Raises:
            Unavailable: it raised, or did not answer: a dependency of its own is away.
        """
        with answering(f"function {self._name}"):
            answer = self._client.invoke(FunctionName=self._name, Payload=json.dumps(payload).encode())
            body: Any = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            said = body.get("errorMessage") if isinstance(body, dict) else body
            raise Unavailable(f"function {self._name} failed: {said}")
        return body

    def start(self, payload: Any) -> None:
        """Let it run, without waiting for its answer."""
        with answering(f"function {self._name}"):
            self._client.invoke(
                FunctionName=self._name, InvocationType="Event", Payload=json.dumps(payload).encode()
            )
