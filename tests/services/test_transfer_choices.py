"""What only Google's stores offer where files are stored: a storage class, and files made of JSON metadata."""

import json
from email import message_from_bytes
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.pixels import pixel_array

from dicomweb_mcp.archives.base import Choices, NotOffered
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services.transfer import store
from fakes.base import Asked, split_multipart
from fakes.google import Google
from fakes.store import Store
from picture_files import GREY, GREY_16, PDF, PROFILE, RGB, encoded
from services.transfer_helpers import KINDS, Steps, files, outcomes, posts, stored
from support import app_over

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hurried", "own_cache")]
COLD = Choices(storage_class="COLDLINE")
JSON = Choices(send_json=True)
PATIENT = {"PatientID": "P1", "PatientName": "Yamada^Tarou=山田^太郎", "PatientBirthDate": "1970-02-28",
           "PatientWeight": 71.5, "OtherPatientNames": ["Müller^Änne", "Doe^Jane"],
           "AnatomicRegionSequence": [{"CodeValue": "T-D1400", "CodingSchemeDesignator": "SRT",
                                       "CodeMeaning": "Fuß"}]}  # fmt: skip
LARGE = np.random.default_rng(7).integers(0, 256, (1_001, 1_203, 3), np.uint8)  # over a megabyte as a JPEG
PICTURES = {
    "colour.jpg": encoded(RGB, "JPEG", icc_profile=PROFILE),
    "fine.jpg": encoded(RGB, "JPEG", subsampling="4:4:4", quality=91),
    "grey.jpg": encoded(GREY, "JPEG"),
    "large.jpg": encoded(LARGE, "JPEG", quality=95),
    "odd.png": encoded(GREY, "PNG"),
    "profile.png": encoded(RGB, "PNG", icc_profile=PROFILE),
    "words.png": encoded(GREY_16, "PNG"),
    "short.pdf": PDF,
    "long.pdf": PDF.replace(b"%%EOF", b"%" * 5_001 + b"\n%%EOF"),
}


@pytest.fixture
def pictures(root: Path) -> Path:
    root.mkdir()
    for name, data in PICTURES.items():
        (root / name).write_bytes(data)
    return root


def parts_of(post: Asked) -> list[Message]:
    """Read by the standard library."""
    head = f"Content-Type: {post.headers['content-type']}\r\n\r\n".encode()
    found = message_from_bytes(head + post.body).get_payload()
    assert isinstance(found, list)
    return found


def about_class(notes: list[str]) -> str:
    return " ".join(note for note in notes if "torage class" in note)


# ---- a storage class -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ("kept", "COLDLINE was asked for; one of the stored files was looked at, and is kept so."),
        ("ignored", "COLDLINE was asked for, but the stored file that was looked at is kept as STANDARD"),
        ("secret", "COLDLINE was asked for; the archive does not tell whether"),
    ],
)
async def test_what_the_store_made_of_the_class_is_told_as_far_as_it_tells(root: Path, classes: str, says: str) -> None:
    fake = Google(Store())
    fake.classes = classes
    files(root, 60)
    transfer = await stored(fake, "google", root, choices=COLD)
    assert outcomes(transfer) == {"stored": 60}
    assert {post.headers["storage-class"] for post in posts(fake)} == {"COLDLINE"}
    assert len(posts(fake)) == 2
    assert set(fake.kept_as.values()) == {"STANDARD" if classes == "ignored" else "COLDLINE"}
    assert says in about_class(transfer.notes)
    assert sum(path.endswith(":getStorageInfo") for path in fake.paths) == 1


async def test_without_a_class_none_is_asked_for(root: Path) -> None:
    fake = Google(Store())
    files(root, 1)
    transfer = await stored(fake, "google", root)
    assert "storage-class" not in posts(fake)[0].headers
    assert about_class(transfer.notes) == ""
    again = await stored(fake, "google", root, choices=COLD)
    assert outcomes(again) == {"already_there": 1}
    assert about_class(again.notes) == "What was there already keeps the storage class that it had."
    assert set(fake.kept_as.values()) == {"STANDARD"}


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_store_that_takes_no_class_is_asked_once_and_stores_nothing(root: Path, status: int) -> None:
    fake = Google(Store())
    if status == 400:
        fake.classes = "refused"
    else:
        fake.fail(status, times=99, method="POST")
    files(root, 120)
    with pytest.raises(NotOffered) as raised:
        await stored(fake, "google", root, choices=COLD)
    said = str(raised.value)
    assert f"did not store with storage_class COLDLINE ({status}): " in said
    assert "Nothing of this request was stored. Leave that out" in said
    assert status != 400 or "invalid Storage-Class header COLDLINE" in said
    assert len(posts(fake)) == 1
    assert fake.store.instances == []


