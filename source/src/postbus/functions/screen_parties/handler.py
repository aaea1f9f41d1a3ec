"""Say whether anybody in a transfer may be on the sanctions list.

{"requests": [...]}  ->  {"answers": [...]}, one for each transfer

Neither the answer nor a log says who, or what on the list: nobody is to be tipped off.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from postbus.domain.iso20022.checks import answered, asked
from postbus.domain.iso20022.screening import DEFAULT_THRESHOLD, SanctionsList, screen
from postbus.ports import Clock
from postbus.ports_iso20022 import SanctionsSource
from postbus.runtime.entry import request_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config

# A name that was put on the list is found from then on at the latest.
_KEPT = timedelta(seconds=60)


def build(source: SanctionsSource, threshold: int, clock: Clock) -> Callable[[Any], Any]:
    """Bind the check to its port.

    Args:
        threshold: from 1 to 100; from which likeness on two names are held for one.
    """
    kept: list[tuple[datetime, SanctionsList]] = []

    def check(event: Any) -> Any:
        return answered(screen(asked(event), in_force(), threshold))

    def in_force() -> SanctionsList:
        now = clock()
        if not kept or now - kept[0][0] >= _KEPT:
            kept[:] = [(now, SanctionsList.from_json(source.read()))]
        return kept[0][1]

    return check


def bind(config: "Config") -> Callable[[Any], Any]:
    from postbus.adapters.s3_sanctions import S3Sanctions
    from postbus.domain.iso20022.sample_sanctions import SAMPLE
    from postbus.runtime.clients import client, now

    sample = json.dumps(SAMPLE).encode() if config.text("SANCTIONS_SAMPLE", "off") == "on" else None
    return build(
        S3Sanctions(
            client("s3"),
            config.text("SANCTIONS_BUCKET"),
            config.text("SANCTIONS_KEY", "sanctions.json"),
            sample,
        ),
        config.integer("SANCTIONS_THRESHOLD", DEFAULT_THRESHOLD),
        now,
    )


lambda_handler = request_function(bind)
