"""What matches a set of conditions: how much it is, under which licences, in which groups, row by row, and what the
conditions cannot judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .attributes import ATTRIBUTES, GROUPS, SPELLED
from .condition import Condition
from .index import Row, Session, numbered
from .spelling import bare_name, folded, short_name
from .vocabulary import vocabulary
from .wheel import release, tables

BIGGEST = 5  # groups that an answer names unasked
MOST_COLLECTIONS = 30  # new ones that are named

_COUNTS = """
count(DISTINCT (collection_id, PatientID)) AS patients, count(DISTINCT StudyInstanceUID) AS studies,
count(*) AS series, coalesce(sum(instanceCount), 0)::BIGINT AS instances,
coalesce(round(sum(series_size_MB), 1), 0) AS size_MB
"""


@dataclass(frozen=True)
class Cohort:
    """The series that meet all conditions."""

    session: Session
    conditions: Sequence[Condition]

    @cached_property
    def _where(self) -> str:
        return " AND ".join(f"({item.sql})" for item in self.conditions) or "true"

    @cached_property
    def _parameters(self) -> Mapping[str, Any]:
        return {name: value for item in self.conditions for name, value in item.parameters.items()}

    def counts(self) -> Row:
        """Patients (by collection and PatientID), studies, series, instances, size in decimal MB; of the series how
        many are analysis results."""
        sql = f"SELECT {_COUNTS}, count(analysis_result_id) AS derived_series FROM index WHERE {self._where}"
        return self.session.rows(sql, self._parameters)[0]

    def biggest(self, column: str, most: int | None = None) -> dict[str, int]:
        """The values of a column with the most series, and how many."""
        limit = f"LIMIT {most}" if most else ""
        rows = self.session.rows(
            f"SELECT {column} AS value, count(*) AS series FROM index WHERE {self._where} GROUP BY 1 "
            f"ORDER BY 2 DESC, 1 {limit}", self._parameters,
        )  # fmt: skip
        return {"(none)" if row["value"] is None else row["value"]: row["series"] for row in rows}

    def without_each(self) -> dict[str, int]:
        """For each condition how many series would match without it; only those where it is some."""
        if len(self.conditions) < 2:
            return {}
        return self._counted({item.argument: self._met_but(item) for item in self.conditions})

    def without_value(self) -> dict[str, int]:
        """For each condition that needs a value: how many series that meet all others have none."""
        judging = [item for item in self.conditions if item.missing]
        if not judging:
            return {}
        return self._counted({item.argument: [f"lacks_{item.argument}", *self._met_but(item)] for item in judging})

    def _met_but(self, one: Condition) -> list[str]:
        return [f"meets_{item.argument}" for item in self.conditions if item is not one]

    def _counted(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, int]:
        """How many series meet and lack what is wanted, where there are any. Each condition is judged once for all of
        them, because lists of hundreds of values take their time."""
        judged = [f"({item.sql}) AS meets_{item.argument}" for item in self.conditions]
        judged += [f"({item.missing}) AS lacks_{item.argument}" for item in self.conditions if item.missing]
        counted = [f"count(*) FILTER (WHERE {' AND '.join(names)}) AS {key}" for key, names in wanted.items()]
        sql = (
            f"WITH judged AS MATERIALIZED (SELECT {', '.join(judged)} FROM index) "
            f"SELECT {', '.join(counted)} FROM judged"
        )
        found = self.session.rows(sql, self._parameters)[0]
        return {argument: count for argument, count in found.items() if count}

    # ---- pages -------------------------------------------------------------------------------------------------------

    def series(self, fields: Sequence[str], order: str, descending: bool, limit: int, offset: int) -> list[Row]:
        """Rows of series, in the order of the index unless another is wanted; what has no value stands at the end."""
        wanted = f'"{order}" {"DESC" if descending else "ASC"} NULLS LAST, ' if order else ""
        places = self.session.rows(  # first which, then what they say: sorting whole rows takes too much memory
            f"SELECT file_row_number AS place FROM {numbered()} WHERE {self._where} "
            f"ORDER BY {wanted} file_row_number LIMIT {limit} OFFSET {offset}", self._parameters,
        )  # fmt: skip
        numbers = [row["place"] for row in places]
        columns = ", ".join(f'"{name}"' for name in fields)
        rows = self.session.rows(
            f"SELECT file_row_number AS place, {columns} FROM {numbered()} "
            "WHERE list_contains($places, file_row_number)", {"places": numbers},
        )  # fmt: skip
        by_place = {row.pop("place"): row for row in rows}
        return [by_place[number] for number in numbers]

    def groups(self, by: Sequence[str], order: str, descending: bool, limit: int, offset: int) -> tuple[int, list[Row]]:
        """How many groups there are, and rows of them; what is spelled differently is one group."""
        spelled = {name: _labels(self.session, name) for name in by if name in SPELLED}
        keys = [
            f"coalesce({f'{name}_to' if name in spelled else GROUPS[name]}::VARCHAR, '(none)') AS {name}" for name in by
        ]
        names = list(by)
        if "patient" in by and "collection" not in by:  # a PatientID is unique in its collection alone
            keys.append("collection_id AS collection")
            names.append("collection")
        counted = [f"count(DISTINCT {GROUPS[name]}) AS {name}_spellings" for name in spelled]
        joined = " ".join(
            f"LEFT JOIN (SELECT unnest(${name}_from) AS {name}_from, unnest(${name}_to) AS {name}_to) "
            f"ON {GROUPS[name]} = {name}_from" for name in spelled
        )  # fmt: skip
        grouped = (
            f"SELECT {', '.join(keys + counted)}, {_COUNTS} FROM index {joined} WHERE {self._where} "
            f"GROUP BY {', '.join(str(place + 1) for place in range(len(keys)))}"
        )
        parameters = dict(self._parameters)
        for name, spellings in spelled.items():
            parameters |= {f"{name}_from": list(spellings), f"{name}_to": list(spellings.values())}
        total = self.session.rows(f"SELECT count(*) AS groups FROM ({grouped})", parameters)[0]["groups"]
        rows = self.session.rows(
            f'{grouped} ORDER BY "{order}" {"DESC" if descending else "ASC"} NULLS LAST, '
            f"{', '.join(names)} LIMIT {limit} OFFSET {offset}", parameters,
        )  # fmt: skip
        return total, [{key: value for key, value in row.items() if not _is_one_spelling(key, value)} for row in rows]

    # ---- releases ----------------------------------------------------------------------------------------------------

    def changes(self, since: int) -> dict[str, Any]:
        """What came, what changed and what went after a release; and the conditions that cannot be asked of what went,
        because little is kept of it."""
        came = {
            kind: self.session.rows(
                f"SELECT {_COUNTS} FROM index WHERE {self._where} AND series_init_idc_version {compared} {since}",
                self._parameters,
            )[0]
            for kind, compared in (("added", ">"), ("revised", "<="))
        }
        new = self.session.rows(
            f"SELECT DISTINCT collection_id FROM index WHERE {self._where} AND collection_id IN (SELECT collection_id "
            f"FROM index GROUP BY 1 HAVING min(series_init_idc_version) > {since}) ORDER BY 1", self._parameters,
        )  # fmt: skip
        names = [row["collection_id"] for row in new]
        return {**came, "removed": self._removed(since), "new_collections": names[:MOST_COLLECTIONS]}

    def _removed(self, since: int) -> Row:
        known = set(tables()["prior_versions_index"].columns)
        asked = [item for item in self.conditions if item.columns <= known]
        where = " AND ".join(f"({item.sql})" for item in asked) or "true"
        parameters = {name: value for item in asked for name, value in item.parameters.items()}
        return self.session.rows(
            f"SELECT {_REMOVED} FROM prior_versions_index WHERE max_idc_version BETWEEN {since} AND {_before()} "
            f"AND SeriesInstanceUID NOT IN (SELECT SeriesInstanceUID FROM index) AND {where}", parameters,
        )[0]  # fmt: skip

    def not_asked_of_removed(self) -> list[str]:
        """The arguments that ``changes`` cannot ask of what was removed."""
        known = {*tables()["prior_versions_index"].columns, "series_revised_idc_version"}
        return [item.argument for item in self.conditions if not item.columns <= known]


_REMOVED = """
count(DISTINCT (collection_id, PatientID)) AS patients, count(DISTINCT StudyInstanceUID) AS studies,
count(DISTINCT SeriesInstanceUID) AS series
"""


def _before() -> int:
    return int(release()[1:]) - 1


def _is_one_spelling(key: str, value: Any) -> bool:
    return key.endswith("_spellings") and value <= 1


def _labels(session: Session, name: str) -> dict[str, str]:
    """Each spelling of an attribute -> what its group is called, which as a filter means them all."""
    attribute = ATTRIBUTES[name]
    series = vocabulary(session, attribute).series
    key = attribute.bare or folded
    spellings: dict[str, list[str]] = {}
    for value in sorted(series, key=lambda value: -series[value]):
        spellings.setdefault(key(value), []).append(value)
    shorten = short_name if attribute.bare is bare_name else str
    return {value: shorten(same[0]) if len(same) > 1 else value for same in spellings.values() for value in same}
