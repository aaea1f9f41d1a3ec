"""What a client may decide about its transaction, and that it is decided once."""

from pathlib import Path

import pytest

from postbus.domain.iso20022.decisions import MOST_CANCELLATIONS
from postbus.domain.iso20022.messages import MessageType, Reason, Status
from postbus.domain.iso20022.workflow import Decision, DecisionKind, StepName
from tests.component.serve_iso20022.conftest import Api, Crash, Reply
from tests.fakes.messages import NOON, entry, transfers

MESSAGES = Path(__file__).parents[2] / "unit" / "domain" / "iso20022" / "messages"


def at(api: Api, *statuses: Status, reasons: tuple[Reason, ...] = ()) -> str:
    """A transaction whose message was read, and brought through these statuses."""
    one = api.opened()
    api.send(one)
    api.store.step_taken(one, StepName.RECEIVE, 1, NOON)
    for status in statuses:
        why = reasons if status is Status.PDNG else ()
        api.store.append(api.store.heads[one], entry(status, reasons=why))
    api.steps.sent.clear()
    return one


def ask(api: Api, one: str, what: str, body: bytes = b"", **headers: str) -> Reply:
    return api.call("POST", f"/v1/transactions/{one}/{what}", body, **headers)


HELD = (Status.ACTC, Status.PDNG)
BOOKED = (Status.ACTC, Status.ACSP, Status.ACSC)


@pytest.mark.parametrize("statuses", [(), (Status.ACTC,), HELD, (Status.ACTC, Status.ACSP), BOOKED])
def test_a_cancellation_is_taken_whatever_the_status_and_answered_later(
    api: Api, statuses: tuple[Status, ...]
) -> None:
    one = at(api, *statuses)
    assert ask(api, one, "cancellation").status == 202
    (decision,) = api.store.decisions(one)
    assert (decision.kind, decision.by) == (DecisionKind.CANCELLATION, "client-acme")
    assert api.steps.sent == [(one, StepName.DECIDE, 1)]


def test_the_same_request_again_is_the_same_decision_and_step(api: Api) -> None:
    one = at(api, Status.ACTC)
    for _ in range(3):
        assert ask(api, one, "cancellation").status == 202
    assert len(api.store.decisions(one)) == 1
    assert api.steps.sent == [(one, StepName.DECIDE, 1)]


def test_a_decision_kept_while_an_earlier_one_is_worked_on_is_sent_as_another_attempt(api: Api) -> None:
    one = at(api, Status.ACTC)
    ask(api, one, "cancellation")
    api.store.step_taken(one, StepName.DECIDE, 1, NOON)
    ask(api, one, "rejection")
    assert api.steps.sent == [(one, StepName.DECIDE, 1), (one, StepName.DECIDE, 2)]


def test_a_request_after_the_status_has_changed_since_the_earlier_one_is_a_new_one(api: Api) -> None:
    one = at(api, Status.ACTC, Status.PDNG)
    ask(api, one, "rejection")
    api.store.carried_out(one, "rejection.3", "refused")
    api.store.append(api.store.heads[one], entry(Status.ACSP))
    assert ask(api, one, "rejection").status == 202
    assert [found.key for found in api.store.decisions(one)] == ["rejection.3", "rejection.4"]


@pytest.mark.parametrize("statuses", [HELD, BOOKED])
def test_asked_again_while_nothing_has_changed_it_is_the_same_decision(
    api: Api, statuses: tuple[Status, ...]
) -> None:
    one = at(api, *statuses, reasons=(Reason("RR04"),))
    for _ in range(3):
        assert ask(api, one, "cancellation").status == 202
        (decision,) = api.store.decisions(one)
        api.store.carried_out(one, decision.key, "refused")


def test_no_more_cancellations_are_taken_than_are_answered(cancellable: tuple[Api, str]) -> None:
    api, one = cancellable
    for number in range(MOST_CANCELLATIONS):
        earlier = Decision(
            key=str(number), kind=DecisionKind.CANCELLATION, by="client-acme", at=NOON, verdict="too_late"
        )
        api.store.decide(one, earlier)
    reply = ask(api, one, "cancellation")
    assert (reply.status, reply.json["type"].rsplit(":")[-1].rsplit("/")[-1]) == (409, "too-many")
    assert len(api.store.decisions(one)) == MOST_CANCELLATIONS


def test_a_repeat_after_the_end_it_brought_about_is_no_conflict(api: Api) -> None:
    one = at(api, Status.ACTC)
    ask(api, one, "rejection")
    api.store.carried_out(one, "rejection.2", "done")
    api.store.append(api.store.heads[one], entry(Status.RJCT))
    asked = api.steps.asked
    assert ask(api, one, "rejection").status == 202
    assert api.steps.asked == asked


