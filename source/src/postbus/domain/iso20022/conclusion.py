"""How a transaction ends: its final status and the messages that tell of it, from everything that is kept.

Written again from the same, they are the same bytes: the times in them are those of what happened.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from postbus.domain.errors import Malformed
from postbus.domain.iso20022 import answers, decisions, progress
from postbus.domain.iso20022.answers import Kind, admi_002, camt_029, camt_054
from postbus.domain.iso20022.answers.elements import Written
from postbus.domain.iso20022.client_requests import derived_id
from postbus.domain.iso20022.message_source import receiver_of, sender_of
from postbus.domain.iso20022.messages import (
    AccountIdentification,
    Agent,
    Answer,
    Message,
    MessageType,
    Original,
    Return,
    Standing,
    Status,
    Transfer,
    Unreadable,
)
from postbus.domain.iso20022.progress import Progress
from postbus.domain.iso20022.reading import Reopened
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import (
    CANCELLATION_ANSWER,
    CREDIT_NOTIFICATION,
    OUTGOING,
    AccountKey,
    AccountKeyKind,
    Child,
    ChildState,
    Decision,
    DecisionKind,
    Document,
    Entry,
    FoundAccount,
    Head,
    answer_to,
)

Accounts = Mapping[AccountKey, Sequence[FoundAccount]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A cancellation that was asked for, and the camt.056 it came with, if any."""

    decision: Decision
    request: Message | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A transaction with all that is kept of it.

    Attributes:
        children: all of its transfers; empty until all of them are kept.
        standing: the decisions that end transfers, the earliest first.
        message: what came in; empty for none.
        asked: the cancellations that were asked for, the latest last.
        awaits_an_operator: whether it ends by an operator's decision alone, which there is not yet.
    """

    head: Head
    history: Sequence[Entry]
    children: Sequence[Child] = ()
    standing: Sequence[Decision] = ()
    message: Reopened = Reopened()  # noqa: RUF009 - a frozen value
    asked: Sequence[Asked] = ()
    awaits_an_operator: bool = False

    @property
    def type(self) -> MessageType | None:
        return self.head.message_type or self.message.type

    @property
    def told_at(self) -> datetime:
        """When the last thing happened that an answer tells of."""
        settled = [child.settled_at for child in self.children if child.settled_at is not None]
        return max([self.history[-1].at, *settled, *(decision.at for decision in self.standing)])


def judged(case: Case) -> Progress | None:
    """The status the transaction has by its transfers and decisions; ``None`` while nothing ends it."""
    if case.head.status in FINAL:
        return Progress(case.head.status, case.head.reasons)
    if case.awaits_an_operator:
        # Whatever became of its transfers in the meantime.
        return None
    decision = _deciding(case)
    if not case.children and decision is None:
        # Refused whole, before any transfer was kept.
        refused = case.head.status is Status.ACTC and case.head.reasons
        return Progress(Status.RJCT, case.head.reasons) if refused else None
    kind, reasons = (decision.kind, decision.reasons) if decision else (None, ())
    found = progress.judge(case.children, kind, reasons)
    return found if found.status in FINAL else None


def by_whom(case: Case) -> str:
    """Who brings its end about, for its history."""
    decision = _deciding(case)
    return "release" if decision is None else decision.by


def is_waiting_for_voids(case: Case) -> bool:
    """Whether transfers that are open are to end by a decision: it found fewer of them when it was made."""
    return any(
        child.state is ChildState.OPEN and decisions.covering(child.number, case.standing)
        for child in case.children
    )


def messages(case: Case, end: Progress, ours: Accounts) -> dict[str, Written | Document]:
    """Everything that is written for a transaction at its end, by name; nothing where no message came.

    Args:
        ours: the accounts of creditors that are kept here.
    """
    if case.head.incoming is None:
        return {}
    found: dict[str, Written | Document] = {OUTGOING: _answer(case, end)}
    if credits := _credits(case, ours):
        message = case.message.reading.message if case.message.reading else None
        notification = camt_054.Notification(
            message_id=answers.message_id(case.head.transaction_id, Kind.CREDIT_NOTIFICATION),
            created_at=case.told_at,
            credits=credits,
            original_message_id=message.message_id if message else None,
        )
        found[CREDIT_NOTIFICATION] = camt_054.write(notification)
    return found | cancellation_answers(case, end)


def cancellation_answers(case: Case, now: Progress) -> dict[str, Written | Document]:
    """The camt.029 about each cancellation that was asked for, as everything stands now, by name.

    Each that is final stands under a name of its own, and is never written again: whoever finds one there
    need not ask how it goes on.  The last one's stands as the transaction's too, and comes last, so that it
    is not told before it is kept.
    """
    original = _original(case)
    if original is None:
        return {}
    found: dict[str, Written | Document] = {}
    last: dict[str, Written | Document] = {}
    for one in case.asked:
        name = answer_to(one.decision.key)
        if name in case.head.documents:
            last[CANCELLATION_ANSWER] = case.head.documents[name]
            continue
        answer = _cancellation_answer(case, now, original, one)
        message = camt_029.write(answer, one.request.case_id if one.request else None)
        last[CANCELLATION_ANSWER] = message
        if camt_029.is_final(answer):
            found[name] = message
    return found | last


def _cancellation_answer(case: Case, now: Progress, original: Original, one: Asked) -> Answer:
    asked, request = one.decision, one.request
    sender, receiver = (request.receiver, request.sender) if request else _ends(case)
    answer = Answer(
        # Of several cancellations of one transaction each has an answer of its own.
        message_id=_cancellation_answer_id(case, asked, Kind.CANCELLATION),
        created_at=max(case.told_at, asked.at),
        original=original,
        status=now.status,
        reasons=now.reasons,
        standings=tuple(one for one in _standings(case) if decisions.covering(one.number, [asked])),
        sender=sender,
        receiver=receiver,
    )
    if camt_029.is_final(answer):
        return answer
    return replace(answer, message_id=_cancellation_answer_id(case, asked, Kind.CANCELLATION_PENDING))


def _cancellation_answer_id(case: Case, asked: Decision, kind: Kind) -> str:
    return answers.message_id(derived_id(case.head.transaction_id, asked.key, 0), kind)


def creditor_keys(case: Case) -> list[AccountKey]:
    """What the accounts of those transfers' creditors are looked up by that were booked."""
    return [
        key
        for transfer_account, _ in _booked(case)
        if (key := _key(transfer_account)) is not None
    ]  # fmt: skip


