"""Judge an enriched transaction by the decision tables, for the business-rules workflow.

TransactionEnriched v1  ->  TransactionPostingApproved v1 | TransactionHeld v1 | TransactionRejected v1,
    + ForeignTransactionFound v1, CurrencyConversionTransactionFound v1,
      WarningMerchantTypeTransactionFound v1
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from postbus.adapters.eventbridge_bus import entry
from postbus.domain import rules
from postbus.domain.conversion import Conversion
from postbus.domain.errors import Malformed
from postbus.domain.event import Event
from postbus.ports import Clock, Outcomes, RuleEngine
from postbus.runtime.entry import task_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config

Task = Callable[[Any], Mapping[str, Any]]


def build(engine: RuleEngine, outcomes: Outcomes, bus_name: str, clock: Clock) -> Task:
    """Bind the task to its ports.

    It takes ``{"message": EventBridge message, "conversion": check or null}`` and answers
    ``{"entries": [...]}``: finished PutEvents entries, which the workflow may send as often as it likes.
    """

    def evaluate_rules(task: Any) -> Mapping[str, Any]:
        if not isinstance(task, Mapping):
            raise Malformed("", "an object with message and conversion")
        event = Event.from_bus(task.get("message"))
        conversion = Conversion.from_data(task.get("conversion"))
        facts = rules.facts_of(event.data, conversion)
        evaluation = rules.safeguarded(engine.evaluate(facts), facts)
        at = clock()
        if rules.standing_against(evaluation.findings):
            # Decide first, then announce: what stands, which may be another decision made before.
            wanted = rules.objection(event, evaluation, conversion, at)
            decision = outcomes.decide(wanted).announcement(replay=event.replay)
        else:
            # Nothing is written: the ledger decides; approving what was decided before changes nothing.
            decision = rules.approval(event, evaluation, at)
        events = [*rules.remarks(event, evaluation.findings, at), decision]
        return {"entries": [entry(one, bus_name) for one in events]}

    return evaluate_rules


def bind(config: "Config") -> Task:
    from datetime import timedelta

    from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
    from postbus.adapters.rules_folder import packaged
    from postbus.adapters.s3_rulesets import CurrentRuleset, S3Rulesets
    from postbus.adapters.zen_rules import ZenRuleEngine
    from postbus.runtime.clients import client, now

    current = CurrentRuleset(
        S3Rulesets(client("s3"), config.text("RULESETS_BUCKET")),
        packaged,
        now,
        keep=timedelta(seconds=config.integer("RULESET_SECONDS", 30)),
    )
    outcomes = DynamoDbOutcomes(client("dynamodb"), config.text("LEDGER_TABLE"))
    return build(ZenRuleEngine(current), outcomes, config.text("BUS"), now)


lambda_handler = task_function(bind)
