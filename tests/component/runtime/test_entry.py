"""An error nobody foresaw is told by its type and its place, and never in its own words."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from postbus.domain.errors import Malformed
from postbus.runtime.entry import Unexpected, request_function
from postbus.runtime.logging import logger


def failing(error: Exception) -> Callable[[Any], Any]:
    def answer(_event: Any) -> Any:
        raise error

    return answer


@pytest.fixture
def own_logger(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    logger.cache_clear()
    # A logger of the same name would go on writing to where it did in the test before.
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", request.node.name)
    yield
    logger.cache_clear()


def logged(capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    """All that was printed, and the one line about what was unforeseen."""
    out = capsys.readouterr().out
    (line,) = (json.loads(line) for line in out.splitlines() if '"unexpected"' in line)
    return out, line


@pytest.mark.usefixtures("own_logger")
def test_an_unforeseen_error_leaves_by_its_type_name_and_is_logged_with_its_frames(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Unexpected, match=r"^KeyError$") as raised:
        request_function(lambda _config: failing(KeyError("s3cret")))({}, None)
    assert raised.value.__suppress_context__
    out, line = logged(capsys)
    assert line["error"] == "KeyError"
    assert any("test_entry.py:" in frame for frame in line["frames"])
    assert "s3cret" not in out


@pytest.mark.usefixtures("own_logger")
def test_of_what_aws_refused_the_call_and_the_code_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "s3cret"}}, "SendMessage")
    with pytest.raises(Unexpected, match=r"^ClientError$"):
        request_function(lambda _config: failing(refused))({}, None)
    out, line = logged(capsys)
    assert (line["call"], line["code"]) == ("SendMessage", "AccessDenied")
    assert "s3cret" not in out


def test_an_error_raised_on_purpose_keeps_its_words() -> None:
    with pytest.raises(Malformed, match="amount: digits"):
        request_function(lambda _config: failing(Malformed("amount", "digits")))({}, None)
