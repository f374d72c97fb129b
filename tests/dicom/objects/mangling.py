"""DICOM JSON as no server should write it: elements dropped, or made something else, at random places."""

import math
import random
from typing import Any

from dicomweb_mcp.dicom.objects.description import Description

STRANGE = [
    None, "", "abc", "\x1b[31m\u202e", -1, 0, 3, 1e308, float("nan"), float("inf"), 2**63, 10**30, True, [], [[]], [None], {},
    ["1", "x"], {"vr": "SQ", "Value": [{}]}, {"Value": [None]}, {"vr": 7, "Value": "abc"}, {"Alphabetic": 5},
    {"vr": "SQ", "Value": [1, "a", None]}, {"BulkDataURI": "http://pacs.test/1"}, {"vr": "DS", "Value": ["NaN", "1e400"]},
]  # fmt: skip


def mangled(value: Any, chance: random.Random, share: float) -> Any:
    """A copy in which about ``share`` of all nodes are gone or something strange."""
    if chance.random() < share:
        return chance.choice(STRANGE)
    if isinstance(value, dict):
        kept = {key: mangled(member, chance, share) for key, member in value.items() if chance.random() >= share / 2}
        return kept if kept or not value else {}
    if isinstance(value, list):
        return [mangled(member, chance, share) for member in value if chance.random() >= share / 4]
    return value


def mangled_object(obj: dict[str, Any], seed: int, share: float) -> dict[str, Any]:
    """A mangled object that is still an object."""
    chance = random.Random(seed)
    return {tag: mangled(member, chance, share) for tag, member in obj.items() if chance.random() >= share}


def is_harmless(found: Description) -> bool:
    """Only printable text and finite numbers, of bounded size, whatever came in."""
    return _plain(found.facts) and _plain(found.items) and _plain([*found.text, *found.notes, *found.elided])


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(member) for key, member in value.items())
    if isinstance(value, list):
        return all(member is None or _plain(member) for member in value)
    if isinstance(value, str):
        return value.isprintable() and 0 < len(value) < 3_000
    return isinstance(value, int | float) and math.isfinite(value)
