"""One SELECT over the offline index, as a service."""

from ...idc.query import Queried, run
from .asking import ask


async def query(sql: str, max_rows: int) -> Queried:
    """What a SELECT finds. Raises IndexProblem for what is not offered, fails or takes too long."""
    return await ask(lambda session: run(session, sql, max_rows))
