"""Arguments that several tools share, each described once."""

from typing import Annotated, Any

from pydantic import Field

from ..services.search import MOST_ORDERED, MOST_ROWS
from .answers import LEAST_BUDGET, METADATA_BUDGET, MOST_BUDGET

Archive = Annotated[str | None, Field(description="Which archive to ask; the first configured one when left out")]
StudyUid = Annotated[str | None, Field(description="StudyInstanceUID, copied whole from an answer")]
SeriesUid = Annotated[str | None, Field(description="SeriesInstanceUID; enough alone, its study is looked up")]
InstanceUid = Annotated[str | None, Field(description="SOPInstanceUID; enough alone, its parents are looked up")]
Filters = Annotated[
    dict[str, Any] | None,
    Field(
        description="DICOM keyword -> value: text, a number, or a list (any of). Dates as 2020-01-15, 2020-01, 2020, "
        "2020-01-15..2020-02-01, >=2020-01-15; numbers also 1..5, >=3, <10"
    ),
]
Fields = Annotated[
    list[str] | None, Field(description="DICOM keywords to return besides the UIDs, in place of the usual ones")
]
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS, description="Rows of one answer")]
Offset = Annotated[int, Field(ge=0, le=1_000_000_000, description="Rows to skip: the next_offset of the answer before")]
Order = Annotated[
    str | None,
    Field(description=f"Keyword to sort by, -Keyword for descending; needs all matches, at most {MOST_ORDERED:,}"),
]
Count = Annotated[bool, Field(description="Only the number of matches")]
FuzzyNames = Annotated[bool, Field(description="Person names: any part, any order, without accents")]
MaxCharacters = Annotated[
    int,
    Field(ge=LEAST_BUDGET, le=MOST_BUDGET, description=f"Longest answer; {METADATA_BUDGET:,} when left out"),
]
