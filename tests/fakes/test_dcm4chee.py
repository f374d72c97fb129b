import io

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from fakes.base import split_multipart
from fakes.dcm4chee import Dcm4chee
from fakes.store import SHIPPED, Store, synthetic_uid

OCTETS = 'multipart/related; type="application/octet-stream"'


def client_of(fake: Dcm4chee) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(fake), base_url=f"http://archive.test:8080{fake.base}/")


@pytest.fixture(scope="module")
def many() -> httpx.Client:
    return client_of(Dcm4chee(Store.synthetic(studies=1_200)))


@pytest.fixture(scope="module")
def images() -> httpx.Client:
    return client_of(Dcm4chee(Store.shipped("MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "test-SR.dcm")))


def place(name: str) -> str:
    held = dcmread(SHIPPED / name)
    return f"studies/{held.StudyInstanceUID}/series/{held.SeriesInstanceUID}/instances/{held.SOPInstanceUID}"


def test_its_own_cap_cuts_the_list_and_says_so(many: httpx.Client):
    answer = many.get("studies")
    assert len(answer.json()) == 1_000
    assert answer.headers["warning"] == (
        '299 archive.test:8080 "There are 200 additional results that can be requested"'
    )
    beyond = many.get("studies?limit=1001")
    assert (len(beyond.json()), "warning" in beyond.headers) == (1_000, True)
    assert "warning" not in many.get("studies?limit=10").headers
    assert "warning" not in many.get("studies?offset=500").headers


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1", 200), ("limit=99999", 200), ("limit=0", 400), ("limit=100000", 400), ("limit=-1", 400),
        ("limit=01", 400), ("offset=0", 200), ("offset=1199", 200), ("offset=1200", 204), ("offset=100000", 400),
        ("PatientID=nobody", 204), ("NotAnAttribute=1", 400), ("includefield=NotAnAttribute", 400),
    ],
)  # fmt: skip
def test_a_query_ends_as_it_should(many: httpx.Client, query: str, status: int):
    answer = many.get(f"studies?{query}")
    assert answer.status_code == status
    if status == 204:
        assert answer.content == b""
    if status == 400:
        assert answer.headers["content-type"] == "text/plain"
        assert list(answer.json()) == ["errorMessage"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("studies?PatientID=P000001", 1),
        ("studies?PatientID=p000001", 0),
        ("studies?PatientID=P000001,P000002", 2),
        ("studies?PatientID=P000001%2CP000002", 0),  # lists are split before they are decoded
        ("studies?PatientName=Doe%5EPerson00000*", 1),
        ("studies?PatientName=Dough&fuzzymatching=true&limit=5", 0),
        ("studies?PatientName=Dow&fuzzymatching=true&limit=5", 5),
        ("studies?PatientName=Dow&limit=5", 0),
        ("studies?StudyDate=20000101-20000101&limit=9", 2),
        ("studies?ModalitiesInStudy=CT&limit=9", 9),
        ("studies?Manufacturer=Nobody&limit=9", 9),  # valid, not supported: ignored
        ("studies?Modality=XX&limit=9", 9),  # of a lower level: the same
        ("series?Modality=XX&limit=9", 0),
        ("series?Modality=CT,MR&limit=9", 9),
    ],
)
def test_it_finds(many: httpx.Client, query: str, expected: int):
    answer = many.get(query)
    assert (len(answer.json()) if answer.status_code == 200 else 0) == expected


def test_a_search_without_hits_in_an_unknown_archive(many: httpx.Client):
    other = httpx.URL("http://archive.test:8080/dcm4chee-arc/aets/OTHER/rs/studies")
    assert many.get(other).status_code == 404