def _deciding(case: Case) -> Decision | None:
    """The decision a message ends by: of several, one that is no cancellation, for not all was cancelled."""
    if not case.children:
        return next(iter(case.standing), None)
    voided = (child.number for child in case.children if child.state is ChildState.VOIDED)
    found = [decisions.covering(number, case.standing) for number in voided]
    if any(decision is None for decision in found):
        return next((one for one in found if one and one.kind is not DecisionKind.CANCELLATION), None)
    named = [decision for decision in found if decision is not None]
    others = (one for one in named if one.kind is not DecisionKind.CANCELLATION)
    return next(others, next(iter(named), None))


def _answer(case: Case, end: Progress) -> Written:
    original = _original(case)
    is_cancellation = case.type is not None and case.type.definition == "camt.056"
    if original is None or (is_cancellation and not _is_unknown(end)):
        return admi_002.write(
            admi_002.Refusal(
                reference=case.head.message_id or case.head.transaction_id,
                refused_at=case.told_at,
                reasons=progress.told(end.status, end.reasons) or (progress.UNSPECIFIED,),
            )
        )
    sender, receiver = _ends(case)
    answer = Answer(
        message_id=answers.message_id(case.head.transaction_id, Kind.STATUS),
        created_at=case.told_at,
        original=original,
        status=end.status,
        reasons=end.reasons,
        standings=tuple(_standings(case)),
        sender=sender,
        receiver=receiver,
    )
    return answers.write(answer, case.type or original.message_type)


def _is_unknown(end: Progress) -> bool:
    return any(reason.code == camt_029.UNKNOWN.code for reason in end.reasons)


def _original(case: Case) -> Original | None:
    if case.type is None:
        return None
    message = case.message.reading.message if case.message.reading else None
    if message is None:
        return Original(message_id=case.head.message_id or "", message_type=case.type)
    if message.references:
        return _asked_about(message)
    return Original(
        message_id=message.message_id,
        message_type=message.type,
        created_at=message.created_at,
        number_of_transactions=message.number_of_transactions,
        control_sum=message.control_sum,
    )


def _asked_about(request: Message) -> Original:
    """What a request says it is about, as far as it says so."""
    first = request.references[0]
    try:
        named = MessageType.of(first.original_message_type or "")
    except Malformed:
        named = request.type
    return Original(message_id=first.original_message_id or request.message_id, message_type=named)


def _ends(case: Case) -> tuple[Agent | None, Agent | None]:
    """Who answers whom: the message's receiver its sender."""
    if case.message.reading is None:
        return None, None
    message = case.message.reading.message
    each: list[Transfer | Return | Unreadable] = [
        *message.transfers,
        *message.returns,
        *message.unreadable,
    ]
    return receiver_of(message.receiver, each), sender_of(message.sender, each)


def _standings(case: Case) -> list[Standing]:
    return [_standing(child, decisions.covering(child.number, case.standing)) for child in case.children]


def _standing(child: Child, decision: Decision | None) -> Standing:
    kind, reasons = (decision.kind, decision.reasons) if decision else (None, ())
    return progress.standing_of(child, kind, reasons)


def _booked(case: Case) -> list[tuple[AccountIdentification, Child]]:
    """The transfers that were booked, with their creditors' accounts as the message names them."""
    if case.message.reading is None:
        return []
    booked = {child.number: child for child in case.children if child.state is ChildState.POSTED}
    return [
        (transfer.creditor_account, booked[transfer.number])
        for transfer in case.message.reading.message.transfers
        if transfer.number in booked and transfer.creditor_account is not None
    ]


def _credits(case: Case, ours: Accounts) -> tuple[camt_054.Credit, ...]:
    found = []
    for account, child in _booked(case):
        key, amount, booked_at = _key(account), child.amount, child.settled_at
        token = child.creditor_account_token
        known: Collection[FoundAccount] = ours.get(key, ()) if key is not None else ()
        if amount is None or booked_at is None or token not in {one.token for one in known}:
            continue
        found.append(
            camt_054.Credit(
                account=account,
                amount=amount,
                booked_at=booked_at,
                end_to_end_id=child.end_to_end_id,
                instruction_id=child.instruction_id,
                transaction_id=child.transaction_id,
                uetr=child.uetr,
                value_date=child.requested_date,
            )
        )
    return tuple(found)


def _key(account: AccountIdentification) -> AccountKey | None:
    if account.iban is not None:
        return AccountKey(AccountKeyKind.IBAN, account.iban)
    return None if account.other is None else AccountKey(AccountKeyKind.OTHER, account.other)
