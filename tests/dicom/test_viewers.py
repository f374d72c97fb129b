"""Links to IDC's viewers, as its portal writes them."""

import pytest

from dicomweb_mcp.archives.profiles import PROFILES
from dicomweb_mcp.dicom.viewers import is_of_slide

STUDY, SERIES = "1.2.840.1", "2.25.3"
HOST = "https://viewer.imaging.datacommons.cancer.gov"


def obj(**values: object) -> dict[str, object]:
    tags = {"modality": "00080060", "columns": "00480006"}
    return {
        tags[name]: {"vr": "CS" if name == "modality" else "UL", "Value": [value]} for name, value in values.items()
    }


@pytest.mark.parametrize("kind", ["idc", "idc-google"])
def test_links_of_images_and_of_slides(kind: str) -> None:
    viewers = PROFILES[kind].viewers  # type: ignore[index]
    assert viewers is not None
    images, slides = viewers.of(obj(modality="CT")), viewers.of(obj(modality="SM"))
    assert images.link(STUDY) == f"{HOST}/v3/viewer/?StudyInstanceUIDs={STUDY}"
    assert images.link(STUDY, SERIES) == f"{images.link(STUDY)}&initialSeriesInstanceUID={SERIES}"
    assert slides.link(STUDY) == f"{HOST}/slim/studies/{STUDY}"
    assert slides.link(STUDY, SERIES) == f"{HOST}/slim/studies/{STUDY}/series/{SERIES}"


def test_what_lies_on_a_slide_is_opened_with_it() -> None:
    assert is_of_slide(obj(modality="ANN"))
    assert is_of_slide(obj(modality="SEG", columns=40_000))
    assert not is_of_slide(obj(modality="SEG"))


@pytest.mark.parametrize("uid", ["", "1.2/../x", "1.2&a=b", "1.2 ", "1.2\n", "1" * 65, "{}", "x"])
def test_nothing_but_uids_gets_into_an_address(uid: str) -> None:
    viewers = PROFILES["idc"].viewers
    assert viewers is not None
    for viewer in (viewers.images, viewers.slides):
        assert viewer.link(uid) == viewer.link(uid, SERIES) == ""
        assert not uid or viewer.link(STUDY, uid) == ""


def test_other_archives_have_none() -> None:
    assert {kind for kind, profile in PROFILES.items() if profile.viewers} == {"idc", "idc-google"}
