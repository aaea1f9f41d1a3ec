"""A velocity rule can only fire at a count the counter reaches."""

import json
import re
from pathlib import Path

from postbus.domain.enrichment import MOST_COUNTED

TABLE = Path(__file__).parents[2] / "rules" / "velocity.json"


def test_every_limit_of_the_velocity_table_is_below_what_is_counted() -> None:
    nodes = json.loads(TABLE.read_text())["nodes"]
    content = next(node["content"] for node in nodes if node["type"] == "decisionTableNode")
    column = next(one["id"] for one in content["inputs"] if one["field"] == "velocity_count")
    limits = [int(digits) for rule in content["rules"] for digits in re.findall(r"\d+", rule[column])]
    assert limits
    assert max(limits) < MOST_COUNTED
