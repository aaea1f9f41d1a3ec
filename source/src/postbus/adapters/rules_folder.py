"""A ruleset as it is edited: ``rules/`` in the source tree, and beside the code in a function's package."""

import json
from pathlib import Path
from typing import Any

from postbus.domain.errors import Malformed
from postbus.domain.ruleset import Ruleset


def read(folder: Path) -> Ruleset:
    """Read ``ruleset.json``, the tables it lists and the examples beside them.

    Raises:
        Malformed: names the file and what is wrong in it.
    """
    manifest = _json(folder / "ruleset.json")
    tables = manifest.get("tables") if isinstance(manifest, dict) else None
    if not isinstance(tables, list) or not all(isinstance(name, str) for name in tables):
        raise Malformed(str(folder / "ruleset.json"), 'an object such as {"tables": ["amount"]}')
    unlisted = sorted({path.stem for path in folder.glob("*.json")} - {*tables, "ruleset"})
    if unlisted:
        raise Malformed(str(folder / "ruleset.json"), f"every table of the folder; not listed: {unlisted}")
    return Ruleset.parse(
        {
            "tables": {name: _json(folder / f"{name}.json") for name in tables},
            "examples": {name: _json(folder / "examples" / f"{name}.json") for name in tables},
        }
    )


def packaged() -> Ruleset:
    """The ruleset the code was delivered with."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "rules" / "ruleset.json").is_file():
            return read(folder / "rules")
    raise FileNotFoundError("rules/ruleset.json is not beside the source, nor in the package")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Malformed(str(path), "a file that exists") from None
    except ValueError as error:
        raise Malformed(str(path), f"JSON: {error}") from None
