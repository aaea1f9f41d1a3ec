"""Answer every call of the ISO 20022 API.

API Gateway  ->  a transaction opened, a message taken, statuses and answers told, decisions kept
             ->  the steps receive and decide; any step, redriven

Each call may come again at any time, after any part of it was done: it then does the rest.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from postbus.domain.iso20022.workflow import DecisionKind
from postbus.functions.serve_iso20022 import decide, health, submit, tell
from postbus.functions.serve_iso20022.front import READ, WRITE, Front
from postbus.runtime.api import Route
from postbus.runtime.entry import api_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(front: Front) -> Mapping[str, Route]:
    """Bind every route to its ports.  The contract is docs/iso20022.openapi.yaml."""
    transaction = "/v1/transactions/{transaction_id}"
    acceptance = decide.deciding(front, DecisionKind.ACCEPTANCE)
    rejection = decide.deciding(front, DecisionKind.REJECTION)
    return {
        "POST /v1/transactions": Route(submit.opening(front), WRITE),
        "POST /v1/incoming": Route(submit.taking(front), WRITE),
        f"GET {transaction}": Route(tell.status(front), READ),
        "GET /v1/outgoing": Route(tell.outgoing(front), READ),
        f"POST {transaction}/cancellation": Route(decide.cancelling(front), WRITE),
        f"POST {transaction}/acceptance": Route(acceptance, WRITE),
        f"POST {transaction}/rejection": Route(rejection, WRITE),
        f"POST {transaction}/redrive": Route(decide.redriving(front), WRITE),
        "GET /v1/health": Route(health.shallow, None),
        "GET /v1/health/deep": Route(health.deep(front), READ),
    }


def bind(config: "Config") -> Mapping[str, Route]:
    from functools import cache, partial
    from pathlib import Path
    from uuid import uuid4

    from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
    from postbus.adapters.s3_documents import S3Documents
    from postbus.adapters.sqs_steps import SqsSteps, queue_urls
    from postbus.domain.iso20022.deadlines import Deadlines
    from postbus.runtime.clients import client, now

    if TYPE_CHECKING:
        from postbus.domain.iso20022.schemas import Schemas

    @cache
    def schemas() -> "Schemas":
        from postbus.adapters.iso20022_schemas import installed

        folder = config.values.get("POSTBUS_SCHEMA_FOLDER")
        return installed(Path(folder) if folder else None)

    store = DynamoDbMessages(client("dynamodb"), config.text("ISO20022_TABLE"))
    incoming = S3Documents(client("s3"), config.text("INCOMING_BUCKET"))
    outgoing = S3Documents(client("s3"), config.text("OUTGOING_BUCKET"))
    urls = queue_urls(config.text("STEP_QUEUE_URLS"))
    steps = SqsSteps(client("sqs"), urls)
    # A key that nothing has: an answer is all that is asked for.
    asked = "00000000-0000-4000-8000-000000000000"
    return build(
        Front(
            store=store,
            incoming=incoming,
            outgoing=outgoing,
            steps=steps,
            clock=now,
            draw=uuid4,
            schemas=schemas,
            deadlines=Deadlines.of_text(config.text("DEADLINE_SECONDS")),
            home_region=config.text("HOME_REGION"),
            largest_message_bytes=config.integer("LARGEST_MESSAGE_BYTES"),
            dependencies={
                "transactions": partial(store.head, asked),
                "incoming messages": partial(incoming.find, asked),
                "outgoing messages": partial(outgoing.find, asked),
                **{f"queue of {step}": partial(steps.look, step) for step in urls},
            },
        )
    )


lambda_handler = api_function(bind)
