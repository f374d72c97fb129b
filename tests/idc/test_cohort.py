"""Counts, groups, pages and changes of cohorts, against plain Python over a good part of the index."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from dicomweb_mcp.idc.attributes import GROUPS
from dicomweb_mcp.idc.cohort import Cohort
from dicomweb_mcp.idc.condition import Condition
from dicomweb_mcp.idc.filters import conditions
from dicomweb_mcp.idc.index import Session, the_index
from dicomweb_mcp.idc.wheel import release

COLUMNS = (
    "collection_id", "analysis_result_id", "PatientID", "PatientAge", "PatientSex", "StudyInstanceUID", "StudyDate",
    "StudyDescription", "SeriesInstanceUID", "SeriesDescription", "Modality", "BodyPartExamined", "Manufacturer",
    "ManufacturerModelName", "TransferSyntaxUID", "transfer_syntax_name", "sop_class_name", "license_short_name",
    "aws_bucket", "instanceCount", "series_size_MB", "series_init_idc_version", "series_revised_idc_version",
)  # fmt: skip
SMALL = 150  # series of a collection that is computed in plain Python
SINCE = int(release()[1:]) - 8
Series = SimpleNamespace
Says = Callable[[Series], bool | None]  # whether a series matches; None where it has no value


@dataclass(frozen=True)
class Part:
    """The series of the smaller collections in the order of the index, and what else tests choose values from."""

    series: list[Series]
    collections: list[str]
    of_collections: Mapping[str, Mapping[str, set[str]]]
    removed: list[Series]

    def having(self, level: Iterable[str], **values: str) -> set[tuple[str, ...]]:
        """What of a level has such a series."""
        names = tuple(level)
        ((column, value),) = values.items()
        return {tuple(getattr(one, name) for name in names) for one in self.series if getattr(one, column) == value}


@pytest.fixture(scope="module")
def part(plain: duckdb.DuckDBPyConnection) -> Part:
    def rows(sql: str, names: Iterable[str]) -> list[Series]:
        return [Series(**dict(zip(names, row, strict=True))) for row in plain.execute(sql).fetchall()]

    small = f"(SELECT collection_id FROM index GROUP BY 1 HAVING count(*) <= {SMALL})"
    series = rows(f"SELECT {', '.join(COLUMNS)} FROM numbered WHERE collection_id IN {small} ORDER BY place", COLUMNS)
    said = ("collection_id", "cancer_types", "tumor_locations", "species")
    kept = ("collection_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "max_idc_version")
    current = {one.SeriesInstanceUID for one in series}
    prior = rows(f"SELECT {', '.join(kept)} FROM prior_versions_index WHERE collection_id IN {small}", kept)
    return Part(
        series,
        sorted({one.collection_id for one in series}),
        {
            one.collection_id: {name: set(re.split(r",\s*", getattr(one, name) or "")) - {""} for name in said[1:]}
            for one in rows(f"SELECT {', '.join(said)} FROM collections_index", said)
        },
        [one for one in prior if one.SeriesInstanceUID not in current],
    )


def among(column: str, *values: str) -> Says:
    return lambda one: getattr(one, column) in values if getattr(one, column) else None


def age(low: int, high: int) -> Says:
    """Completed years; all ages of the index that are written as the standard says."""

    def says(one: Series) -> bool | None:
        match = re.fullmatch(r"([0-9]{3})([DWMYy])", one.PatientAge or "")
        return low <= int(match[1]) // {"D": 365, "M": 12}.get(match[2], 1) <= high if match else None

    return says


def date(first: str, last: str) -> Says:
    return lambda one: first <= one.StudyDate <= last if one.StudyDate else None


def words(*wanted: str) -> Says:
    def says(one: Series) -> bool | None:
        texts = f"{one.StudyDescription or ''} {one.SeriesDescription or ''}".lower()
        return all(word in texts for word in wanted) if texts.strip() else None

    return says


def cases(part: Part) -> dict[str, list[tuple[Any, Says]]]:
    """Each argument with values, and what it should mean."""
    patients = sorted({one.PatientID for one in part.series})[::100]
    studies = sorted({one.StudyInstanceUID for one in part.series})[::200]
    series = sorted({one.SeriesInstanceUID for one in part.series})[::200]
    with_slides = part.having(("collection_id", "PatientID"), Modality="SM")
    with_ct, with_seg = (part.having(("StudyInstanceUID",), Modality=name) for name in ("CT", "SEG"))
    with_both = with_ct & with_seg
    jpeg_2000 = ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"]

    def of_collection(name: str, value: str) -> Says:
        def says(one: Series) -> bool | None:
            values = part.of_collections.get(one.collection_id, {}).get(name, set())
            return value in {item.lower() for item in values} if values else None

        return says

    return {
        "modality": [("ct", among("Modality", "CT")), (["MRI", "SEG"], among("Modality", "MR", "SEG"))],
        "body_part": [
            ("breast", among("BodyPartExamined", "BREAST")),
            (["Head neck", "CHEST"], lambda one: one.BodyPartExamined and re.sub(r"[^A-Z]", "", one.BodyPartExamined.upper()) in ("HEADNECK", "CHEST")),
        ],
        "sex": [("female", among("PatientSex", "F")), (["M", "O"], among("PatientSex", "M", "O"))],
        "age": [("60..69", age(60, 69)), (["<18", ">=80"], lambda one: (young := age(0, 17)(one)) or (young if young is None else age(80, 999)(one)))],
        "study_date": [("2001", date("2001-01-01", "2001-12-31")), (">=2010-06", date("2010-06-01", "9999-12-31"))],
        "license": [
            ("CC BY", lambda one: one.license_short_name.startswith("CC BY ")),
            (["CC BY-NC 3.0", "CC BY-NC 4.0"], among("license_short_name", "CC BY-NC 3.0", "CC BY-NC 4.0")),
        ],
        "transfer_syntax": [(jpeg_2000, lambda one: bool(set(jpeg_2000) & set(one.TransferSyntaxUID.split(","))))],
        "text": [("Axial T1", words("axial", "t1")), ("segmentation", words("segmentation"))],
        "cancer_type": [("breast cancer", of_collection("cancer_types", "breast cancer"))],
        "tumor_location": [("Lung", of_collection("tumor_locations", "lung"))],
        "species": [("human", of_collection("species", "human"))],
        "patient_id": [(patients, among("PatientID", *patients)), ("tcga-*", lambda one: one.PatientID.startswith("TCGA-"))],
        "study_uid": [(studies, among("StudyInstanceUID", *studies))],
        "series_uid": [(series, among("SeriesInstanceUID", *series))],
        "new_since": [(f"v{SINCE}", lambda one: one.series_revised_idc_version > SINCE)],
        "derived": [
            ("exclude", lambda one: one.analysis_result_id is None),
            ("only", lambda one: one.analysis_result_id is not None),
        ],
        "same_patient_has": [("SM", lambda one: (one.collection_id, one.PatientID) in with_slides)],
        "same_study_has": [(["CT", "SEG"], lambda one: (one.StudyInstanceUID,) in with_both)],
    }  # fmt: skip


@pytest.fixture(scope="module")
def within(part: Part) -> Condition:
    index = the_index()
    assert index
    with index.session() as session:
        return conditions(session, {"collection": part.collections})[0]


def counted(series: list[Series]) -> dict[str, Any]:
    return {
        "patients": len({(one.collection_id, one.PatientID) for one in series}),
        "studies": len({one.StudyInstanceUID for one in series}),
        "series": len(series),
        "instances": sum(one.instanceCount for one in series),
        "size_MB": pytest.approx(sum(one.series_size_MB for one in series), abs=0.06),
    }


def derived(series: list[Series]) -> int:
    return sum(one.analysis_result_id is not None for one in series)


def chosen(part: Part) -> list[dict[str, tuple[Any, Says]]]:
    """Every case alone; then pairs, each argument with some others."""
    every = cases(part)
    alone = [{argument: case} for argument, several in every.items() for case in several]
    names = list(every)
    pairs = [(name, names[(place + step) % len(names)]) for place, name in enumerate(names[::3]) for step in (5,)]
    return alone + [{one: every[one][0], other: every[other][-1]} for one, other in pairs]


def test_counts_and_what_has_no_value(session: Session, part: Part, within: Condition) -> None:
    assert len(part.collections) <= 200
    found = 0
    for case in chosen(part):
        given = {argument: value for argument, (value, _) in case.items()}
        cohort = Cohort(session, [within, *conditions(session, given)])
        said = [[says(one) for _, says in case.values()] for one in part.series]
        matching = [one for one, answers in zip(part.series, said, strict=True) if all(answers)]
        assert cohort.counts() == {**counted(matching), "derived_series": derived(matching)}, given
        missing = {
            argument: sum(
                answers[place] is None and all(answers[:place] + answers[place + 1 :]) for answers in said
            )
            for place, argument in enumerate(case)
        }  # fmt: skip
        assert cohort.without_value() == {argument: count for argument, count in missing.items() if count}, given
        found += bool(matching)
    assert found > 0.6 * len(chosen(part)), "most cases find something"


KEYS: Mapping[str, Callable[[Series], str | None]] = {
    "collection": lambda one: one.collection_id,
    "analysis_result": lambda one: one.analysis_result_id,
    "modality": lambda one: one.Modality,
    "sex": lambda one: one.PatientSex,
    "license": lambda one: one.license_short_name,
    "transfer_syntax": lambda one: one.transfer_syntax_name,
    "sop_class": lambda one: one.sop_class_name,
    "bucket": lambda one: one.aws_bucket,
    "derived": lambda one: "derived" if one.analysis_result_id else "original",
    "year": lambda one: one.StudyDate and one.StudyDate[:4],
    "release": lambda one: f"v{one.series_init_idc_version}",
    "patient": lambda one: one.PatientID,
    "study": lambda one: one.StudyInstanceUID,
}
ALL = 10_000_000


@pytest.mark.parametrize(
    "by", [*((name,) for name in KEYS), ("collection", "modality"), ("year", "sex"), ("modality", "patient")]
)
def test_groups(session: Session, part: Part, within: Condition, by: tuple[str, ...]) -> None:
    cohort = Cohort(session, [within, *conditions(session, {"derived": "exclude"})])
    keys = [*by, *(("collection",) if "patient" in by else ())]
    expected: dict[tuple[str, ...], list[Series]] = {}
    for one in part.series:
        if one.analysis_result_id is None:
            expected.setdefault(tuple(KEYS[key](one) or "(none)" for key in keys), []).append(one)
    total, rows = cohort.groups(by, "series", True, ALL, 0)
    assert total == len(rows) == len(expected)
    for row in rows:
        assert {name: value for name, value in row.items() if name not in keys} == counted(
            expected[tuple(row[key] for key in keys)]
        )
    assert [row["series"] for row in rows] == sorted((len(group) for group in expected.values()), reverse=True)


@pytest.mark.parametrize("by", ["body_part", "manufacturer", "model"])
def test_a_group_of_spellings_as_a_filter_means_the_same_series(session: Session, by: str) -> None:
    total, rows = Cohort(session, []).groups([by], "series", True, 10, 0)
    assert total >= len(rows)
    for row in rows:
        if row[by] != "(none)":
            cohort = Cohort(session, conditions(session, {by: row[by]}))
            counts = cohort.counts()
            assert {name: counts[name] for name in ("patients", "series")} == {
                name: row[name] for name in ("patients", "series")
            }, row
            spellings = len(cohort.biggest(GROUPS[by]))
            assert spellings == row.get(f"{by}_spellings", 1)


def test_every_series_is_in_one_group(session: Session) -> None:
    cohort = Cohort(session, conditions(session, {"modality": "MR"}))
    series = cohort.counts()["series"]
    for by in ("body_part", "manufacturer", "model", "year", "bucket"):
        assert sum(row["series"] for row in cohort.groups([by], by, False, ALL, 0)[1]) == series, by


def test_licenses_and_biggest_groups(session: Session, part: Part, within: Condition) -> None:
    cohort = Cohort(session, [within])
    assert cohort.biggest("license_short_name") == Counter(one.license_short_name for one in part.series)
    of_results = Counter(one.analysis_result_id or "(none)" for one in part.series)
    assert sorted(cohort.biggest("analysis_result_id", 3).values(), reverse=True) == [
        count for _, count in of_results.most_common(3)
    ]


# ---- pages -----------------------------------------------------------------------------------------------------------

FIELDS = ("SeriesInstanceUID", "collection_id", "BodyPartExamined", "StudyDate", "instanceCount")


@pytest.mark.parametrize("order", ["", "BodyPartExamined", "instanceCount", "series_size_MB"])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_have_every_series_once_in_one_order(session: Session, part: Part, order: str, descending: bool) -> None:
    given = {"collection": part.collections[:25], "modality": ["CT", "MR", "SM"]}
    cohort = Cohort(session, conditions(session, given))
    expected = [
        one for one in part.series if one.collection_id in given["collection"] and one.Modality in given["modality"]
    ]
    if order:
        having = [one for one in expected if getattr(one, order) is not None]
        having.sort(
            key=lambda one: getattr(one, order), reverse=descending
        )  # stable, also reversed: ties as in the index
        expected = having + [one for one in expected if getattr(one, order) is None]
    step = -(-len(expected) // 4)
    pages = [cohort.series(FIELDS, order, descending, step, offset) for offset in range(0, len(expected) + step, step)]
    assert pages[-1] == []
    assert [row for page in pages for row in page] == [
        {name: getattr(one, name) for name in FIELDS} for one in expected
    ]  # fmt: skip


@pytest.mark.parametrize("by", [("patient",), ("study",), ("model",)])
@pytest.mark.parametrize("order", ["series", ""])
def test_pages_of_groups_have_every_group_once(session: Session, by: tuple[str, ...], order: str) -> None:
    cohort = Cohort(session, conditions(session, {"modality": "PT"}))
    total, whole = cohort.groups(by, order or by[0], bool(order), ALL, 0)
    step = -(-total // 3)
    pages = [cohort.groups(by, order or by[0], bool(order), step, offset)[1] for offset in range(0, total, step)]
    assert [row for page in pages for row in page] == whole
    assert len({tuple(row.get(name) for name in (*by, "collection")) for row in whole}) == len(whole) == total


def test_groups_that_tie_stand_in_one_order(session: Session, plain: duckdb.DuckDBPyConnection) -> None:
    """A PatientID of two collections is two groups, which have nothing but the collection to be sorted by."""
    shared = [
        row[0]
        for row in plain.execute(
            "SELECT PatientID FROM index GROUP BY 1 HAVING count(DISTINCT collection_id) > 1 ORDER BY 1"
        ).fetchall()
    ]
    if not shared:
        pytest.skip("no PatientID of this release is in two collections")
    _, rows = Cohort(session, conditions(session, {"patient_id": shared[:100]})).groups(
        ["patient"], "patient", False, ALL, 0
    )
    assert [(row["patient"], row["collection"]) for row in rows] == sorted(
        (row["patient"], row["collection"]) for row in rows
    )


def test_what_would_match_without_a_filter(session: Session, part: Part, within: Condition) -> None:
    given = {"modality": "SM", "age": ">=200"}
    cohort = Cohort(session, [within, *conditions(session, given)])
    assert not cohort.counts()["series"]
    assert cohort.without_each() == {"age": sum(one.Modality == "SM" for one in part.series)}


# ---- releases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"modality": ["SR", "SEG"], "derived": "only"}])
@pytest.mark.parametrize("since", [1, SINCE, int(release()[1:]) - 1])
def test_changes(session: Session, part: Part, within: Condition, given: dict[str, Any], since: int) -> None:
    cohort = Cohort(session, [within, *conditions(session, {**given, "new_since": since})])
    modalities = {given["modality"]} if isinstance(given.get("modality"), str) else set(given.get("modality", ()))

    def fits(one: Series) -> bool:
        return not modalities or one.Modality in modalities

    changed = [
        one
        for one in part.series
        if one.series_revised_idc_version > since and fits(one) and ("derived" not in given or one.analysis_result_id)
    ]
    added = [one for one in changed if one.series_init_idc_version > since]
    revised = [one for one in changed if one.series_init_idc_version <= since]
    removed = [one for one in part.removed if since <= one.max_idc_version and fits(one)]
    first = dict.fromkeys(part.collections, 99)
    for one in part.series:
        first[one.collection_id] = min(first[one.collection_id], one.series_init_idc_version)
    changes = cohort.changes(since)
    assert changes["added"] == counted(added)
    assert changes["revised"] == counted(revised)
    assert changes["removed"] == {
        "patients": len({(one.collection_id, one.PatientID) for one in removed}),
        "studies": len({one.StudyInstanceUID for one in removed}),
        "series": len({one.SeriesInstanceUID for one in removed}),
    }
    new = sorted({one.collection_id for one in added if first[one.collection_id] > since})
    assert changes["new_collections"] == new[:30]
    assert cohort.not_asked_of_removed() == (["derived"] if "derived" in given else [])