def test_rows_have_what_the_standard_wants(many: httpx.Client):
    row = many.get("studies?PatientID=P000001").json()[0]
    assert {"00080061", "00201206", "00201208", "00080056", "00080054"} <= row.keys()
    assert row["00081190"]["Value"] == [f"{many.base_url}studies/{synthetic_uid(1)}"]
    assert "00081030" not in row
    assert "00081030" in many.get("studies?PatientID=P000001&includefield=StudyDescription").json()[0]
    instance = many.get(f"studies/{synthetic_uid(1)}/instances").json()[0]
    assert instance["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]


def test_it_counts(many: httpx.Client):
    assert many.get("studies/count?ModalitiesInStudy=CT").json() == {"count": 240}


def test_sequences_are_searched_by_path():
    store = Store.synthetic(studies=3)
    item = {"00400009": {"vr": "SH", "Value": ["STEP7"]}}
    store.instances[1].attributes["00400275"] = {"vr": "SQ", "Value": [item]}
    client = client_of(Dcm4chee(store))
    path = "RequestAttributesSequence.ScheduledProcedureStepID"
    assert len(client.get(f"series?{path}=STEP7").json()) == 1
    assert client.get(f"series?{path}=STEP8").status_code == 204


def test_a_search_may_be_too_broad():
    answer = client_of(Dcm4chee(Store.synthetic(studies=20), too_many=10)).get("studies")
    assert answer.status_code == 413


def test_a_fault_is_a_stack_trace_and_a_login_keycloak():
    fake = Dcm4chee(Store.synthetic(studies=1), token="t")
    client = client_of(fake)
    statuses = [client.get(f"studies{more}").status_code for more in ("", "?access_token=t", "?access_token=u")]
    assert statuses == [401, 200, 401]
    fake.fail(500)
    answer = client.get("studies?access_token=t")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/plain")
    assert "\tat org.dcm4chee" in answer.text


def test_metadata_tells_the_stored_syntax_and_gives_pixels_by_address(images: httpx.Client):
    row = images.get(f"{place('MR_small_RLE.dcm')}/metadata").json()[0]
    assert row["00083002"]["Value"] == ["1.2.840.10008.1.2.5"]
    assert "00020010" not in row
    answer = images.get(row["7FE00010"]["BulkDataURI"], headers={"Accept": OCTETS})
    assert (
        split_multipart(answer.headers["content-type"], answer.content)[0][1]
        == dcmread(SHIPPED / "MR_small_RLE.dcm").PixelData
    )


def test_frames_come_by_the_stored_syntax_or_decompressed(images: httpx.Client):
    url = f"{place('MR_small_RLE.dcm')}/frames/1"
    native = dcmread(SHIPPED / "MR_small.dcm").PixelData
    got = {}
    for accept in (OCTETS, f"{OCTETS}; transfer-syntax=*", 'multipart/related; type="image/dicom-rle"'):
        answer = images.get(url, headers={"Accept": accept})
        got[accept] = split_multipart(answer.headers["content-type"], answer.content)[0][1]
    assert [data == native for data in got.values()] == [True, False, False]
    assert images.get(url, headers={"Accept": "application/octet-stream"}).status_code == 406
    assert images.get(url, headers={"Accept": 'multipart/related; type="image/jp2"'}).status_code == 406


@pytest.mark.parametrize(
    ("name", "numbers", "status", "parts"),
    [
        ("SC_rgb_rle_2frame.dcm", "1,2", 200, 2),
        ("SC_rgb_rle_2frame.dcm", "2,3,9", 206, 1),
        ("SC_rgb_rle_2frame.dcm", "3", 404, "No such frame."),
        ("test-SR.dcm", "1", 404, "Not an image."),
    ],
)
def test_frames_that_are_not_there(images: httpx.Client, name: str, numbers: str, status: int, parts):
    answer = images.get(f"{place(name)}/frames/{numbers}", headers={"Accept": OCTETS})
    assert answer.status_code == status
    if status < 300:
        assert len(split_multipart(answer.headers["content-type"], answer.content)) == parts
    else:
        assert answer.json() == {"errorMessage": parts}


def test_files_are_multipart_only(images: httpx.Client):
    url = place("MR_small_RLE.dcm")
    answer = images.get(url, headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
    parts = split_multipart(answer.headers["content-type"], answer.content)
    assert [data for _, data in parts] == [(SHIPPED / "MR_small_RLE.dcm").read_bytes()]
    assert images.get(url, headers={"Accept": "application/dicom"}).status_code == 406


def test_pictures_fit_the_viewport_without_padding(images: httpx.Client):
    answer = images.get(f"{place('MR_small_RLE.dcm')}/rendered?viewport=200,32&window=600,1200,linear&accept=image/png")
    picture = Image.open(io.BytesIO(answer.content))
    assert (picture.format, picture.size) == ("PNG", (32, 32))
    whole = images.get(f"{place('MR_small_RLE.dcm')}/rendered?window=600,1200,sigmoid&accept=image/png")
    levels = np.asarray(Image.open(io.BytesIO(whole.content))).astype(float)
    values = dcmread(SHIPPED / "MR_small.dcm").pixel_array
    linear = np.clip((values - 599.5) / 1199 + 0.5, 0, 1) * 255  # the function is checked and not applied
    assert np.abs(levels - linear).max() <= 0.5


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ("rendered", 406),  # of a multi-frame object: an animated GIF only
        ("frames/2/rendered", 200),
        ("frames/3/rendered", 404),
        ("frames/1/rendered?viewport=10,10,0,0,5,5", 400),
        ("frames/1/rendered?window=40,400", 400),
        ("frames/1/rendered?window=40,0.5,linear", 400),
        ("frames/1/rendered?window=40,0.5,linear-exact", 200),
        ("frames/1/rendered?quality=101", 400),
        ("frames/1/rendered?annotation=doctor", 400),
    ],
)
def test_rendering_is_refused(images: httpx.Client, resource: str, status: int):
    url = f"{place('SC_rgb_rle_2frame.dcm')}/{resource}"
    assert images.get(url, headers={"Accept": "image/png"}).status_code == status
