"""How long a transaction may be open."""

from datetime import timedelta

import pytest

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.deadlines import Deadlines
from postbus.domain.iso20022.messages import MessageType

TEXT = "pacs.008=30,other=60,none=900"


def test_a_message_has_the_deadline_of_its_definition_or_the_other_one() -> None:
    deadlines = Deadlines.of_text(TEXT)
    assert deadlines.of(MessageType.of("pacs.008.001.10")) == timedelta(seconds=30)
    assert deadlines.of(MessageType.of("pain.001.001.09")) == timedelta(seconds=60)
    assert deadlines.before_a_message == timedelta(seconds=900)


def test_a_message_that_nobody_has_read_is_never_early() -> None:
    assert Deadlines.of_text(TEXT + ",pain.001=120").before_it_is_read == timedelta(seconds=120)


@pytest.mark.parametrize("text", ["", "other=60", "none=1", "other=60,none=0", "other=x,none=1", "other"])
def test_a_setting_that_leaves_one_open_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Deadlines.of_text(text)
