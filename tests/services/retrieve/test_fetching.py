"""Whole files from scripted servers of every kind: byte for byte, each in its place, again only what is missing."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread

from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.archives.base import AccessDenied, NotFound, Refused
from dicomweb_mcp.errors import BadArgument
from fakes.base import Asked
from fakes.google import Google
from fakes.store import Held, Row, Store
from services.retrieve.helpers import Serving, due, fetched, found, outcomes, reasons, with_parts
from services.transfer_helpers import Steps

pytestmark = pytest.mark.anyio
STUDY, SERIES = "1.2", "1.2.1"


def archive_of(tmp_path: Path, count: int = 4, **more: object) -> Store:
    """``count`` instances of one series and one of another, all of one study, made as files."""
    made = [make_file(tmp_path / f"{n}.dcm", STUDY, SERIES, f"{SERIES}.{n}", PixelData=bytes(500), **more)
            for n in range(1, count + 1)]  # fmt: skip
    made.append(make_file(tmp_path / "other.dcm", STUDY, "1.2.2", "1.2.2.1", **more))
    return Store.files(*made)


async def test_a_study_arrives_byte_for_byte_and_once(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there")
    fake, root, steps = Serving(store), tmp_path / "root", Steps()
    root.mkdir()
    first = await fetched(fake, "dcm4chee", root, study_uid=STUDY, report=steps)
    assert outcomes(first) == {"retrieved": 5}
    assert found(root / "in") == due(*store.instances)
    assert first.bytes == sum(len(held.file()) for held in store.instances)
    assert sorted(fake.files_asked) == [
        f"/studies/{STUDY}/series/1.2.1",
        f"/studies/{STUDY}/series/1.2.2/instances/1.2.2.1",
    ]
    assert steps.told[-1][:2] == (5, 5)
    assert steps.told[-1][2].startswith("5 of 5 files, ")
    fake.files_asked.clear()
    again = await fetched(fake, "dcm4chee", root, study_uid=STUDY)
    assert outcomes(again) == {"already_there": 5}
    assert fake.files_asked == []


async def test_google_gives_the_same(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there")
    (tmp_path / "root").mkdir()
    result = await fetched(Google(store), "google", tmp_path / "root", study_uid=STUDY)
    assert outcomes(result) == {"retrieved": 5}
    assert found(tmp_path / "root/in") == due(*store.instances)


async def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there")
    fake, root = Serving(store), tmp_path / "root"
    root.mkdir()
    await fetched(fake, "dcm4chee", root, series_uid=SERIES)
    (root / f"in/P1/{STUDY}/{SERIES}/{SERIES}.2.dcm").unlink()
    fake.files_asked.clear()
    again = await fetched(fake, "dcm4chee", root, series_uid=SERIES)
    assert outcomes(again) == {"retrieved": 1, "already_there": 3}
    assert fake.files_asked == [f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.2"]
    assert found(root / "in") == due(*store.instances[:4])


async def test_instances_by_name_and_one_that_is_not_there(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there")
    fake, root = Serving(store), tmp_path / "root"
    root.mkdir()
    some = await fetched(fake, "dcm4chee", root, instance_uids=["1.2.2.1", f"{SERIES}.3", "9.9", f"{SERIES}.3"])
    assert outcomes(some) == {"retrieved": 2, "failed": 1}
    assert "9.9" in reasons(some)["9.9"]
    assert found(root / "in") == due(store.instances[2], store.instances[4])
    with pytest.raises(NotFound):
        await fetched(fake, "dcm4chee", root, instance_uids=["9.9"])


class Padding(Serving):
    def __init__(self, store: Store, padding: str) -> None:
        super().__init__(store)
        self._padding = padding

    def _row(self, row: Row, fields: Any) -> Any:
        found = deepcopy(super()._row(row, fields))
        for attribute in found.values():
            if attribute["vr"] == "UI" and "Value" in attribute:
                attribute["Value"] = [f"{value}{self._padding}" for value in attribute["Value"]]
        return found


async def test_uids_are_the_same_with_and_without_padding(tmp_path: Path) -> None:
    """In arguments, in the list of a server that gives them as they stand in files, and in files padded with blanks."""
    made = make_file(tmp_path / "a.dcm", STUDY, SERIES, f"{SERIES}.15")
    blank = made.read_bytes().replace(f"{SERIES}.15\0".encode(), f"{SERIES}.15 ".encode())
    blank = blank.replace(f"{SERIES}\0".encode(), f"{SERIES} ".encode())
    for padding in ("\0", " ", "\0\0 "):
        fake, root = Padding(Store.files(made), padding), tmp_path / f"root{len(padding)}{ord(padding[0])}"
        root.mkdir()
        fake.gives(with_parts(blank), "")
        assert outcomes(await fetched(fake, "dcm4chee", root, study_uid=STUDY)) == {"retrieved": 1}
        assert found(root) == {f"in/P1/{STUDY}/{SERIES}/{SERIES}.15.dcm": blank}
        assert outcomes(await fetched(fake, "dcm4chee", root, series_uid=SERIES)) == {"already_there": 1}
    fake = Serving(Store.files(made))
    asked = {
        "study_uid": f"{STUDY} ",
        "series_uid": f"{SERIES}\0",
        "instance_uids": [f" {SERIES}.15", f"{SERIES}.15\0"],
    }
    assert outcomes(await fetched(fake, "dcm4chee", root, **asked)) == {"already_there": 1}
    assert outcomes(await fetched(fake, "dcm4chee", root, "other", **asked)) == {"retrieved": 1}


async def test_a_file_that_is_written_in_pieces(tmp_path: Path) -> None:
    """Larger than what is held in memory: byte for byte, and nothing of one that was cut in its last piece."""
    held = [Held(file=make_file(tmp_path / f"{n}.dcm", STUDY, SERIES, f"{SERIES}.{n}", PixelData=bytes([n]) * 3_500_000))
            for n in (1, 2)]  # fmt: skip
    fake, root = Serving(Store().hold(held)), tmp_path / "root"
    root.mkdir()
    first, second = (one.file() for one in held)
    fake.gives(with_parts(first, second, cut=len(first) + len(second) - 1_000), f"/series/{SERIES}")
    fake.gives(503, f"instances/{SERIES}.2", 9)
    result = await fetched(fake, "dcm4chee", root, study_uid=STUDY, series_uid=SERIES)
    assert outcomes(result) == {"retrieved": 1, "failed": 1}
    assert found(root) == {f"in/{path}": data for path, data in due(held[0]).items()}
    again = await fetched(Serving(Store().hold(held)), "dcm4chee", root, study_uid=STUDY, series_uid=SERIES)
    assert outcomes(again) == {"retrieved": 1, "already_there": 1}
    assert found(root / "in") == due(*held)


async def test_a_cut_connection_costs_only_a_second_try(tmp_path: Path) -> None:
    """The stream of the series ends within its third file; what was whole is kept, the others are asked for alone."""
    store = archive_of(tmp_path / "there")
    fake, root = Serving(store), tmp_path / "root"
    root.mkdir()
    files = [held.file() for held in store.instances[:4]]
    fake.gives(with_parts(*files, cut=2 * len(files[0]) + 700), f"/series/{SERIES}")
    result = await fetched(fake, "dcm4chee", root, study_uid=STUDY, series_uid=SERIES)
    assert outcomes(result) == {"retrieved": 4}
    assert reasons(result) == {}
    assert found(root / "in") == due(*store.instances[:4])


async def test_what_is_not_what_was_asked_for_is_never_kept(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there", 2)
    right, other = (held.file() for held in store.instances[:2])
    elsewhere = make_file(tmp_path / "x.dcm", "7.7", "7.8", f"{SERIES}.1").read_bytes()  # the UID in another study
    cases = {
        "another instance": (with_parts(other), f"sent instance {SERIES}.2 of series"),
        "another study": (with_parts(elsewhere), "of series 7.8 instead"),
        "cut within its pixels": (with_parts(right[:-100]), "cut off"),
        "no DICOM": (with_parts(b"<html>sorry</html>"), "no DICOM file"),
        "nothing in it": (with_parts(b""), "no DICOM file"),
        "without a boundary": (with_parts(right, boundary=""), "no DICOM file"),
        "HTML": (lambda _: httpx.Response(200, text="<html/>", headers={"content-type": "text/html"}), "text/html"),
        "no parts": (with_parts(), "did not send it"),
    }
    for name, (answer, says) in cases.items():
        fake, root = Serving(store), tmp_path / name
        root.mkdir()
        fake.gives(answer, f"instances/{SERIES}.1", 9)
        result = await fetched(fake, "dcm4chee", root, study_uid=STUDY, series_uid=SERIES,
                               instance_uids=[f"{SERIES}.1", f"{SERIES}.2"])  # fmt: skip
        assert outcomes(result) == {"retrieved": 1, "failed": 1}, name
        assert says in reasons(result)[f"{SERIES}.1"], name
        assert found(root / "in") == due(store.instances[1]), name


async def test_a_stray_in_a_series_is_named_and_not_kept(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there", 2)
    fake, root = Serving(store), tmp_path / "root"
    root.mkdir()
    files = [held.file() for held in store.instances]  # the third is of another series
    fake.gives(with_parts(files[2], files[0], files[1], files[1]), f"/series/{SERIES}")
    result = await fetched(fake, "dcm4chee", root, study_uid=STUDY, series_uid=SERIES)
    assert outcomes(result) == {"retrieved": 2}
    assert "not asked for" in result.strays["1.2.2.1"]
    assert "more than once" in result.strays[f"{SERIES}.2"]
    assert found(root / "in") == due(*store.instances[:2])


async def test_another_file_under_the_name_is_kept(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there")
    fake, root = Serving(store), tmp_path / "root"
    there = root / f"in/P1/{STUDY}/{SERIES}"
    there.mkdir(parents=True)
    (there / f"{SERIES}.1.dcm").write_bytes(b"mine")
    (there / f"{SERIES}.2.dcm").write_bytes(store.instances[0].file())
    (there / f"{SERIES}.3.dcm").write_bytes(store.instances[2].file()[:-1])
    before = found(root)
    result = await fetched(fake, "dcm4chee", root, series_uid=SERIES)
    assert outcomes(result) == {"retrieved": 1, "different": 3}
    assert "no DICOM file" in reasons(result)[f"{SERIES}.1"]
    assert "another instance" in reasons(result)[f"{SERIES}.2"]
    assert "cut off" in reasons(result)[f"{SERIES}.3"]
    assert {path: data for path, data in found(root).items() if path in before} == before


async def test_a_file_that_appears_meanwhile_is_compared_and_never_replaced(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there", 2)
    fake, root = Serving(store), tmp_path / "root"
    root.mkdir()
    files = [held.file() for held in store.instances[:2]]
    there = root / f"in/P1/{STUDY}/{SERIES}"

    def meanwhile(_: Asked) -> httpx.Response:
        there.mkdir(parents=True)
        (there / f"{SERIES}.1.dcm").write_bytes(files[0])
        (there / f"{SERIES}.2.dcm").write_bytes(b"mine")
        return with_parts(*files)(_)

    fake.gives(meanwhile, f"/series/{SERIES}")
    result = await fetched(fake, "dcm4chee", root, study_uid=STUDY, series_uid=SERIES)
    assert outcomes(result) == {"already_there": 1, "different": 1}
    assert (there / f"{SERIES}.2.dcm").read_bytes() == b"mine"


async def test_decompressed_files_are_checked_to_be_so(tmp_path: Path) -> None:
    jpeg = Store.shipped("SC_rgb_rle.dcm", "CT_small.dcm")
    root = tmp_path / "root"
    root.mkdir()
    study = jpeg.instances[0].text("0020000D")
    result = await fetched(Serving(jpeg), "dcm4chee", root, study_uid=study, as_stored=False)
    assert outcomes(result) == {"retrieved": 1}
    (path,) = (root / "in").rglob("*.dcm")
    plain = dcmread(path)
    assert plain.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert (plain.pixel_array == jpeg.instances[0].dataset.pixel_array).all()
    stored = jpeg.instances[0].file()
    stubborn = Serving(jpeg)
    stubborn.gives(with_parts(stored), "", 9)
    result = await fetched(stubborn, "dcm4chee", root, "other", study_uid=study, as_stored=False)
    assert outcomes(result) == {"failed": 1}
    assert "does not decompress" in next(iter(reasons(result).values()))
    assert found(root / "other") == {}
    as_stored = await fetched(Serving(jpeg), "dcm4chee", root, "third", study_uid=study)
    assert outcomes(as_stored) == {"retrieved": 1}
    mixed = await fetched(Serving(jpeg), "dcm4chee", root, "third", study_uid=study, as_stored=False)
    assert outcomes(mixed) == {"different": 1}
    assert set(found(root / "third").values()) == {stored}


@pytest.mark.parametrize("status", [406, 500])
async def test_what_the_archive_cannot_decompress_names_the_way_out(tmp_path: Path, status: int) -> None:
    jpeg = Store.shipped("JPEG2000.dcm")
    fake = Serving(jpeg)
    fake.gives(status, "", 9)
    with pytest.raises(Refused) as refused:
        await fetched(fake, "dcm4chee", tmp_path, study_uid=jpeg.instances[0].text("0020000D"), as_stored=False)
    assert f"could not give it decompressed ({status})" in str(refused.value)
    assert str(refused.value).endswith("as_stored=true fetches it as it is stored.")
    assert "Try once more" not in str(refused.value)


async def test_an_archive_that_refuses_everything_is_an_error(tmp_path: Path) -> None:
    store = archive_of(tmp_path / "there", 40)
    fake, root = Serving(store), tmp_path / "root"
    root.mkdir()
    fake.gives(403, "", 999)
    with pytest.raises(AccessDenied):
        await fetched(
            fake,
            "dcm4chee",
            root,
            instance_uids=[f"{SERIES}.{n}" for n in range(1, 41)],
            study_uid=STUDY,
            series_uid=SERIES,
        )
    assert len(fake.files_asked) < 20, "40 instances were asked for twice although the archive refuses all"
    assert found(root) == {}


async def test_an_odd_file_that_is_there_to_its_end_is_kept_and_named(tmp_path: Path) -> None:
    """Elements out of order: programs may read it differently, but every byte of it arrived."""
    good = make_file(tmp_path / "a.dcm", STUDY, SERIES, f"{SERIES}.1")
    odd = good.read_bytes() + b"\x08\x00\x60\x00CS\x02\x00MR"
    fake, root = Serving(Store.files(good)), tmp_path / "root"
    root.mkdir()
    fake.gives(with_parts(odd), "", 9)
    result = await fetched(fake, "dcm4chee", root, study_uid=STUDY)
    assert outcomes(result) == {"retrieved": 1}
    assert "ascending order" in reasons(result)[f"{SERIES}.1"]
    assert list(found(root).values()) == [odd]


async def test_an_odd_file_that_is_cut_is_not_kept(tmp_path: Path) -> None:
    """Nobody says where its compressed pixels end but they themselves, behind what is odd about it."""
    good = (SAMPLES / "SC_rgb_rle.dcm").read_bytes()
    at = good.index(b"\xe0\x7f\x10\0")
    odd = good[:at] + b"\x08\x00\x60\x00CS\x02\x00MR" + good[at:]
    store = Store.shipped("SC_rgb_rle.dcm")
    study, instance = store.instances[0].text("0020000D"), store.instances[0].text("00080018")
    for number, (data, outcome, says) in enumerate(
        [(odd, "retrieved", "ascending order"), (odd[:-100], "failed", "cut off")]
    ):
        fake = Serving(store)
        fake.gives(with_parts(data), "", 9)
        result = await fetched(fake, "dcm4chee", tmp_path, str(number), study_uid=study)
        assert outcomes(result) == {outcome: 1}
        assert says in reasons(result)[instance]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({}, "Give study_uid"),
        ({"study_uid": "1.2/../3"}, "is not a UID"),
        ({"instance_uids": ["1.2", "x"]}, "is not a UID"),
        ({"study_uid": "1.2", "frames": [1]}, "one instance"),
        ({"instance_uids": ["1.2", "1.3"], "frames": [1]}, "one instance"),
        ({"instance_uids": ["1.2"], "frames": [1], "bulk_path": "00420011"}, "one of the two"),
        ({"instance_uids": ["1.2"], "bulk_path": "../x"}, "no path of an attribute"),
        ({"instance_uids": ["1.2"], "bulk_path": ""}, "no path of an attribute"),
        ({"instance_uids": ["1.2"], "frames": [1], "as_stored": False}, "leave as_stored out"),
    ],
)  # fmt: skip
async def test_wrong_arguments_ask_for_nothing(tmp_path: Path, wanted: dict[str, object], says: str) -> None:
    fake = Serving(archive_of(tmp_path / "there"))
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(BadArgument, match=says):
        await fetched(fake, "dcm4chee", root, **wanted)
    assert fake.files_asked == []


async def test_a_folder_gives_its_files_as_they_are(tmp_path: Path) -> None:
    from dicomweb_mcp.services.app import App
    from dicomweb_mcp.services.retrieve import Wanted, retrieve
    from dicomweb_mcp.settings import load

    store = archive_of(tmp_path / "mine")
    (tmp_path / "root").mkdir()
    settings = load(archives=[f"mine={tmp_path / 'mine'}"], file_roots=[tmp_path / "root", tmp_path], environment={})
    app = App(settings)
    try:
        result = await retrieve(app, None, Wanted(STUDY), "out", Steps())
        assert outcomes(result) == {"retrieved": 5}
        assert found(tmp_path / "root/out") == due(*store.instances)
        with pytest.raises(Refused, match="does not decompress"):
            await retrieve(app, None, Wanted(STUDY, as_stored=False), "plain", Steps())
        with pytest.raises(Refused, match="directory lies in"):
            await retrieve(app, None, Wanted(STUDY), str(tmp_path / "mine/below"), Steps())
    finally:
        await app.close()
