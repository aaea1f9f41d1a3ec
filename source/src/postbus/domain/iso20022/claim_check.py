"""A message that is told of by where it lies and what it hashes to."""

import hashlib

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.workflow import Document


def checked(document: Document, body: bytes | None) -> bytes:
    """The bytes that were stored, and no others.

    Args:
        body: what lies under the document's key now.
    Raises:
        InvariantBroken: nothing lies there, or something else; nobody may act on that.
    """
    if body is None:
        raise InvariantBroken(f"{document.key} is not there")
    if hashlib.sha256(body).hexdigest() != document.sha256:
        raise InvariantBroken(f"{document.key} is not what was stored")
    return body
