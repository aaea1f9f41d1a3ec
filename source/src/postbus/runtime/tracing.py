"""Traces: which call took how long, and by which error it failed; never in an error's own words."""

from typing import Any

from aws_lambda_powertools import Tracer


class _Wordless:
    """An emitter that leaves out what errors say: a record's fields, or whatever AWS quotes of a request.

    Powertools is asked not to capture errors, which keeps them out of its metadata only: X-Ray's own recorder
    notes each error that leaves a function, and each that AWS answers with, even one that is caught.
    """

    def __init__(self, emitter: Any) -> None:
        self._emitter = emitter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._emitter, name)

    def send_entity(self, entity: Any) -> None:
        _forget_words(entity)
        self._emitter.send_entity(entity)


def _forget_words(entity: Any) -> None:
    # A cause that was noted elsewhere already is its id.
    if isinstance(entity.cause, dict):
        for error in entity.cause.get("exceptions", ()):
            error.message = ""
    for part in entity.subsegments:
        _forget_words(part)


def tracer() -> Tracer:
    """The function's tracer, by X-Ray."""
    from aws_xray_sdk import core

    recorder: Any = core.xray_recorder
    if not isinstance(recorder.emitter, _Wordless):
        recorder.emitter = _Wordless(recorder.emitter)
    return Tracer()