async def test_a_file_that_google_refuses_is_still_found_among_the_others(root: Path) -> None:
    fake = Google(Store())
    files(root, 4)
    fake.fail(409, times=1, method="POST")  # of the request as a whole: it is sent again in halves
    transfer = await stored(fake, "google", root, choices=COLD)
    assert outcomes(transfer) == {"stored": 4}
    assert set(fake.kept_as.values()) == {"COLDLINE"}


async def test_a_store_that_took_the_class_before_refuses_the_file_and_not_the_class(root: Path) -> None:
    fake = Google(Store())
    files(root, 60)
    bad = (root / "1.2" / "55.dcm").read_bytes()

    def refusing(asked: Asked) -> httpx.Response:
        return httpx.Response(400) if bad in asked.body else fake.answer(asked)

    fake.fail(refusing, times=99, method="POST")
    transfer = await stored(fake, "google", root, choices=COLD)
    assert outcomes(transfer) == {"stored": 59, "rejected": 1}
    assert [item.shown for item in transfer.items if item.outcome == "rejected"] == ["1.2/55.dcm"]
    assert {post.headers["storage-class"] for post in posts(fake)} == {"COLDLINE"}


@pytest.mark.parametrize(
    ("kind", "choices", "more", "says"),
    [
        (
            "orthanc",
            COLD,
            {},
            "storage_class is for archives of kind google, and pacs is of kind orthanc: leave it out",
        ),
        ("dcm4chee", COLD, {}, "pacs is of kind dcm4chee"),
        ("google", Choices("GLACIER"), {}, "storage_class of archive pacs is one of STANDARD, NEARLINE, COLDLINE, "),
        ("orthanc", JSON, {"metadata": PATIENT}, "send_json is for archives of kind google, and pacs is of kind orth"),
        ("google", JSON, {}, "send_json is for pictures and documents with metadata: leave it out"),
    ],
)
async def test_what_the_kind_does_not_offer_is_refused_before_anything_is_read(
    root: Path, kind: str, choices: Choices, more: dict[str, Any], says: str
) -> None:
    fake = KINDS[kind](Store())
    app = app_over({"pacs": (fake, kind)}, roots=[root])  # which does not exist
    with pytest.raises(BadArgument) as raised:
        await store(app, None, ["."], choices=choices, report=Steps(), **more)
    await app.close()
    assert says in str(raised.value)
    assert str(raised.value).endswith("Nothing was opened or sent.")
    assert fake.requests == []


# ---- JSON metadata and the picture -----------------------------------------------------------------------------------


async def test_the_instance_that_google_makes_is_the_one_that_is_made_here(pictures: Path) -> None:
    """Google's fake builds it with pydicom alone, of what the standard library reads in the request."""
    as_json, as_files = Google(Store()), Google(Store())
    assert outcomes(await stored(as_json, "google", pictures, metadata=PATIENT, choices=JSON)) == {"stored": 9}
    assert outcomes(await stored(as_files, "google", pictures, metadata=PATIENT)) == {"stored": 9}
    own = {}
    for post in posts(as_files):
        for _, data in split_multipart(post.headers["content-type"], post.body):
            dataset = dcmread(BytesIO(data))
            own[dataset.SOPInstanceUID] = dataset
    theirs = {held.dataset.SOPInstanceUID: held.dataset for held in as_json.store.instances}
    assert len(own) == 9
    for uid, dataset in own.items():
        assert theirs[uid] == dataset, dataset.InstanceNumber
        assert theirs[uid].file_meta.TransferSyntaxUID == dataset.file_meta.TransferSyntaxUID
        assert {element.tag: element.VR for element in theirs[uid]} == {element.tag: element.VR for element in dataset}
    first = next(dataset for dataset in own.values() if dataset.InstanceNumber == 1)
    assert str(first.PatientName) == PATIENT["PatientName"]
    assert first.AnatomicRegionSequence[0].CodeMeaning == "Fuß"
    again = await stored(as_json, "google", pictures, metadata=PATIENT, choices=JSON)
    assert outcomes(again) == {"already_there": 9}
    assert outcomes(await stored(as_json, "google", pictures, metadata=PATIENT)) == {"already_there": 9}


