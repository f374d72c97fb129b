"""Arguments -> conditions: how each is understood, what is refused, and what is said beside."""

import re
from typing import Any

import duckdb
import pytest

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.idc.cohort import Cohort
from dicomweb_mcp.idc.condition import Condition
from dicomweb_mcp.idc.filters import MOST_VALUES, conditions
from dicomweb_mcp.idc.index import Session
from dicomweb_mcp.idc.wheel import release


def one(session: Session, argument: str, value: Any) -> Condition:
    (condition,) = conditions(session, {argument: value})
    return condition


def series(session: Session, argument: str, value: Any) -> int:
    return int(Cohort(session, [one(session, argument, value)]).counts()["series"])


# ---- ages ------------------------------------------------------------------------------------------------------------


def completed(age: str) -> int | None:
    """Of every form that the index has; a number without a unit is none."""
    if match := re.fullmatch(r"([0-9]{3})([YyMD])", age):
        return {"Y": lambda n: n, "M": lambda n: n // 12, "D": lambda n: n // 365}[match[2].upper()](int(match[1]))
    return None


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [
        ("50", 50, 50), ("050Y", 50, 50), ("50 years", 50, 50), ("50 YEARS", 50, 50), ("50..60", 50, 60), ("50-60", 50, 60),
        ("50Y to 60Y", 50, 60), (">=65", 65, 999), (">65", 66, 999), ("<18", 0, 17), ("<= 18", 0, 18), ("80..", 80, 999),
        ("..2", 0, 2), ("0", 0, 0), ("1", 1, 1), ("42", 42, 42), ("0..999", 0, 999),
    ],
)  # fmt: skip
def test_ages(session: Session, plain: duckdb.DuckDBPyConnection, given: str, low: int, high: int) -> None:
    ages = plain.execute("SELECT PatientAge, count(*) FROM index GROUP BY 1").fetchall()
    years = [(completed(age or ""), count) for age, count in ages]
    assert series(session, "age", given) == sum(count for age, count in years if age is not None and low <= age <= high)
    other = conditions(session, {"age": given, "derived": "exclude"})
    unknown = plain.execute(
        "SELECT PatientAge, count(*) FROM index WHERE analysis_result_id IS NULL GROUP BY 1"
    ).fetchall()
    assert Cohort(session, other).without_value() == {
        "age": sum(count for age, count in unknown if completed(age or "") is None)
    }


@pytest.mark.parametrize(
    "wrong",
    ["999..0", "-5", "5-", "..", "-", "to", "<0", ">999", "1000", "5.5", "old", "", " ", "8 months", "018M", "1;2", "5y6", "٥"],
)  # fmt: skip
def test_what_is_no_age_is_refused(session: Session, wrong: str) -> None:
    with pytest.raises(BadArgument, match="Write ages in completed years"):
        one(session, "age", [wrong])


# ---- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [
        ("2001", "2001-01-01", "2001-12-31"), ("2000-02", "2000-02-01", "2000-02-29"), ("<1990", "0001-01-01", "1989-12-31"),
        ("2001-05-03", "2001-05-03", "2001-05-03"), ("2001..2003-06", "2001-01-01", "2003-06-30"),
        (">=2015-01-02", "2015-01-02", "9999-12-31"), ("20010203", "2001-02-03", "2001-02-03"),
    ],
)  # fmt: skip
def test_dates(session: Session, plain: duckdb.DuckDBPyConnection, given: str, first: str, last: str) -> None:
    expected = plain.execute(
        "SELECT count(*) FROM index WHERE StudyDate >= $first AND StudyDate <= $last", {"first": first, "last": last}
    ).fetchall()  # ISO dates sort as texts
    assert series(session, "study_date", given) == expected[0][0]


@pytest.mark.parametrize(
    "wrong", ["0000", "0000-01-01", "2001-02-30", "..", "2003..2001", "yesterday", "<0001", ">9999", "01/02/2001"]
)
def test_what_is_no_date_is_refused(session: Session, wrong: str) -> None:
    with pytest.raises(BadArgument):
        one(session, "study_date", wrong)


# ---- texts -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def described(plain: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int]]:
    """StudyDescription and SeriesDescription in lower case, and how many series have both."""
    texts = "lower(coalesce(StudyDescription, '')), lower(coalesce(SeriesDescription, ''))"
    return plain.execute(f"SELECT {texts}, count(*) FROM index GROUP BY ALL").fetchall()


@pytest.mark.parametrize(
    "given",
    ["axial", "AXIAL  t1", "50%", "t2_tse", "patient's", "a\\b", "%", "'; DROP VIEW index; --", "$text_0", "STRASSE", "straße", "İ", "+ 3"],
)  # fmt: skip
def test_texts_mean_themselves(
    session: Session, plain: duckdb.DuckDBPyConnection, described: list[tuple[str, str, int]], given: str
) -> None:
    lowered = [row[0] for row in plain.execute("SELECT lower(unnest($words))", {"words": given.split()}).fetchall()]
    expected = sum(count for study, one, count in described if all(word in study or word in one for word in lowered))
    assert series(session, "text", given) == expected


