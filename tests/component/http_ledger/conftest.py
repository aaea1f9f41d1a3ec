"""A posting system for each test that asks for one."""

from collections.abc import Callable, Iterator

import pytest

from tests.component.http_ledger.bench import Bench, Clock, Credentials, Outcomes
from tests.servers.misbehaving_ledger import MisbehavingLedger


@pytest.fixture
def system() -> Iterator[MisbehavingLedger]:
    with MisbehavingLedger() as server:
        yield server


@pytest.fixture
def bench(system: MisbehavingLedger) -> Bench:
    return Bench(system, Outcomes(), Credentials(), Clock())


@pytest.fixture
def make_bench() -> Iterator[Callable[[], Bench]]:
    """For many examples in one test: each with books of its own."""
    servers: list[MisbehavingLedger] = []

    def make() -> Bench:
        servers.append(MisbehavingLedger().__enter__())
        return Bench(servers[-1], Outcomes(), Credentials(), Clock())

    yield make
    for server in servers:
        server.__exit__()
