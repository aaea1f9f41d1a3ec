"""What an operator decides: each command one conditional write, then its announcement.

Whoever comes second, or again, changes nothing: the outcome that stands is announced again and told.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from postbus.cli.errors import CannotRun, NotDone
from postbus.domain import release, rules
from postbus.domain.enrichment import Rejection
from postbus.domain.errors import Unavailable
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.release import Command, NotReleasable
from postbus.domain.rules import Evaluation
from postbus.domain.transaction import Transaction
from postbus.ports import Directory, EventBus, Outcomes, RuleEngine, Timeline


@dataclass(frozen=True, slots=True)
class Decided:
    """How a command ended.

    Attributes:
        outcome: what stands now.
        done: whether this command brought it about.
        announced: whether the bus has taken its announcement; if not, the sweeper sends it within minutes.
    """

    outcome: Outcome
    done: bool
    announced: bool


@dataclass(frozen=True, slots=True)
class Examination:
    """What stands against a held payment now.

    Attributes:
        evaluation: by the rules in force; ``None`` when its account already stands against it.
    """

    enriched: dict[str, Any] | Rejection
    evaluation: Evaluation | None


class Decisions:
    """The operator's decisions, on the ports."""

    def __init__(
        self,
        outcomes: Outcomes,
        timeline: Timeline,
        bus: EventBus,
        accounts: Directory,
        engine: RuleEngine,
    ) -> None:
        self._outcomes = outcomes
        self._timeline = timeline
        self._bus = bus
        self._accounts = accounts
        self._engine = engine

    def held(self, transaction_id: str) -> Outcome:
        """The outcome of a transaction that is held, or was.

        Raises:
            CannotRun: nothing was decided about it.
        """
        outcome = self._outcomes.find(transaction_id)
        if outcome is not None:
            return outcome
        if self._timeline.story(transaction_id).events:
            raise NotDone(f"{transaction_id} is not held: it is on its way; see `./postbus trace`.")
        raise CannotRun(
            f"transaction: {transaction_id!r} is unknown; `./postbus hold list` names what is held."
        )

    def examine(self, held: Outcome) -> Examination:
        """Look at its account again and let the rules in force judge it again."""
        transaction = Transaction.from_data(held.data["transaction"])
        tokens = [transaction.account_token, *filter(None, [transaction.counterparty_token])]
        known = self._accounts.find(tokens)
        account = known.get(transaction.account_token)
        enriched = release.examine(held, account, known.get(transaction.counterparty_token or ""))
        if isinstance(enriched, Rejection):
            return Examination(enriched, None)
        facts = release.facts(held, enriched)
        return Examination(enriched, rules.safeguarded(self._engine.evaluate(facts), facts))

    def release(self, transaction_id: str, waived: Collection[str], command: Command) -> Decided:
        """HELD → RELEASED, if the named findings are all that stands against it.

        Raises:
            NotDone: says what still stands against it; nothing was changed.
        """
        held = self.held(transaction_id)
        if held.state is not OutcomeState.HELD:
            return self._stands(held)
        found = self.examine(held)
        wanted = release.release(held, found.enriched, found.evaluation, waived, command)
        if isinstance(wanted, NotReleasable):
            raise NotDone(f"{transaction_id} is not released: {wanted.reason}.")
        return self._decide(wanted)

    def refuse(self, transaction_id: str, command: Command) -> Decided:
        """HELD → VOIDED."""
        held = self.held(transaction_id)
        if held.state is not OutcomeState.HELD:
            return self._stands(held)
        return self._decide(release.refuse(held, command))

    def cancel(self, transaction_id: str, command: Command) -> Decided:
        """Not yet posted → VOIDED.

        What was voided by a reversal that came first and is not of it is as undecided as if that reversal had
        never come.

        Raises:
            CannotRun: nothing is known of it.
            NotDone: nothing but such a reversal names it yet.
        """
        standing = self._outcomes.find(transaction_id)
        story = self._timeline.story(transaction_id).own
        if standing is not None and standing.is_provisional and story.transaction is None:
            raise NotDone(
                f"{transaction_id} has not come in yet: {standing.data.get('reversed_by')} voids it if it is "
                "what that takes back; cancel it once it is here."
            )
        if standing is not None and standing.concerns(story.transaction):
            if standing.state not in (OutcomeState.HELD, OutcomeState.RELEASED):
                return self._stands(standing)
            return self._decide(release.cancel(standing.announcement(), command))
        last = story.last
        if last is None:
            raise CannotRun(f"transaction: {transaction_id!r} is unknown; is it <source>-<authorisation id>?")
        return self._decide(release.cancel(last, command))

    def _decide(self, wanted: Outcome) -> Decided:
        standing = self._outcomes.decide(wanted)
        if standing != wanted:
            return self._stands(standing)
        return Decided(standing, True, self._announce(standing))

    def _stands(self, outcome: Outcome) -> Decided:
        return Decided(outcome, False, self._announce(outcome))

    def _announce(self, outcome: Outcome) -> bool:
        """Tell of what stands.  It was decided: an announcement that fails now is the sweeper's to repeat."""
        try:
            refused = self._bus.publish(release.announcements(outcome))
            if not refused:
                self._outcomes.announced(outcome)
        except Unavailable:
            return False
        return not refused
