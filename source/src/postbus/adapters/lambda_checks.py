"""Checks and the reservation of funds as functions of their own, called and waited for.

The client's read time-out is the check's time limit (``runtime.clients.caller``).  Nothing of what was asked
or of what a failing function said goes into an error: both may hold a person's data.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering
from postbus.domain.errors import InvariantBroken, Malformed, Unavailable
from postbus.domain.iso20022.checks import CheckAnswer, CheckRequest, answer_from_data
from postbus.domain.iso20022.workflow import Reservation
from postbus.domain.money import Money

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Few enough to be answered within one time limit, and far from the 6 MB a call may have.
_REQUESTS_PER_CALL = 50

# Five transactions of the ledger's, which are over in a second or two where nobody else is at the account.
_RESERVATIONS_PER_CALL = 495

# Each a transaction of its own, and seldom more than a few.
_RELEASES_PER_CALL = 50


class _Function:
    """One function by name, whose failure is no answer."""

    def __init__(self, client: "LambdaClient", name: str) -> None:
        self._client = client
        self.name = name

    def __call__(self, payload: Any) -> Any:
        """Its answer.

        Raises:
            Unavailable: it failed, or did not answer in time.
        """
        what = f"function {self.name}"
        with answering(what):
            answer = self._client.invoke(FunctionName=self.name, Payload=json.dumps(payload).encode())
            body = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise Unavailable(f"{what} failed: {answer['FunctionError']}")
        try:
            return json.loads(body)
        except ValueError:
            raise InvariantBroken(f"{what} answered no JSON") from None


class LambdaCheck:
    """``ports_iso20022.Check``: called with ``{"requests": [...]}``, answers ``{"answers": [...]}``."""

    def __init__(self, client: "LambdaClient", name: str) -> None:
        self._function = _Function(client, name)

    def check(self, requests: Sequence[CheckRequest]) -> Sequence[CheckAnswer]:
        """See ``ports_iso20022.Check``.

        Raises:
            InvariantBroken: the function answered something else, which is never taken for a pass.
        """
        answers: list[CheckAnswer] = []
        for start in range(0, len(requests), _REQUESTS_PER_CALL):
            answers += self._answers(requests[start : start + _REQUESTS_PER_CALL])
        return answers

    def _answers(self, requests: Sequence[CheckRequest]) -> Sequence[CheckAnswer]:
        body = self._function({"requests": [request.to_data() for request in requests]})
        match body:
            case {"answers": [*data]} if len(data) == len(requests):
                try:
                    return [answer_from_data(one) for one in data]
                except Malformed as error:
                    raise InvariantBroken(f"function {self._function.name} answered {error}") from error
        raise InvariantBroken(f"function {self._function.name} did not answer every request")


class LambdaLiquidity:
    """``ports_iso20022.Liquidity``; what its function is called with and answers, that says itself."""

    def __init__(self, client: "LambdaClient", name: str) -> None:
        self._function = _Function(client, name)

    def reserve(self, account_token: str, amounts: Mapping[str, Money]) -> Mapping[str, Reservation]:
        """See ``ports_iso20022.Liquidity``.

        Raises:
            Unavailable: no answer; the money may have been set aside: ask again, or release it.
            InvariantBroken: the function answered something else.
        """
        every, found = list(amounts.items()), dict[str, Reservation]()
        for start in range(0, len(every), _RESERVATIONS_PER_CALL):
            found |= self._reserve(account_token, dict(every[start : start + _RESERVATIONS_PER_CALL]))
        return found

    def _reserve(self, account_token: str, amounts: Mapping[str, Money]) -> dict[str, Reservation]:
        listed = [
            {"pipeline_id": pipeline_id, "amount": amount.to_data()}
            for pipeline_id, amount in amounts.items()
        ]
        match self._function({"reserve": {"account_token": account_token, "amounts": listed}}):
            case {"reservations": [*words]} if len(words) == len(listed) and _are_reservations(words):
                return dict(zip(amounts, map(Reservation, words), strict=True))
        raise InvariantBroken(f"function {self._function.name} did not answer every reservation")

    def release(self, pipeline_ids: Sequence[str]) -> None:
        for start in range(0, len(pipeline_ids), _RELEASES_PER_CALL):
            if self._function({"release": pipeline_ids[start : start + _RELEASES_PER_CALL]}) != {}:
                raise InvariantBroken(f"function {self._function.name} did not confirm the release")


def _are_reservations(words: Sequence[Any]) -> bool:
    return all(isinstance(word, str) and word in set(Reservation) for word in words)
