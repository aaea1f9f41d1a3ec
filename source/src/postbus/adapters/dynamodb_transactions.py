"""TransactWriteItems, and what its cancellation means item by item."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# The service's limit of items in one transaction.
ITEMS_PER_TRANSACTION = 100

# Another writer was at one of the items, or one was too busy: nothing is decided, it may work in a moment.
_CONTENTION = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
TRIES = 7
_FIRST_PAUSE_SECONDS = 0.025


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Nothing was written.  ``failed[i]`` tells whether the condition of item ``i`` did not hold."""

    failed: tuple[bool, ...]


class Contended(Unavailable):
    """Nothing was written, for others kept writing to some of the items.

    Attributes:
        items: ``items[i]`` tells whether item ``i`` was contended, at the last try.
    """

    def __init__(self, message: str, items: tuple[bool, ...]) -> None:
        super().__init__(message)
        self.items = items


class TransactionWriter:
    """Writes items together or not at all.

    Each call carries the token that the client itself draws, so that the client's own repeat after a lost
    answer is the same request to the service.  A token derived from the posting would be worse than none:
    a redelivered message books at another time, so the same token would come with another content, which is
    an error, where the outcome's condition gives the stored answer.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        what: str = "ledger",
    ) -> None:
        """
        Args:
            sleep: waits so many seconds.
            jitter: uniform in [0, 1).
            what: whose items they are, in the operator's words.
        """
        self._client = client
        self._sleep = sleep
        self._jitter = jitter
        self._what = what

    def write(self, items: "Sequence[TransactWriteItemTypeDef]", tries: int = TRIES) -> Cancelled | None:
        """Write all items, or none because a condition did not hold.

        Args:
            tries: how often, where other writers are at the items.
        Returns:
            ``None`` when written.
        Raises:
            Contended: which is Unavailable, too: some items stayed contended, and nothing was written.
            Unavailable: the service did not answer; they may have been written.
        """
        contended: tuple[bool, ...] = ()
        for attempt in range(tries):
            try:
                with answering(self._what):
                    self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                if code_of(error) != "TransactionCanceledException":
                    raise
                codes = [reason.get("Code", "None") for reason in _reasons(error)]
                if "ConditionalCheckFailed" in codes:
                    return Cancelled(tuple(code == "ConditionalCheckFailed" for code in codes))
                if not _CONTENTION.issuperset(set(codes) - {"None"}):
                    raise
                contended = tuple(code in _CONTENTION for code in codes)
                self._sleep(_FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + self._jitter()))
            else:
                return None
        message = f"{self._what} did not answer: its items stayed contended over {tries} tries"
        raise Contended(message, contended)


def _reasons(error: ClientError) -> Sequence[dict[str, str]]:
    return error.response.get("CancellationReasons", [])  # type: ignore[return-value]
