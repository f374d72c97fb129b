"""The files that an answer names, which are those that need a look; a report tells of all where it does not."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ..dicom.values import clean
from ..services.report import write_report
from ..settings import BadSettings
from .answers import LIST_BUDGET, RetrievalAnswer, TransferAnswer, size

LONGEST_LIST = 100  # files, of which the answer alone tells all
ROWS_SHOWN = 200
LONGEST_REASON = 300


def file_row(shown: str, outcome: str, reason: str) -> dict[str, str]:
    """The row of one file."""
    return {"file": shown, "outcome": outcome, "reason": clean(reason, LONGEST_REASON)}


def fit(
    answer: TransferAnswer | RetrievalAnswer, kind: str, every_file: Sequence[Mapping[str, str]], advice: str
) -> None:
    """Keep an answer within its budget: its ``files`` give way last to first, and are counted. What does not fit, and
    the whole of a long list, goes into a report; ``advice`` is for when that cannot be written."""
    if len(every_file) > LONGEST_LIST or size(answer) > LIST_BUDGET:
        try:
            answer.report = str(write_report(kind, every_file))
        except (OSError, BadSettings) as error:
            why = getattr(error, "strerror", None) or error
            answer.notes = [*answer.notes, f"The report of all files could not be written: {why}."]
    rows, notes = answer.files, answer.notes
    shown = len(rows)
    while shown > ROWS_SHOWN or (shown and size(answer) > LIST_BUDGET):
        shown = min(shown - 1, shown * 4 // 5, ROWS_SHOWN)
        answer.files = rows[:shown]
        hidden = Counter(row["outcome"] for row in rows[shown:])
        listed = ", ".join(f"{count:,} {outcome}" for outcome, count in hidden.items())
        where = "They stand in the report." if answer.report else advice
        answer.notes = [*notes, f"Not listed for space: {listed}. {where}"]
