"""The inbound sources.

A further one is a module here with its place in ``SOURCES``, a schema in ``events/records``, a block in
``main.tf``, and its name in ``local.sources`` of ``outputs.tf``.
"""

from postbus.domain.errors import Malformed
from postbus.domain.inbound import credit_transfers, visa
from postbus.domain.inbound.source import RecordSchema, Source

__all__ = ["SOURCES", "RecordSchema", "Source", "source_named"]

SOURCES: dict[str, Source] = {source.name: source for source in (visa.SOURCE, credit_transfers.SOURCE)}


def source_named(name: str) -> Source:
    """The source of that name; raises Malformed naming the known ones."""
    if name not in SOURCES:
        raise Malformed("source", "one of " + ", ".join(sorted(SOURCES)))
    return SOURCES[name]
