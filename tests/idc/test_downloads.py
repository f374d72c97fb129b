"""Commands and manifests: nothing gets into a shell line but ids, buckets and folders."""

import shlex
from collections import Counter

import pytest

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.idc import downloads
from dicomweb_mcp.idc.index import Session, the_index
from dicomweb_mcp.idc.links import links
from dicomweb_mcp.idc.selection import Selection, by_collection, by_uids
from idc.parquet import plain_rows

UUID = "0123abcd-0123-4567-89ab-0123456789ab"
HOST = "https://viewer.imaging.datacommons.cancer.gov"


def session() -> Session:
    index = the_index()
    assert index is not None
    return index.session()


def named(*ids: str, is_uids: bool = True) -> Selection:
    return Selection("", {}, ids, "", studies=dict.fromkeys(ids, "1.2") if is_uids else {})


def test_commands_by_selection() -> None:
    assert downloads.by_selection(named("1.2.3", "2.25.7")) == ["idc download 1.2.3,2.25.7"]
    assert downloads.by_selection(named("tcga_luad", is_uids=False)) == ["idc download tcga_luad"]
    assert downloads.by_selection(named(*(f"1.{number}" for number in range(21)))) == []


@pytest.mark.parametrize("evil", ["1.2;rm", "1.2 3", "$(x)", "`x`", "-x", "a|b", "a\nb", "a'b", 'a"b', "a&b", "", "é"])
def test_nothing_else_gets_into_a_command(evil: str) -> None:
    assert downloads.by_selection(named("1.2.3", evil)) == []
    assert downloads.by_selection(named(evil, is_uids=False)) == []
    assert downloads.fit_for_commands([(evil, UUID), ("idc-open-data", evil), ("idc-open-data", UUID)]) == [
        ("idc-open-data", UUID)
    ]


def test_commands_by_series_for_both_clouds() -> None:
    amazon, google = downloads.by_series([("idc-open-data-cr", UUID)])
    assert shlex.split(amazon)[1:] == [
        "--no-sign-request", "--endpoint-url", "https://s3.amazonaws.com", "cp", f"s3://idc-open-data-cr/{UUID}/*", ".",
    ]  # fmt: skip
    assert shlex.split(google)[3:] == ["https://storage.googleapis.com", "cp", f"s3://idc-open-cr/{UUID}/*", "."]
    assert len(downloads.by_series([("idc-open-data-new", UUID)])) == 1


@pytest.mark.parametrize("path", ["/a b/c.txt", "C:\\Users\\é\\m.txt", "/data/x(1)+2.s5cmd"])
def test_a_path_that_any_shell_takes_as_it_is(path: str) -> None:
    assert all(f'"{path}"' in command for command in downloads.by_manifest(path))


@pytest.mark.parametrize("path", ["/a$b", "/a`b`", '/a"b', "/a!b", "/a%b%", "/a;b", "/a'b", "/a\n", "/a\\"])
def test_a_path_that_means_something_to_a_shell_is_not_written_into_a_command(path: str) -> None:
    assert [command.split()[-1] for command in downloads.by_manifest(path)] == ["MANIFEST", "MANIFEST"]


def test_a_manifest() -> None:
    written = b"".join(downloads.manifest([("idc-open-data", UUID)], ["about", "é"])).decode()
    assert written == f"# about\n# é\ncp s3://idc-open-data/{UUID}/* .\n"


def test_every_bucket_of_the_index_is_known_at_google() -> None:
    """IDC's older contents name both buckets; a new bucket of Amazon's must be looked up."""
    used = {bucket for (bucket,) in plain_rows("SELECT DISTINCT aws_bucket FROM index")}
    assert used <= downloads.GOOGLE_BUCKETS.keys()


def test_every_series_of_the_index_is_where_it_says() -> None:
    places = plain_rows("SELECT aws_bucket, crdc_series_uuid, series_aws_url FROM index USING SAMPLE 5000 (system, 7)")
    assert len(downloads.fit_for_commands(place[:2] for place in places)) == len(places)
    assert all(url == f"s3://{bucket}/{uuid}/*" for bucket, uuid, url in places)


def test_what_may_surprise() -> None:
    mixed = downloads.warnings({"CT": 3, "SEG": 5, "SR": 1}, 6, 10.0)
    assert len(mixed) == 1
    assert "5 SEG, 1 SR; 6 series belong" in mixed[0]
    assert "derived series alone" in downloads.warnings({"SEG": 1}, 1, 10.0)[0]
    assert downloads.warnings({"CT": 1}, 0, 100_000) == []
    assert "150 GB" in downloads.warnings({"CT": 1}, 0, 150_000.0)[0]


def test_buckets_add_up() -> None:
    found = downloads.buckets([("idc-open-data-two", 1, 2.0), ("idc-open-data", 2, 1.0), ("idc-open-data-two", 4, 0.5)])
    assert [(item.aws, item.google, item.series, item.size_mb) for item in found] == [
        ("idc-open-data-two", "idc-open-idc1", 5, 2.5), ("idc-open-data", "idc-open-data", 2, 1.0),
    ]  # fmt: skip


