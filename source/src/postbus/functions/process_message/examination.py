"""From the bytes of a message to its transfers, each with its record, its refusal or its hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.iso20022 import accounts, business_checks, reading, returns, transfers, xml
from postbus.domain.iso20022.agreements import Terms
from postbus.domain.iso20022.checks import CheckAnswer, CheckRequest, NeedsDecision, Refused
from postbus.domain.iso20022.claim_check import checked
from postbus.domain.iso20022.claims import (
    DUPLICATE_BLOCK,
    UniqueReference,
    claims,
    transaction_of,
)
from postbus.domain.iso20022.faults import fault
from postbus.domain.iso20022.instructions import Origin, return_record, transfer_record
from postbus.domain.iso20022.mandates import NOTHING, Mandates
from postbus.domain.iso20022.message_source import Reading
from postbus.domain.iso20022.messages import Fault, Message, Place, Reason, Transfer
from postbus.domain.iso20022.schemas import Schemas
from postbus.domain.iso20022.transfers import Findings
from postbus.domain.iso20022.workflow import Child, Head, child_of
from postbus.functions.process_message.finding import Finder, make_findable
from postbus.ports import ClaimStore, Clock, Map
from postbus.ports_iso20022 import AccountFinder, Check, Documents, MessageStore

# Whoever is overtaken so often at a claim met something else than a race.
_ROUNDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What an examination found.

    Attributes:
        request: a message about earlier ones, which has no transfers of its own.
        refused: why it is refused whole, for one of which no transfer can be kept.
        children: its transfers, in their order.
        is_early: whether it returns something of a message that is not read itself: to be examined again.
    """

    request: Message | None = None
    refused: tuple[Reason, ...] = ()
    children: tuple[Child, ...] = ()
    is_early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Examines messages; whatever it does can be done again.

    Attributes:
        checks: asked in this order about the transfers that the one before has not refused.
        limit_bytes: the most a message may have.
        mandates: what each client may have debited; one that is not in it, nothing.
    """

    messages: MessageStore
    documents: Documents
    schemas: Schemas
    terms: Terms
    accounts: AccountFinder
    claims: ClaimStore
    checks: Sequence[Check]
    clock: Clock
    limit_bytes: int
    mandates: Mandates
    each: Map = map

    def examine(self, head: Head) -> Examined:
        """See the module.

        Raises:
            Unavailable: something did not answer; nothing may go on.
            InvariantBroken: the message is not what was stored.
        """
        read = self._read(head)
        if not isinstance(read, Reading):
            return Examined(refused=tuple(found.reason for found in read))
        message = read.message
        faults = business_checks.check(read, self.terms.agreement, self.clock())
        if message.references and not faults:
            return Examined(request=message)
        found = Findings.of(faults)
        self._book(head, message, found)
        if not self._return(head, message, found):
            return Examined(is_early=True)
        self._claim(head, message, found)
        self._ask(head, message, found)
        children = tuple(transfers.children(message, head.transaction_id, found))
        # Without transfers nothing but the whole can be refused.
        refused = () if children else found.whole or tuple(one.reason for one in faults)
        return Examined(children=children, refused=refused)

    def _read(self, head: Head) -> Reading | Sequence[Fault]:
        if head.incoming is None:
            raise InvariantBroken(f"{head.transaction_id} has no message to process")
        body = checked(head.incoming, self.documents.get(head.incoming.key))
        document = xml.read(body, self.limit_bytes)
        if isinstance(document, Fault):
            return (document,)
        if not reading.is_readable(document.type):
            return (fault("AG03", "a message that is taken here", Place("/Document", 1)),)
        return self.schemas.validate(document) or reading.read(document.root, document.type)

    def _book(self, head: Head, message: Message, found: Findings) -> None:
        """The accounts of each transfer, and with them its record."""
        going = [one for one in message.transfers if found.goes_on(one.number)]
        known = self.accounts.find([key for one in going for key in accounts.keys_of(one)])
        mandate = self.mandates.get(head.owner, NOTHING)
        for one in going:
            resolved = accounts.resolve(one, known, self.terms.own_agents, mandate)
            if isinstance(resolved, Reason):
                found.refuse(one.number, resolved)
            else:
                found.records[one.number] = transfer_record(one, _origin(head), resolved)
                agent = accounts.settlement_agent(one, known, self.terms.own_agents)
                found.settlement_agents[one.number] = agent

    def _return(self, head: Head, message: Message, found: Findings) -> bool:
        """The transfer that each return gives back, and with it the return's record.

        Returns:
            Whether all that is returned was read, so that it is known which transfers are meant.
        """
        going = [one for one in message.returns if found.goes_on(one.number)]
        originals_found = Finder(self.messages, self.claims).find(head, going)
        if any(original is not None and returns.is_unread(original.head) for original in originals_found):
            return False
        mandate = self.mandates.get(head.owner, NOTHING)
        of_client = self.accounts.find(mandate.keys if going else ())
        tokens = {account.token for several in of_client.values() for account in several}
        for one, original in zip(going, originals_found, strict=True):
            meant = original.children if original else ()
            returned = returns.returned(one, meant, mandate, tokens)
            if isinstance(returned, Reason):
                found.refuse(one.number, returned)
            else:
                found.records[one.number] = return_record(one, _origin(head), returned)
        return True

    def _claim(self, head: Head, message: Message, found: Findings) -> None:
        """Refuse what was here before; what is refused anyway claims nothing, so it may be sent again."""
        going = replace(
            message,
            transfers=tuple(one for one in message.transfers if found.goes_on(one.number)),
            returns=tuple(one for one in message.returns if found.goes_on(one.number)),
        )
        if not going.transfers and not going.returns:
            return
        debtors = {number: record["debtor_account_token"] for number, record in found.records.items()}
        wanted = claims(going, head.owner, debtors)
        if taken := self._taken(head, [one for one in wanted if one.number is None]):
            found.whole += tuple(Reason(one.code) for one in taken)
            return
        make_findable(self.claims, head, message)
        for one in self._taken(head, [one for one in wanted if one.number is not None]):
            for number in _concerned(one, going):
                if Reason(one.code) not in found.refused.get(number, ()):
                    found.refuse(number, Reason(one.code))

    def _taken(self, head: Head, wanted: Sequence[UniqueReference]) -> list[UniqueReference]:
        """Those that another one holds.

        From a transfer that has come to nothing it is taken, by one of those that want it: so it may be sent
        again.  A message that was here before stays known, whatever came of it.
        """
        references = {one.key: one for one in wanted}
        claimed = {one.key: one.claim(head) for one in wanted}
        taken: set[str] = set()
        for _ in range(_ROUNDS):
            standing = self.claims.claim(list(claimed.values()))
            holders = {
                one.key: one.transaction_id
                for one in standing
                if transaction_of(one.transaction_id) != head.transaction_id
            }
            of_transfers = {key for key in holders if references[key].number is not None}
            known = self._known({holders[key] for key in of_transfers})
            free = {key for key in of_transfers if references[key].is_free(head, *known[holders[key]])}
            taken |= holders.keys() - free
            claimed = {key: replace(claimed[key], instead_of=holders[key]) for key in holders if key in free}
            if not claimed:
                return [one for one in wanted if one.key in taken]
        raise Unavailable("references change hands faster than they can be claimed")

    def _known(self, holders: Iterable[str]) -> dict[str, tuple[Head | None, Child | None]]:
        """The transaction of each holder of a claim, and the transfer if it is one."""
        every = sorted(holders)
        named = sorted({transaction_of(holder) for holder in every})
        heads = dict(zip(named, self.each(self.messages.head, named), strict=True))

        def transfer(holder: str) -> Child | None:
            of = child_of(holder)
            return self.messages.child(*of) if of else None

        children = self.each(transfer, every)
        return {
            holder: (heads[transaction_of(holder)], child)
            for holder, child in zip(every, children, strict=True)
        }

    def _ask(self, head: Head, message: Message, found: Findings) -> None:
        """Every check, about every transfer that nothing stands against so far; returns give back what was
        checked when it came."""
        for check in self.checks:
            going = [one for one in message.transfers if found.goes_on(one.number)]
            if not going:
                return
            answers = check.check([_request(head, one, found) for one in going])
            if len(answers) != len(going):
                raise InvariantBroken(f"{len(answers)} answers for {len(going)} transfers")
            for one, answer in zip(going, answers, strict=True):
                _note(one.number, answer, found)


def _note(number: int, answer: CheckAnswer, found: Findings) -> None:
    match answer:
        case Refused(reason):
            found.refuse(number, reason)
        case NeedsDecision(reason):
            found.hold(number, reason)


def _request(head: Head, one: Transfer, found: Findings) -> CheckRequest:
    record = found.records[one.number]
    return CheckRequest(
        transaction_id=head.transaction_id,
        number=one.number,
        amount=one.amount,
        debtor=one.debtor,
        creditor=one.creditor,
        debtor_agent=one.debtor_agent,
        creditor_agent=one.creditor_agent,
        ultimate_debtor=one.ultimate_debtor,
        ultimate_creditor=one.ultimate_creditor,
        debtor_account_token=record["debtor_account_token"],
        creditor_account_token=record["creditor_account_token"],
        further_agents=(
            *(agent for agent in (one.instructing_agent, one.instructed_agent) if agent is not None),
            *one.further_agents,
        ),
        further_parties=one.further_parties,
    )


def _concerned(one: UniqueReference, message: Message) -> Iterable[int]:
    """The transfers that a reference stands for: of a PmtInf all that are in it."""
    assert one.number is not None
    if one.code != DUPLICATE_BLOCK:
        return (one.number,)
    block = next(t.payment_information_id for t in message.transfers if t.number == one.number)
    return [t.number for t in message.transfers if t.payment_information_id == block]


def _origin(head: Head) -> Origin:
    return Origin(head.transaction_id, head.opened_at, head.home_region)
