import io
import json

import httpx
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import generate_frames

from fakes import google_attributes as known
from fakes.base import DICOM_JSON, split_multipart
from fakes.google import NO_PIXELS, Google, keywords
from fakes.store import SHIPPED, Store, element, synthetic_uid

OCTETS = 'multipart/related; type="application/octet-stream"'
FILES = 'multipart/related; type="application/dicom"'
NAMES = ("MR_small_RLE.dcm", "JPEG-lossy.dcm", "SC_rgb_rle_2frame.dcm", "liver_1frame.dcm", "test-SR.dcm")


def client_of(fake: Google) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(fake), base_url=f"https://healthcare.googleapis.com{fake.base}/")


@pytest.fixture(scope="module")
def many() -> httpx.Client:
    return client_of(Google(Store.synthetic(studies=6_000)))


@pytest.fixture(scope="module")
def images() -> httpx.Client:
    return client_of(Google(Store.shipped(*NAMES)))


def place(name: str) -> str:
    held = dcmread(SHIPPED / name)
    return f"studies/{held.StudyInstanceUID}/series/{held.SeriesInstanceUID}/instances/{held.SOPInstanceUID}"


def parts(answer: httpx.Response) -> list[tuple[str, bytes]]:
    assert answer.status_code == 200, answer.text
    found = split_multipart(answer.headers["content-type"], answer.content)
    return [(head["content-type"], data) for head, data in found]


