"""Compare on a schedule what was approved with what came of it, and publish what is not there.

schedule  ->  metrics MissingTransactions, ChangedTransactions, ReversalsWithoutEffect, MalformedRecords,
              ElsewhereRecords

It changes nothing: `postbus reconcile` names what was found, and brings it in.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from postbus.adapters.dynamodb_inbound import Image
from postbus.adapters.reconciliation import Reconciliation
from postbus.runtime.entry import request_function
from postbus.runtime.logging import logger

if TYPE_CHECKING:
    from postbus.runtime.config import Config

# What was written while the table was read is still on its way in.
_ON_ITS_WAY_SECONDS = 60


def build(
    reconciliations: Sequence[Reconciliation],
    publish: Callable[[str, float], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Callable[[Any], dict[str, int]]:
    """Bind the comparison to its ports.

    Args:
        reconciliations: one for each source.
        publish: records a metric by name.
        sleep: waits so many seconds.
    """

    def reconcile(_schedule: Any) -> dict[str, int]:
        names = ("compared", "missing", "changed", "without_effect", "malformed", "elsewhere")
        counts = dict.fromkeys(names, 0)
        for reconciliation in reconciliations:
            missing: dict[str, Image] = {}
            for found in reconciliation.compare():
                counts["compared"] += found.compared
                counts["malformed"] += len(found.malformed)
                counts["elsewhere"] += sum(map(len, found.elsewhere.values()))
                counts["changed"] += len(found.changed)
                counts["without_effect"] += len(found.without_effect)
                missing |= found.missing
            if missing:
                sleep(_ON_ITS_WAY_SECONDS)
                counts["missing"] += len(reconciliation.without_trace(missing))
        publish("MissingTransactions", counts["missing"])
        publish("ChangedTransactions", counts["changed"])
        publish("ReversalsWithoutEffect", counts["without_effect"])
        publish("MalformedRecords", counts["malformed"])
        publish("ElsewhereRecords", counts["elsewhere"])
        logger().info("reconciled", extra=counts)
        return counts

    return reconcile


def bind(config: "Config") -> Callable[[Any], dict[str, int]]:
    from postbus.adapters.cloudwatch_metrics import CloudWatchMetrics
    from postbus.adapters.dynamodb_inbound import DynamoDbInbound
    from postbus.adapters.dynamodb_outcome_reader import OutcomeReader
    from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
    from postbus.domain.inbound import SOURCES
    from postbus.runtime.clients import client

    dynamodb = client("dynamodb")
    outcomes = OutcomeReader(dynamodb, config.text("LEDGER_TABLE"))
    timeline = DynamoDbTimeline(dynamodb, config.text("TIMELINE_TABLE"))
    tables = dict(pair.split("=", 1) for pair in config.text("INPUT_TABLES").split(","))
    reconciliations = [
        Reconciliation(
            SOURCES[name],
            DynamoDbInbound(dynamodb, table, SOURCES[name].key),
            outcomes,
            timeline,
            config.text("HOME_REGION"),
        )
        for name, table in tables.items()
    ]
    metrics = CloudWatchMetrics(
        client("cloudwatch"), config.text("METRICS_NAMESPACE", "Postbus"), "reconcile"
    )
    return build(reconciliations, metrics.publish)


lambda_handler = request_function(bind)