def test_places_of_a_collection_are_those_of_its_series() -> None:
    ((name, *_),) = plain_rows(
        "SELECT collection_id FROM index GROUP BY 1 HAVING count(DISTINCT PatientID) < count(DISTINCT StudyInstanceUID) ORDER BY count(*) LIMIT 1"
    )
    with session() as asked:
        selection = by_collection(asked, name.upper().replace("_", "-"))
        places, groups, counts = selection.places(asked), selection.groups(asked), selection.counts(asked)
    rows = plain_rows("SELECT * FROM (SELECT aws_bucket, crdc_series_uuid, instanceCount, PatientID, StudyInstanceUID FROM index WHERE collection_id = ?)", name)  # fmt: skip
    assert Counter(places) == Counter((bucket, uuid) for bucket, uuid, *_ in rows)
    assert sum(row["instances"] for row in groups) == sum(row[2] for row in rows)
    assert counts == {
        "collections": 1,
        "patients": len({row[3] for row in rows}),
        "studies": len({row[4] for row in rows}),
    }


def test_patients_count_within_their_collection() -> None:
    """A PatientID of two collections, where there is one, is two patients."""
    twice = plain_rows(
        "SELECT min_by(SeriesInstanceUID, collection_id), max_by(SeriesInstanceUID, collection_id) FROM (SELECT PatientID, collection_id, min(SeriesInstanceUID) AS SeriesInstanceUID FROM index GROUP BY ALL) GROUP BY PatientID HAVING count(*) = 2 LIMIT 1"
    )
    if not twice:
        pytest.skip("this release has no such PatientID")
    with session() as asked:
        counts = by_uids(asked, list(twice[0])).counts(asked)
    assert (counts["collections"], counts["patients"]) == (2, 2)


def test_the_viewer_is_that_of_the_study() -> None:
    """A SEG or ANN of a study with slides is seen with them in Slim, one of a CT in OHIF."""
    rows = plain_rows(
        """
        SELECT slides, min_by(StudyInstanceUID, SeriesInstanceUID), min(SeriesInstanceUID) FROM (
            SELECT *, StudyInstanceUID IN (SELECT StudyInstanceUID FROM index WHERE Modality = 'SM') AS slides FROM index
        ) WHERE Modality IN ('CT', 'SM', 'ANN', 'SEG') GROUP BY slides, Modality
        """
    )
    on_slide = [(study, series) for slides, study, series in rows if slides]
    apart = [(study, series) for slides, study, series in rows if not slides]
    assert (len(on_slide), len(apart)) == (3, 2)
    with session() as asked:
        for study, series in on_slide:
            assert links(asked, by_uids(asked, [series])) == [f"{HOST}/slim/studies/{study}/series/{series}"]
            assert links(asked, by_uids(asked, [study])) == [f"{HOST}/slim/studies/{study}"]
        for study, series in apart:
            link = f"{HOST}/v3/viewer/?StudyInstanceUIDs={study}"
            assert links(asked, by_uids(asked, [series])) == [f"{link}&initialSeriesInstanceUID={series}"]
            assert links(asked, by_uids(asked, [study])) == [link]
            assert links(asked, by_uids(asked, [study, "1.2.3", series])) == [
                link,
                f"{link}&initialSeriesInstanceUID={series}",
            ]


def test_what_is_not_there_is_named_with_the_reason() -> None:
    ((there,),) = plain_rows("SELECT min(SeriesInstanceUID) FROM index")
    retired, last = plain_rows(
        "SELECT SeriesInstanceUID, max(max_idc_version) FROM prior_versions_index WHERE SeriesInstanceUID NOT IN (SELECT SeriesInstanceUID FROM index) GROUP BY 1 ORDER BY 1 LIMIT 1"
    )[0]
    ((revised,),) = plain_rows(
        "SELECT min(SeriesInstanceUID) FROM prior_versions_index WHERE SeriesInstanceUID IN (SELECT SeriesInstanceUID FROM index)"
    )
    with session() as asked:
        found = by_uids(asked, [there, f" {there}\n", retired, revised, "1.2.3", "no uid", ""])
        assert found.ids == (there, revised)
        assert list(found.missing) == [retired, "1.2.3", "no uid", ""]
        assert f"last in release v{last}" in found.missing[retired]
        assert "instance" in found.missing["1.2.3"]
        assert found.missing["no uid"] == found.missing[""]
        with pytest.raises(BadArgument, match="none of the UIDs"):
            by_uids(asked, [retired, "tcga_luad"])


@pytest.mark.parametrize(
    ("name", "found"),
    [("TCGA-LUAD", "tcga_luad"), (" tcga luad ", "tcga_luad"), ("Nlst-Sybil", "nlst_sybil")],
)
def test_names_without_regard_to_case_and_separators(name: str, found: str) -> None:
    with session() as asked:
        assert by_collection(asked, name).ids == (found,)


def test_every_id_and_name_of_the_index_is_understood() -> None:
    ids = plain_rows(
        "SELECT collection_id, collection_name FROM collections_index WHERE collection_id IN (SELECT collection_id FROM index) ORDER BY 1"
    )
    with session() as asked:
        for identifier, name in ids[::10]:
            assert by_collection(asked, identifier).ids == by_collection(asked, name).ids == (identifier,)


@pytest.mark.parametrize("name", ["tcga_ulad", "luad", "TCGA LUAD!1"])
def test_the_nearest_names_are_offered(name: str) -> None:
    with session() as asked, pytest.raises(BadArgument, match=r"Near it: .*tcga_luad"):
        by_collection(asked, name)


@pytest.mark.parametrize("name", ["", "x", "' OR 1=1 --", "x" * 100_000, "a\nnote: b"])
def test_a_name_that_is_like_none(name: str) -> None:
    with session() as asked, pytest.raises(BadArgument) as caught:
        by_collection(asked, name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
