"""The parts that messages share, in whichever version: agents, parties, accounts, payment types, dates."""

from functools import lru_cache

from lxml.etree import _Element

from postbus.domain.iso20022.elements import Children, children, descend, named, text, token
from postbus.domain.iso20022.messages import AccountIdentification, Agent, Party


def agent(element: _Element | None) -> Agent | None:
    """A financial institution; its BIC is ``BIC`` in older versions, ``BICFI`` since."""
    if element is None:
        return None
    institution = children(children(element).get("FinInstnId"))
    bic = text(institution.get("BICFI", institution.get("BIC")))
    if bic is not None and len(institution) == 1:
        return _of_bic(bic)
    member = children(institution.get("ClrSysMmbId"))
    return Agent(
        bic=bic,
        lei=text(institution.get("LEI")),
        clearing_system=text(_code(children(member.get("ClrSysId")))),
        clearing_member=text(member.get("MmbId")),
        name=text(institution.get("Nm")),
        country=text(_country(institution)),
    )


@lru_cache(maxsize=1024)
def _of_bic(bic: str) -> Agent:
    """Most agents are named by their BIC alone, and a file names few of them."""
    return Agent(bic=bic)


def party(element: _Element | None) -> Party | None:
    """A PartyIdentification; an organisation's BIC is ``BICOrBEI`` in older versions, ``AnyBIC`` since."""
    if element is None:
        return None
    found = children(element)
    address = found.get("PstlAdr")
    parts = children(address)
    organisation = children(descend(found.get("Id"), "OrgId"))
    return Party(
        name=text(found.get("Nm")),
        country=text(parts.get("Ctry")),
        town=text(parts.get("TwnNm")),
        address_lines=() if address is None else _lines(address, parts),
        country_of_residence=text(found.get("CtryOfRes")),
        bic=text(organisation.get("AnyBIC", organisation.get("BICOrBEI"))),
        lei=text(organisation.get("LEI")),
        has_identification="Id" in found,
    )


def account(element: _Element | None) -> AccountIdentification | None:
    """A CashAccount; ``None`` as well for one that is named by a proxy alone."""
    if element is None:
        return None
    found = children(element)
    identification = children(found.get("Id"))
    if not identification:
        return None
    return AccountIdentification(
        iban=text(identification.get("IBAN")),
        other=text(descend(identification.get("Othr"), "Id")),
        currency=text(found.get("Ccy")),
    )


def code(element: _Element | None) -> str | None:
    """The ``Cd`` of a choice of code and proprietary; ``None`` for a proprietary one."""
    return None if element is None else text(children(element).get("Cd"))


def date_of(element: _Element | None) -> str | None:
    """An ISO date as it stands, from a date or from a choice of ``Dt`` and ``DtTm``."""
    if element is None:
        return None
    chosen = next(element.iterchildren("*"), None)
    return token(element if chosen is None else chosen)


def payment_type(inner: Children, outer: Children) -> dict[str, str | None]:
    """The four codes of a PmtTpInf, and the purpose; what the transfer does not say its group may."""
    own, group = children(inner.get("PmtTpInf")), children(outer.get("PmtTpInf"))
    return {
        "service_level": code(own.get("SvcLvl", group.get("SvcLvl"))),
        "local_instrument": code(own.get("LclInstrm", group.get("LclInstrm"))),
        "category_purpose": code(own.get("CtgyPurp", group.get("CtgyPurp"))),
        "purpose": code(inner.get("Purp")),
    }


def _lines(address: _Element, parts: Children) -> tuple[str, ...]:
    if "AdrLine" not in parts:
        return ()
    return tuple(text(line) or "" for line in named(address, "AdrLine"))


def _country(institution: Children) -> _Element | None:
    return descend(institution.get("PstlAdr"), "Ctry")


def _code(choice: Children) -> _Element | None:
    return choice.get("Cd", choice.get("Prtry"))
