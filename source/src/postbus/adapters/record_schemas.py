"""The schemas of the inbound records, as they stand in ``events/`` beside the source or in the package."""

import json
from pathlib import Path
from typing import Any


def record_schema(source: str) -> dict[str, Any]:
    """The JSON Schema of a source's records, version 1."""
    inside = Path("events", "records", source, "v1", "schema.json")
    for folder in Path(__file__).resolve().parents:
        if (folder / inside).is_file():
            schema: dict[str, Any] = json.loads((folder / inside).read_text(encoding="utf-8"))
            return schema
    raise FileNotFoundError(f"{inside} is not beside the source, nor in the package")
