import pytest

from local.demo import LONGEST_WAIT_SECONDS, Patience
from local.settings import CannotRun


def test_the_demo_waits_as_long_as_payments_arrive_however_slowly() -> None:
    now = [0.0]
    patience = Patience(["visa-1", "visa-2", "visa-3"], lambda: now[0])
    arrived: list[str] = []
    for one in ("visa-1", "visa-2"):
        now[0] += LONGEST_WAIT_SECONDS
        arrived.append(one)
        assert not patience.look(arrived)
    now[0] += LONGEST_WAIT_SECONDS
    assert patience.look([*arrived, "visa-3"])


def test_when_none_arrives_the_demo_does_not_call_them_lost_and_says_how_to_look() -> None:
    now = [0.0]
    patience = Patience(["visa-1", "visa-2"], lambda: now[0])
    assert not patience.look(["visa-1"])
    now[0] += LONGEST_WAIT_SECONDS + 1
    with pytest.raises(CannotRun, match="1 of 2 payments are still on their way") as told:
        patience.look(["visa-1"])
    assert "may come yet" in str(told.value)
    assert "./postbus trace visa-2" in str(told.value)
