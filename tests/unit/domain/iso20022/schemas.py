"""The genuine schemas, wherever they are on this machine: none of them is part of the project."""

import os
from functools import cache
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

ROOT = Path(__file__).resolve().parents[4]
FOLDERS = [
    Path(os.environ.get("ISO20022_SCHEMA_DIR") or "/nonexistent"),
    ROOT / ".build" / "iso20022" / "xsd",
    ROOT.parent / "shared" / "iso20022" / "xsd",
]


def assert_valid(body: bytes, message: str) -> etree._Element:
    """The document, if lxml and xmlschema both find it valid; skips where its schema is not at hand."""
    schema, second_opinion = _schemas(message)
    document = etree.fromstring(body)
    assert schema.validate(document), schema.error_log
    second_opinion.validate(etree.ElementTree(document))
    return document


@cache
def _schemas(message: str) -> tuple[etree.XMLSchema, xmlschema.XMLSchema]:
    for folder in FOLDERS:
        path = folder / f"{message}.xsd"
        if path.exists():
            return etree.XMLSchema(file=str(path)), xmlschema.XMLSchema(str(path))
    pytest.skip(f"needs the schema {message}.xsd: build the packages, or set ISO20022_SCHEMA_DIR")