# ---- search


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("studies", 100),
        ("series", 100),
        ("instances", 1_000),
        ("studies?limit=5000", 5_000),
        ("studies?limit=5000&offset=5000", 1_000),
        ("instances?limit=50000", 6_000),
        ("studies?PatientID=P000001", 1),
        ("studies?00100020=P000001", 1),
        ("studies?StudyDate=20000101", 8),
        ("studies?StudyDate=20000101-20000131&limit=5000", 72),
        ("studies?PatientName=Doe%5EPerson000003", 1),
        ("studies?PatientName=do&fuzzymatching=true&limit=5000", 857),
        ("series?Modality=CT&limit=5000", 1_200),
        (f"studies/{synthetic_uid(5)}/series", 1),
    ],
)
def test_a_search_finds(many: httpx.Client, query: str, rows: int):
    answer = many.get(query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    assert len(answer.json()) == rows
    assert "warning" not in answer.headers


@pytest.mark.parametrize(
    "query",
    [
        "studies?PatientID=nobody",
        "studies?PatientID=p000001",
        "studies?PatientName=Doe*",  # no wildcards: the asterisk itself is looked for
        "studies?PatientName=Doe",
        "studies?PatientID=P000001,P000002",
        "studies?PatientName=oe&fuzzymatching=true",
        "studies?StudyDate=19990101-19991231",
        "studies?offset=6000",
        "studies/1.2.3/series",
    ],
)
def test_no_match_is_an_empty_204_that_calls_itself_html(many: httpx.Client, query: str):
    answer = many.get(query)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("query", "fragment"),
    [
        ("instances?SOPClassUID=1.2", "SOPClassUID is not a supported instance"),
        ("studies?ModalitiesInStudy=CT", "ModalitiesInStudy is not a supported study"),
        ("studies?Modality=CT", "Modality is not a supported study"),
        ("studies?StudyDescription=x", "StudyDescription"),
        ("series?SeriesNumber=1", "SeriesNumber"),
        ("studies?NotAnAttribute=1", "unknown/unsupported QIDO attribute: NotAnAttribute"),
        ("studies?PatientID=nobody&StudyTime=12", "StudyTime"),
        ("studies?includefield=NumberOfStudyRelatedSeries", "NumberOfStudyRelatedSeries"),
        ("series?includefield=BodyPartExamined", "BodyPartExamined"),
        ("instances?includefield=AvailableTransferSyntaxUID", "unsupported QIDO attribute: AvailableTransferSyntaxUID"),
        ("studies?limit=5001", "5000"),
        ("series?limit=5001", "5000"),
        ("instances?limit=50001", "50000"),
        ("studies?limit=abc", "limit"),
        ("studies?offset=1000001", "1000000"),
        ("studies?StudyDate=2020-01-15", "date"),
    ],
)
def test_what_it_does_not_support_is_an_error_in_a_list_of_one(many: httpx.Client, query: str, fragment: str):
    answer = many.get(query)
    assert answer.status_code == 400
    (only,) = answer.json()
    assert (only["error"]["code"], only["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert fragment in only["error"]["message"]


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_rows_have_only_what_the_conformance_statement_lists(images: httpx.Client, level: str):
    path = {"study": "studies", "series": "series", "instance": "instances"}[level]
    rows = images.get(path).json()
    assert rows
    assert all(keywords(row) <= set(known.RETURNED[level]) for row in rows)
    assert all("InstanceAvailability" in keywords(row) for row in rows) is (level != "series")


def test_more_fields_on_request(images: httpx.Client, many: httpx.Client):
    assert "StudyDescription" in keywords(many.get("studies?includefield=StudyDescription&limit=1").json()[0])
    assert "SeriesNumber" in keywords(images.get("series?includefield=all").json()[0])
    row = images.get("instances?includefield=PhotometricInterpretation,00080070&includefield=PatientID").json()[0]
    assert keywords(row) >= {"PhotometricInterpretation", "Manufacturer", "PatientID"}


def test_the_uids_above_a_row_only_if_told_so():
    store = Store.synthetic(studies=1)
    rows = [client_of(Google(store, parent_uids=told)).get("series").json()[0] for told in (False, True)]
    assert ["StudyInstanceUID" in keywords(row) for row in rows] == [False, True]


# ---- metadata and bulk data


def test_metadata_has_group_2_and_large_values_by_address(images: httpx.Client):
    row = images.get(f"{place('MR_small_RLE.dcm')}/metadata").json()[0]
    assert row["00020010"]["Value"] == ["1.2.840.10008.1.2.5"]
    assert {"00020002", "00020003", "00020012", "00020013"} <= row.keys()
    address = row["7FE00010"]["BulkDataURI"]
    assert address == f"{images.base_url}{place('MR_small_RLE.dcm')}/bulkdata/7FE00010"
    stored = dcmread(SHIPPED / "MR_small_RLE.dcm").PixelData
    assert parts(images.get(address, headers={"Accept": OCTETS}))[0][1] == stored
    assert images.get(address, headers={"Accept": "application/octet-stream; transfer-syntax=*"}).content == stored


def test_sizes_decide_what_is_given_by_address():
    store = Store.synthetic(studies=1)
    attributes = store.instances[0].attributes
    attributes["00400555"] = {"vr": "SQ", "Value": [{"0040A160": element("UT", "x" * (1 << 20))}]}
    attributes["00081140"] = {"vr": "SQ", "Value": [{"00091001": {"vr": "UN", "InlineBinary": "AAAA"}}]}
    attributes["00189999"] = element("FD", *range(513))
    attributes["00189998"] = element("FD", *range(512))
    row = client_of(Google(store)).get("instances?includefield=all").json()[0]
    assert "00400555" not in row  # left out, without an address
    assert row["00081140"]["Value"][0]["00091001"]["BulkDataURI"].endswith("/bulkdata/00081140/0/00091001")
    assert [list(row[tag]) for tag in ("00189999", "00189998")] == [["vr", "BulkDataURI"], ["vr", "Value"]]


# ---- files and frames


def test_frames_as_stored_or_decompressed(images: httpx.Client):
    url = f"{place('MR_small_RLE.dcm')}/frames/1"
    native = dcmread(SHIPPED / "MR_small.dcm").PixelData
    ((kind, stored),) = parts(images.get(url, headers={"Accept": f"{OCTETS}; transfer-syntax=*"}))
    assert kind.endswith("transfer-syntax=1.2.840.10008.1.2.5")
    assert stored != native
    answer = images.get(url, headers={"Accept": OCTETS})
    assert parts(answer) == [("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", native)]
    kind, first, *_ = answer.headers["content-type"].split("; ")
    assert (kind, first[:9], '"' in first) == ("multipart/related", "boundary=", False)


def test_frames_are_one_part_each_in_the_order_asked(images: httpx.Client):
    url = f"{place('SC_rgb_rle_2frame.dcm')}/frames"
    one, two, both = (
        [data for _, data in parts(images.get(f"{url}/{numbers}", headers={"Accept": OCTETS}))]
        for numbers in ("1", "2", "2,1")
    )
    assert both == two + one
    assert one != two


@pytest.mark.parametrize(
    ("name", "resource", "accept", "status"),
    [
        ("JPEG-lossy.dcm", "frames/1", 'multipart/related; type="image/jpeg"', 200),
        ("MR_small_RLE.dcm", "frames/1", 'multipart/related; type="image/jpeg"', 406),
        ("MR_small_RLE.dcm", "frames/1", f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.4.90", 406),
        ("MR_small_RLE.dcm", "frames/1", "application/octet-stream", 406),
        ("MR_small_RLE.dcm", "frames/2", OCTETS, 400),
        ("MR_small_RLE.dcm", "frames/0", OCTETS, 400),
        ("MR_small_RLE.dcm", "frames/x", OCTETS, 400),
        ("MR_small_RLE.dcm", "thumbnail", "image/jpeg", 404),
        ("MR_small_RLE.dcm", "", "application/dicom; transfer-syntax=*", 200),
        ("MR_small_RLE.dcm", "", "text/plain", 406),
        ("MR_small_RLE.dcm", "rendered", "image/gif", 406),
        ("MR_small_RLE.dcm", "rendered?window=40,400,linear", "image/png", 400),
        ("MR_small_RLE.dcm", "rendered?window=40,400", "image/png", 400),
        ("MR_small_RLE.dcm", "rendered?viewport=40,400,0,0,5,5", "image/png", 400),
        ("liver_1frame.dcm", "rendered", "image/png", 400),  # one bit a pixel
        ("liver_1frame.dcm", "frames/1", OCTETS, 200),
    ],
)
def test_a_retrieval_ends_as_it_should(images: httpx.Client, name: str, resource: str, accept: str, status: int):
    assert images.get(f"{place(name)}/{resource}", headers={"Accept": accept}).status_code == status


@pytest.mark.parametrize("resource", ["frames/1", "rendered"])
def test_an_object_without_pixels(images: httpx.Client, resource: str):
    answer = images.get(f"{place('test-SR.dcm')}/{resource}", headers={"Accept": "*/*"})
    assert answer.json() == [{"error": {"code": 400, "message": NO_PIXELS, "status": "FAILED_PRECONDITION"}}]


def test_files_as_stored_or_decompressed(images: httpx.Client):
    url = place("MR_small_RLE.dcm")
    ((_, stored),) = parts(images.get(url, headers={"Accept": f"{FILES}; transfer-syntax=*"}))
    assert stored == (SHIPPED / "MR_small_RLE.dcm").read_bytes()
    ((_, native),) = parts(images.get(url, headers={"Accept": FILES}))
    decompressed = dcmread(io.BytesIO(native))
    assert decompressed.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert decompressed.PixelData == dcmread(SHIPPED / "MR_small.dcm").PixelData


@pytest.mark.parametrize(
    ("resource", "accept", "form", "size"),
    [
        ("rendered", "*/*", "JPEG", (64, 64)),
        ("rendered", "image/png", "PNG", (64, 64)),
        ("frames/1/rendered?viewport=100,32", "image/png", "PNG", (32, 32)),
    ],
)
def test_a_picture_is_really_made(images: httpx.Client, resource: str, accept: str, form: str, size: tuple[int, int]):
    answer = images.get(f"{place('MR_small_RLE.dcm')}/{resource}", headers={"Accept": accept})
    picture = Image.open(io.BytesIO(answer.content))
    assert (picture.format, picture.size) == (form, size)
    low, high = picture.getextrema()
    assert high - low > 100


def test_an_unknown_object(images: httpx.Client):
    assert images.get("studies/1.2.3/metadata").json()[0]["error"]["status"] == "NOT_FOUND"
    assert client_of(Google(Store(), unknown=403)).get("studies/1.2.3/metadata").status_code == 403


@pytest.mark.parametrize(
    ("status", "name"),
    [(401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE")],
)
def test_failures_on_order(status: int, name: str):
    fake = Google(Store.synthetic(studies=1))
    client = client_of(fake)
    fake.fail(status)
    assert client.get("studies").json()[0]["error"]["status"] == name
    assert client.get("studies").status_code == 200


def test_a_token_is_asked_for():
    client = client_of(Google(Store.synthetic(studies=1), token="t"))
    assert client.get("studies").status_code == 401
    assert client.get("studies", headers={"Authorization": "Bearer t"}).status_code == 200


def test_what_cannot_be_decoded_is_an_error_of_the_server():
    url = place("JPEG-lossy.dcm")
    held = dcmread(SHIPPED / "JPEG-lossy.dcm")
    held.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.110"  # known to Google, to no decoder here
    client = client_of(Google(Store(held)))
    ends = {"": FILES, "/frames/1": OCTETS, "/rendered": "image/png"}
    assert [client.get(url + end, headers={"Accept": accept}).status_code for end, accept in ends.items()] == [
        406,
        406,
        400,
    ]


# ---- IDC's proxy


@pytest.fixture
def idc() -> Google:
    return Google(Store.shipped("MR_small_RLE.dcm"), idc=True)


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("DELETE", 405), ("HEAD", 405)])
def test_the_proxy_only_reads(idc: Google, method: str, status: int):
    answer = client_of(idc).request(method, "studies")
    assert (answer.status_code, answer.content) == (status, b"")
    assert client_of(idc).get("studies").status_code == 200


def test_another_path_is_an_empty_404(idc: Google):
    answer = client_of(idc).get("https://proxy.test/v1/projects/p/dicomWeb/studies")
    assert (answer.status_code, answer.content) == (404, b"")


def test_the_daily_quota_is_a_page(idc: Google):
    idc.quota_used = True
    answer = client_of(idc).get("studies")
    assert (answer.status_code, answer.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert "retry-after" not in answer.headers
    assert client_of(idc).get("https://proxy.test/quota_usage").json()["fraction_used"] == 1


@pytest.mark.parametrize(("google", "proxy"), [(429, 500), (500, 503), (503, 503), (403, 403)])
def test_google_s_failures_behind_the_proxy(idc: Google, google: int, proxy: int):
    idc.fail(google)
    answer = client_of(idc).get("studies")
    assert answer.status_code == proxy
    assert bool(answer.content) is (proxy == 403)


def test_addresses_are_taken_out_of_metadata_and_not_out_of_searches(idc: Google):
    metadata = client_of(idc).get(f"{place('MR_small_RLE.dcm')}/metadata").json()[0]
    found = client_of(idc).get("instances?includefield=all").json()[0]
    assert metadata["7FE00010"] == {"vr": "OB"}
    assert found["7FE00010"]["BulkDataURI"].startswith("https://healthcare.googleapis.com/v1/projects/nci-idc-data/")


def test_huge_studies_are_decompressed_whatever_is_asked():
    study = dcmread(SHIPPED / "MR_small_RLE.dcm").StudyInstanceUID
    fake = Google(Store.shipped("MR_small_RLE.dcm"), idc=True, huge=frozenset({study}))
    answer = client_of(fake).get(
        f"{place('MR_small_RLE.dcm')}/frames/1", headers={"Accept": f"{OCTETS}; transfer-syntax=*"}
    )
    ((kind, data),) = parts(answer)
    assert kind.endswith("transfer-syntax=1.2.840.10008.1.2.1")
    assert data == dcmread(SHIPPED / "MR_small.dcm").PixelData


# ---- store: JSON metadata and a JPEG image


INSTANCE = {
    "00020010": element("UI", "1.2.840.10008.1.2.4.50"),
    "00080005": element("CS", "ISO_IR 192"),
    "00080016": element("UI", "1.2.840.10008.5.1.4.1.1.7"),
    "00080018": element("UI", "1.2.3.4"),
    "0020000D": element("UI", "1.2"),
    "0020000E": element("UI", "1.2.3"),
    "7FE00010": {"vr": "OB", "BulkDataURI": "jpeg-image"},
}
JPEG = "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"


def create(fake: Google, metadata: object, kind: str = JPEG, location: str = "jpeg-image", end: str = "--"):
    """The request of the guide, whose last boundary has no line end behind it."""
    body = (
        (
            "--DICOMwebBoundary\r\nContent-Type: application/dicom+json\r\n\r\n"
            f"{json.dumps(metadata)}\r\n--DICOMwebBoundary\r\nContent-Location: {location}\r\nContent-Type: {kind}\r\n\r\n"
        ).encode()
        + b"\xff\xd8\r\n\r\xff\xd9\n\r\n--DICOMwebBoundary"
        + end.encode()
    )
    header = 'multipart/related; type="application/dicom+json"; boundary=DICOMwebBoundary'
    return client_of(fake).post("studies", content=body, headers={"Content-Type": header, "Accept": DICOM_JSON})


def test_the_request_of_the_guide_creates_an_instance():
    fake = Google(Store())
    answer = create(fake, [INSTANCE])
    assert answer.status_code == 200
    (item,) = answer.json()["00081199"]["Value"]
    assert item["00081155"]["Value"] == ["1.2.3.4"]
    (held,) = fake.store.instances
    assert list(generate_frames(held.dataset.PixelData, number_of_frames=1)) == [b"\xff\xd8\r\n\r\xff\xd9\n"]
    assert create(fake, [INSTANCE]).status_code == 409


@pytest.mark.parametrize(
    ("change", "more", "says"),
    [
        ({"00080005": element("CS", "ISO_IR 100")}, {}, "SpecificCharacterSet"),
        ({"00020010": element("UI")}, {}, "00020010 is missing"),
        ({"00020010": element("UI", "1.2.840.10008.1.2.1.99")}, {}, "unsupported transfer syntax"),
        ({"00020010": element("UI", "1.2.840.10008.1.2.4.70")}, {}, "is another"),
        ({"00282000": {"vr": "OB", "InlineBinary": "AAAA"}}, {}, "InlineBinary without a transfer syntax"),
        ({"00282000": {"vr": "OB", "BulkDataURI": "jpeg-image"}}, {}, "duplicate BulkDataURI"),
        ({"00282000": {"vr": "OB", "BulkDataURI": "other"}}, {}, "parts do not match"),
        ({}, {"kind": "image/png"}, "unsupported media type image/png"),
        ({}, {"location": "png-image"}, "parts do not match"),
        ({}, {"end": ""}, "malformed"),
    ],
)
def test_what_breaks_a_rule_of_the_conformance_statement_is_refused(change, more, says):
    fake = Google(Store())
    answer = create(fake, [{**INSTANCE, **change}], **more)
    assert answer.status_code == 400
    assert says in answer.text
    assert fake.store.instances == []
