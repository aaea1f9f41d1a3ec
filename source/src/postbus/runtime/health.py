"""Which of a function's dependencies do not answer."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from postbus.runtime.logging import log_unexpected

# Whoever asks has a balancer or a person waiting; a client's own time-out is longer than that.
_WAIT_SECONDS = 5.0


def silent(
    dependencies: Mapping[str, Callable[[], object]], wait_seconds: float = _WAIT_SECONDS
) -> Sequence[str]:
    """Ask all of them at once.

    Args:
        dependencies: by name, a call that raises where one does not answer, or says no.
    Returns:
        The names of those that did not answer well in time, sorted.
    """
    pool = ThreadPoolExecutor(max_workers=max(len(dependencies), 1))
    asked = {pool.submit(ask): name for name, ask in dependencies.items()}
    answered, late = wait(asked, wait_seconds)
    # One that hangs ends by its client's time-out; nobody waits for it here.
    pool.shutdown(wait=False, cancel_futures=True)
    failed = {asked[one] for one in late}
    for one in answered:
        error = one.exception()
        if error is not None:
            log_unexpected(error)
            failed.add(asked[one])
    return sorted(failed)