def test_what_is_final_is_not_rejected(api: Api) -> None:
    assert ask(api, at(api, *BOOKED), "rejection").status == 409


def test_a_client_accepts_what_is_held_for_its_own_decision(api: Api) -> None:
    one = at(api, *HELD, reasons=(Reason("DU04"),))
    assert ask(api, one, "acceptance").status == 202
    assert api.steps.sent == [(one, StepName.DECIDE, 1)]


@pytest.mark.parametrize("statuses", [(), (Status.ACTC,), (Status.ACTC, Status.ACSP), BOOKED])
def test_nothing_else_is_accepted(api: Api, statuses: tuple[Status, ...]) -> None:
    assert ask(api, at(api, *statuses), "acceptance").status == 409


def test_a_sanctions_hit_is_never_a_clients_to_accept_and_the_refusal_does_not_say_why(api: Api) -> None:
    one = at(api, *HELD, reasons=(Reason("RR04"),))
    reply = ask(api, one, "acceptance")
    assert (reply.status, reply.json["type"]) == (409, "urn:postbus:problem:not-yours")
    assert b"RR04" not in reply.body
    assert b"sanction" not in reply.body
    assert not api.store.decisions(one)


def test_a_withdrawal_is_taken_alike_whatever_holds_the_payment(api: Api) -> None:
    replies = {
        (reply.status, reply.json["status"])
        for code in ("RR04", "DU04")
        for reply in [ask(api, at(api, *HELD, reasons=(Reason(code),)), "rejection")]
    }
    assert replies == {(202, "PDNG")}


@pytest.mark.parametrize("what", ["acceptance", "rejection", "redrive"])
def test_a_body_where_none_belongs_is_400(api: Api, what: str) -> None:
    assert ask(api, at(api, Status.ACTC), what, b"<Document/>").status == 400


# -- camt.056 ----------------------------------------------------------------------------------------------


@pytest.fixture
def cancellable(api: Api, schema_folder: Path) -> tuple[Api, str]:
    """A pacs.008 of two transfers on its way to the ledger."""
    api.folder = schema_folder
    one = at(api, Status.ACTC, Status.ACSP)
    api.store.describe(one, MessageType.of("pacs.008.001.08"), "HARBOUR-20261102-01")
    api.store.add_children(one, transfers(one, 2))
    return api, one


def camt_056(end_to_end: str = "INVOICE-4711", message: str = "HARBOUR-20261102-01") -> bytes:
    text = (MESSAGES / "camt.056.001.08.xml").read_text()
    begin, end = (
        text.index("    <Undrlyg>\n      <OrgnlGrpInfAndCxl>\n        <GrpCxlId>"),
        text.index("  </FIToF"),
    )
    text = text[:begin] + text[end:]
    text = text.replace("        <OrgnlUETR>5f1d0a3c-7a45-4b1e-9d55-0d6c0f6f2a01</OrgnlUETR>\n", "")
    text = text.replace("camt.056.001.08", "camt.056.001.12")
    return text.replace("INVOICE-4711", end_to_end).replace("HARBOUR-20261102-01", message).encode()


def test_a_camt_056_cancels_the_transfers_it_names(cancellable: tuple[Api, str]) -> None:
    api, one = cancellable
    second = api.store.kept[one, 2]
    body = camt_056(str(second.end_to_end_id))
    for _ in range(2):
        assert ask(api, one, "cancellation", body, content_type="application/xml").status == 202
    (decision,) = api.store.decisions(one)
    assert decision.message is not None
    assert api.incoming.bodies[decision.message.key] == body
    assert (decision.numbers, decision.reasons) == ((2,), (Reason("DUPL"),))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"<Document", "/"),
        (b"<Document/>", "/"),
        (camt_056(message="ANOTHER"), "/Document/FIToFIPmtCxlReq/Undrlyg[1]/TxInf[1]"),
        (camt_056("ANOTHER"), "/Document/FIToFIPmtCxlReq/Undrlyg[1]/TxInf[1]"),
        (camt_056().replace(b"<CreDtTm>2026-", b"<CreDtTm>"), "/Document/FIToFIPmtCxlReq/Assgnmt/CreDtTm"),
        ((MESSAGES / "pacs.008.001.08.xml").read_bytes(), "/Document"),
    ],
)
def test_a_camt_056_that_cannot_be_taken_is_400_and_says_where(
    cancellable: tuple[Api, str], body: bytes, field: str
) -> None:
    api, one = cancellable
    reply = ask(api, one, "cancellation", body, content_type="application/xml")
    assert reply.status == 400
    assert field in [found["field"] for found in reply.json["errors"]]
    assert not api.store.decisions(one)


