"""From a Lambda invocation to a step, and back.

Nothing is bound while a module is imported: clients and settings come at the first invocation.
"""

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from postbus.domain.errors import InvariantBroken, Malformed, PostbusError
from postbus.domain.steps import Step
from postbus.runtime.config import Config
from postbus.runtime.logging import log_unexpected, logger

if TYPE_CHECKING:
    from postbus.domain.iso20022 import workflow
    from postbus.domain.iso20022.workflow import StepName
    from postbus.runtime.api import Route

Handler = Callable[[Any, Any], Any]


class Unexpected(Exception):
    """An error nobody foresaw, by its type name: its own text stays out of logs, traces and answers."""


def queue_function(bind: Callable[[Config], Step]) -> Handler:
    """The handler of a function that takes batches from its queue.

    Args:
        bind: makes the step from the settings, with AWS behind its ports.
    """

    @cache
    def bound() -> Callable[[Mapping[str, Any]], Any]:
        from postbus.adapters.eventbridge_bus import EventBridgeBus
        from postbus.adapters.sqs_queue import SqsQueue
        from postbus.runtime.clients import client
        from postbus.runtime.queue import process

        config = Config.from_environment()
        step = bind(config)
        bus = EventBridgeBus(client("events"), config.text("BUS"))
        queue = SqsQueue(client("sqs"), config.text("QUEUE_URL"), config.text("DEAD_LETTER_QUEUE_URL"))
        return lambda event: process(event["Records"], step, bus, queue)

    return _traced(lambda event, _context: bound()(event))


def message_function(bind: Callable[[Config], Callable[[Any], None]]) -> Handler:
    """The handler of a function whose queue holds JSON messages that are no events.

    Args:
        bind: makes the step from the settings; it returns when a message is done with.
    """

    @cache
    def bound() -> Callable[[Mapping[str, Any]], Any]:
        from postbus.adapters.sqs_queue import SqsQueue
        from postbus.runtime.clients import client
        from postbus.runtime.queue import process_each

        config = Config.from_environment()
        step = bind(config)
        queue = SqsQueue(client("sqs"), config.text("QUEUE_URL"), config.text("DEAD_LETTER_QUEUE_URL"))
        return lambda event: process_each(event["Records"], step, queue)

    return _traced(lambda event, _context: bound()(event))


def step_function(own: "StepName", bind: Callable[[Config], "workflow.Step"]) -> Handler:
    """The handler of a function that takes one step of client transactions from its FIFO queue.

    Args:
        own: the step.
        bind: makes it from the settings, with AWS behind its ports.
    """

    @cache
    def bound() -> Callable[[Mapping[str, Any]], Any]:
        from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
        from postbus.adapters.sqs_queue import SqsQueue
        from postbus.adapters.sqs_steps import SqsSteps, queue_urls
        from postbus.runtime.clients import client, now
        from postbus.runtime.steps import process_steps

        config = Config.from_environment()
        step = bind(config)
        store = DynamoDbMessages(client("dynamodb"), config.text("ISO20022_TABLE"))
        steps = SqsSteps(client("sqs"), queue_urls(config.text("STEP_QUEUE_URLS")))
        queue = SqsQueue(client("sqs"), config.text("QUEUE_URL"), config.text("DEAD_LETTER_QUEUE_URL"))
        return lambda event: process_steps(event["Records"], own, step, store, steps, queue, now)

    return _traced(lambda event, _context: bound()(event))


def request_function(bind: Callable[[Config], Callable[[Any], Any]]) -> Handler:
    """The handler of a function that answers its caller: a workflow's task, a pipe's enrichment, a schedule.

    An error propagates: the caller retries, and parks what it cannot bring through.
    """

    @cache
    def bound() -> Callable[[Any], Any]:
        return bind(Config.from_environment())

    def handler(event: Any, _context: Any) -> Any:
        began = time.monotonic()
        answer = bound()(event)
        logger().info("answered", extra={"milliseconds": round((time.monotonic() - began) * 1000)})
        return answer

    return _traced(handler)


def api_function(bind: Callable[[Config], "Mapping[str, Route]"]) -> Handler:
    """The handler of a function that answers an API's calls.

    Args:
        bind: makes the routes from the settings, with AWS behind their ports.
    """

    @cache
    def bound() -> "Mapping[str, Route]":
        return bind(Config.from_environment())

    def handler(event: Any, _context: Any) -> Any:
        from postbus.runtime.api import serve

        return serve(event, bound())

    return _traced(handler)


def task_function(bind: Callable[[Config], Callable[[Any], Any]]) -> Handler:
    """The handler of a workflow's task.

    What can never succeed is an answer, ``{"park": reason}``, for the workflow to park at once; every other
    error propagates, and is retried there.
    """

    def bind_task(config: Config) -> Callable[[Any], Any]:
        task = bind(config)

        def answer(event: Any) -> Any:
            try:
                return task(event)
            except (Malformed, InvariantBroken) as error:
                reason = f"{type(error).__name__}: {error}"
                logger().error("to be parked", extra={"reason": reason})
                return {"park": reason}

        return answer

    return request_function(bind_task)


def _traced(handler: Handler) -> Handler:
    """The handler under X-Ray where the deployment traces; the plain handler elsewhere."""

    @cache
    def wrapped() -> Handler:
        if Config.from_environment().text("TRACING", "off") != "on":
            return handler
        from postbus.runtime.tracing import tracer

        # Neither events, answers nor errors go into the trace: they hold tokens and amounts.
        return tracer().capture_lambda_handler(handler, capture_response=False, capture_error=False)

    def entry(event: Any, context: Any) -> Any:
        try:
            return wrapped()(event, context)
        except PostbusError:
            raise
        except Exception as error:  # noqa: BLE001 - raised again, without its text
            log_unexpected(error)
            raise Unexpected(type(error).__name__) from None

    return entry
