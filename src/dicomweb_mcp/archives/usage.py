"""What an archive with a daily quota says that it has counted itself: IDC's proxy, at the root of its host."""

import json
import re
from collections.abc import Mapping

MOST = 4_096  # bytes of such an answer
SECONDS = 10.0

Usage = Mapping[str, int | float | str]


def usage_of(body: bytes) -> Usage:
    """``bytes_used``, ``fraction_used`` of the quota, and the ``date``: each as far as it is what it should be. The
    answer also has the address that asked, which stays here."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(said, dict):
        return {}
    found: dict[str, int | float | str] = {}
    taken, fraction, day = (said.get(key) for key in ("bytes_used", "fraction_used", "date"))
    if type(taken) is int and 0 <= taken < 2**63:
        found["bytes_used"] = taken
    if isinstance(fraction, int | float) and not isinstance(fraction, bool) and 0 <= fraction < 1e6:
        found["fraction_used"] = fraction
    if isinstance(day, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
        found["date"] = day
    return found