def test_a_camt_056_that_is_one_too_many_is_not_stored(cancellable: tuple[Api, str]) -> None:
    api, one = cancellable
    body = camt_056(str(api.store.kept[one, 1].end_to_end_id))
    for number in range(MOST_CANCELLATIONS):
        kind = DecisionKind.CANCELLATION
        earlier = Decision(key=str(number), kind=kind, by="client-acme", at=NOON, verdict="too_late")
        api.store.decide(one, earlier)
    before = dict(api.incoming.bodies)
    reply = ask(api, one, "cancellation", body, content_type="text/xml")
    assert (reply.status, api.incoming.bodies) == (409, before)


def test_no_cancellation_names_a_camt_056_that_could_not_be_stored(cancellable: tuple[Api, str]) -> None:
    api, one = cancellable
    body = camt_056(str(api.store.kept[one, 1].end_to_end_id))
    api.incoming.away = True
    assert ask(api, one, "cancellation", body, content_type="text/xml").status == 503
    assert not api.store.decisions(one)


def test_a_camt_056_before_its_message_was_read_is_to_be_sent_again(api: Api, schema_folder: Path) -> None:
    api.folder = schema_folder
    one = at(api)
    reply = ask(api, one, "cancellation", camt_056(), content_type="application/xml")
    assert (reply.status, reply.headers["Retry-After"]) == (409, "1")


def test_a_camt_056_whose_schema_is_not_installed_is_refused(cancellable: tuple[Api, str]) -> None:
    api, one = cancellable
    api.folder = None
    assert ask(api, one, "cancellation", camt_056(), content_type="text/xml").status == 400


# -- crashes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["cancellation", "rejection"])
@pytest.mark.parametrize("after", [False, True])
def test_a_repeated_request_is_carried_out_once_wherever_it_crashed(what: str, after: bool) -> None:
    calls = Api()
    one = at(calls, Status.ACTC)
    calls.crash.calls = 0
    ask(calls, one, what)
    assert calls.crash.calls > 4
    for number in range(calls.crash.calls):
        api = Api()
        one = at(api, Status.ACTC)
        api.crash.at, api.crash.after, api.crash.calls = number, after, 0
        assert ask(api, one, what).status == 503
        assert ask(api, one, what).status == 202
        assert len(api.store.decisions(one)) == 1
        assert api.steps.sent == [(one, StepName.DECIDE, 1)]
    assert Crash().at == -1


# -- redrive -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "step"),
    [
        ((), StepName.RECEIVE),
        ((Status.ACTC,), StepName.PROCESS),
        ((Status.ACTC, Status.ACSP), StepName.PROCESS),
    ],
)
def test_a_redrive_sends_the_step_that_the_status_waits_for_as_another_attempt(
    api: Api, statuses: tuple[Status, ...], step: StepName
) -> None:
    one = at(api, *statuses)
    reply = ask(api, one, "redrive")
    assert (reply.status, reply.json["step"]) == (202, step)
    ask(api, one, "redrive")
    attempts = [attempt for _, sent, attempt in api.steps.sent if sent is step]
    assert attempts == [attempts[0], attempts[0] + 1]
    assert step is not StepName.RECEIVE or attempts[0] == 2


def test_a_redrive_prefers_what_was_parked(api: Api) -> None:
    one = at(api, Status.ACTC, Status.ACSP)
    api.store.step_sent(api.store.heads[one], StepName.RELEASE, NOON)
    api.store.step_taken(one, StepName.RELEASE, 1, NOON)
    api.store.step_parked(one, StepName.RELEASE, 1, "why")
    assert ask(api, one, "redrive").json["step"] == "release"


def test_a_redrive_takes_up_a_decision_that_was_never_carried_out(api: Api) -> None:
    one = at(api, Status.ACTC)
    ask(api, one, "cancellation")
    api.store.step_taken(one, StepName.DECIDE, 1, NOON)
    assert ask(api, one, "redrive").json["step"] == "decide"
    assert api.steps.sent[-1] == (one, StepName.DECIDE, 2)


@pytest.mark.parametrize("statuses", [BOOKED, HELD])
def test_what_is_final_or_held_has_nothing_to_redrive(api: Api, statuses: tuple[Status, ...]) -> None:
    assert ask(api, at(api, *statuses), "redrive").status == 409


def test_a_transaction_without_a_message_has_nothing_to_redrive(api: Api) -> None:
    assert ask(api, api.opened(), "redrive").status == 409
