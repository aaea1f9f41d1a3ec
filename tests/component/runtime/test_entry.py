"""An error nobody foresaw is told by its type and its place, and never in its own words."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from postbus.domain.errors import Malformed
from postbus.runtime.entry import Unexpected, request_function
from postbus.runtime.logging import logger


def failing(error: Exception) -> Callable[[Any], Any]:
    def answer(_event: Any) -> Any:
        raise error

    return answer


def test_an_unforeseen_error_leaves_by_its_type_name_and_is_logged_with_its_frames(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger.cache_clear()
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "entry-under-test")
    with pytest.raises(Unexpected, match=r"^KeyError$") as raised:
        request_function(lambda _config: failing(KeyError("s3cret")))({}, None)
    logger.cache_clear()
    assert raised.value.__suppress_context__
    out = capsys.readouterr().out
    (line,) = (json.loads(line) for line in out.splitlines() if '"unexpected"' in line)
    assert line["error"] == "KeyError"
    assert any("test_entry.py:" in frame for frame in line["frames"])
    assert "s3cret" not in out


def test_an_error_raised_on_purpose_keeps_its_words() -> None:
    with pytest.raises(Malformed, match="amount: digits"):
        request_function(lambda _config: failing(Malformed("amount", "digits")))({}, None)