# ---- patients --------------------------------------------------------------------------------------------------------


def test_patients_by_name_and_star(session: Session, plain: duckdb.DuckDBPyConnection) -> None:
    ids = [row[0] for row in plain.execute("SELECT PatientID FROM index ORDER BY SeriesInstanceUID").fetchall()]
    some = sorted(set(ids))[:: len(set(ids)) // 20]
    assert series(session, "patient_id", [f" {some[0].lower()} ", *some[1:]]) == sum(item in some for item in ids)
    start, end = some[5][:4], some[5][-1]
    assert series(session, "patient_id", f"{start.lower()}*{end}") == sum(
        item.lower().startswith(start.lower()) and item[4:].lower().endswith(end.lower()) for item in ids
    )
    assert series(session, "patient_id", "*_*") == sum("_" in item for item in ids), "_ is no wildcard"
    assert series(session, "patient_id", "*") == len(ids)


@pytest.mark.parametrize("wrong", ["nobody", "%", "' OR 1=1 --", "\\", "TCGA_02_0001%", "\0", "$patient_id"])
def test_unknown_patients_are_refused(session: Session, wrong: str) -> None:
    with pytest.raises(BadArgument, match=f"IDC {release()} has no PatientID"):
        one(session, "patient_id", wrong)


def test_the_unknown_among_known_patients_are_named(session: Session, plain: duckdb.DuckDBPyConnection) -> None:
    known = plain.execute("SELECT min(PatientID) FROM index").fetchall()[0][0]
    said = one(session, "patient_id", [known, "nobody", "no one"])
    assert said.notes[0] == f"2 PatientIDs are not in IDC {release()}: nobody, no one."


def test_many_wildcards_are_refused_because_they_take_too_long(session: Session) -> None:
    with pytest.raises(BadArgument, match="at most 20 values with"):
        one(session, "patient_id", [f"*{number}*" for number in range(21)])


def test_an_id_of_several_collections_is_said(session: Session, plain: duckdb.DuckDBPyConnection) -> None:
    shared = plain.execute(
        "SELECT PatientID, list(DISTINCT collection_id) FROM index GROUP BY 1 HAVING count(DISTINCT collection_id) > 1 "
        "ORDER BY 1"
    ).fetchall()
    if not shared:
        pytest.skip("no PatientID of this release is in two collections")
    (note,) = one(session, "patient_id", shared[0][0]).notes
    assert all(name in note for name in shared[0][1])
    notes = one(session, "patient_id", [row[0] for row in shared[:100]]).notes
    assert len(notes) <= 6, "long lists are summed up"


# ---- UIDs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["1.2,1.3", "abc", "1.2.*", "'", "1" * 65, "1.2 1.3", ""])
def test_what_is_no_uid_is_refused(session: Session, wrong: str) -> None:
    for argument in ("study_uid", "series_uid"):
        with pytest.raises(BadArgument, match="is not a UID"):
            one(session, argument, [wrong])


# ---- releases, and all arguments -------------------------------------------------------------------------------------

NEWEST = int(release()[1:])


@pytest.mark.parametrize("given", [1, "1", "v1", "V1", f" v{NEWEST - 1} ", NEWEST - 1])
def test_releases(session: Session, plain: duckdb.DuckDBPyConnection, given: Any) -> None:
    since = int(str(given).strip().lower().removeprefix("v"))
    expected = plain.execute(f"SELECT count(*) FROM index WHERE series_revised_idc_version > {since}").fetchall()
    assert series(session, "new_since", given) == expected[0][0]


@pytest.mark.parametrize(
    "wrong", [0, -1, -0.0, "v0", "v999", release(), NEWEST, NEWEST + 1, "24.5", "last", "v", True, "v1; v2"]
)
def test_what_is_no_earlier_release_is_refused(session: Session, wrong: Any) -> None:
    with pytest.raises(BadArgument, match=f"before {release()}"):
        one(session, "new_since", wrong)


@pytest.mark.parametrize("argument", ["collection", "model", "age", "text", "patient_id", "same_study_has"])
def test_long_lists_long_texts_and_no_texts_are_refused(session: Session, argument: str) -> None:
    for wrong in (["x"] * (MOST_VALUES + 1), ["x" * 1_000_000], "\ud800", ["a", "\udfff"], [""]):
        with pytest.raises(BadArgument):
            one(session, argument, wrong)


def test_a_value_given_twice_counts_once(session: Session) -> None:
    assert one(session, "modality", ["CT", "ct", " Ct "]).parameters == {"modality": ["CT"]}
    assert series(session, "modality", ["CT", "ct"]) == series(session, "modality", "CT")
    assert series(session, "age", ["50..60", "55..65", "55"]) == series(session, "age", "50..65")