async def test_the_request_is_that_of_google_s_guide(pictures: Path) -> None:
    fake = Google(Store())
    choices = Choices("ARCHIVE", send_json=True)
    await stored(fake, "google", pictures, "grey.jpg", "fine.jpg", metadata=PATIENT, choices=choices)
    (post,) = posts(fake)
    assert post.headers["content-type"].startswith('multipart/related; type="application/dicom+json"; boundary=')
    assert post.headers["storage-class"] == "ARCHIVE"
    assert int(post.headers["content-length"]) == len(post.body)
    first, *others = parts_of(post)
    objects = json.loads(first.get_payload(decode=True))
    assert first["Content-Type"] == "application/dicom+json; transfer-syntax=1.2.840.10008.1.2.1"
    for obj, part, name in zip(objects, others, ("grey.jpg", "fine.jpg"), strict=True):
        assert obj["00020010"] == {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.50"]}
        assert obj["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
        assert obj["7FE00010"] == {"vr": "OB", "BulkDataURI": part["Content-Location"]}
        assert "00083002" not in obj
        assert part["Content-Type"] == "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"
        data = part.get_payload(decode=True)
        assert data.rstrip(b"\0") == PICTURES[name], "the stream of the picture file itself"
        assert len(data) - len(PICTURES[name]) == len(PICTURES[name]) % 2
        assert Dataset.from_json({**obj, "7FE00010": {"vr": "OB"}}).Rows == RGB.shape[0]


async def test_a_store_that_makes_no_files_says_so_and_takes_the_file(pictures: Path) -> None:
    fake = Google(Store())
    fake.makes_files = False
    with pytest.raises(NotOffered, match=r"did not store with send_json \(400\): unsupported media type"):
        await stored(fake, "google", pictures, "*.jpg", metadata=PATIENT, choices=JSON)
    assert (len(posts(fake)), fake.store.instances) == (1, [])
    assert outcomes(await stored(fake, "google", pictures, "*.jpg", metadata=PATIENT)) == {"stored": 4}


async def test_a_file_that_google_has_is_told_as_ever(pictures: Path) -> None:
    """One of them arrives between the look and the request: Google refuses it and takes the others."""
    other, fake = Google(Store()), Google(Store())
    await stored(other, "google", pictures, "colour.jpg", metadata=PATIENT)

    def arriving(asked: Asked) -> Any:
        fake.store.hold(other.store.instances)
        return fake.answer(asked)

    fake.fail(arriving, times=1, method="POST")
    transfer = await stored(fake, "google", pictures, "colour.jpg", "grey.jpg", metadata=PATIENT, choices=JSON)
    assert outcomes(transfer) == {"unknown": 1, "stored": 1}
    assert "already exists" in transfer.items[0].reason


@pytest.mark.parametrize("is_baseline", [False, True])
async def test_a_real_photograph(test_data: Path, root: Path, is_baseline: bool) -> None:
    picture = next((test_data / "slide-bone").glob("*.jp*g"))
    root.mkdir()
    data = encoded(Image.open(picture), "JPEG") if is_baseline else picture.read_bytes()
    (root / "bone.jpg").write_bytes(data)
    fake = Google(Store())
    metadata = {**PATIENT, "Modality": "XC"}
    assert outcomes(await stored(fake, "google", root, metadata=metadata, choices=JSON)) == {"stored": 1}
    (held,) = fake.store.instances
    assert held.dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.77.1.4"
    assert held.dataset.file_meta.TransferSyntaxUID.is_compressed is is_baseline
    shown, seen = Image.open(BytesIO(data)), pixel_array(held.dataset)
    np.testing.assert_allclose(seen.astype(int), np.asarray(shown).astype(int), atol=4 if is_baseline else 0)
