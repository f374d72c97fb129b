"""The session's Orthanc: one real server with real files, started when the first test asks for it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.orthanc import Orthanc
from engines.required import need_orthanc
from engines.stow import dicom_files
from fakes.store import SHIPPED

OWN_DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def new_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Orthanc]:
    """Makes an empty Orthanc that is not started: ``with new_orthanc() as server: ...``."""
    need_orthanc()

    def make(login: tuple[str, str] | None = None, **dicomweb: object) -> Orthanc:
        return Orthanc(tmp_path_factory.mktemp("orthanc"), login, **dicomweb)

    return make


@pytest.fixture(scope="session")
def orthanc(new_orthanc: Callable[..., Orthanc]) -> Iterator[Orthanc]:
    """A running server with pydicom's test files, ``tests/data`` and the folder of DICOMWEB_MCP_TEST_DATA."""
    named = os.environ.get("DICOMWEB_MCP_TEST_DATA")
    folders = [SHIPPED, OWN_DATA, *([Path(named)] if named else [])]
    with new_orthanc() as server:
        server.store([path for folder in folders if folder.is_dir() for path in dicom_files(folder)])
        yield server


@pytest.fixture(scope="session")
def same_folder(orthanc: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the files that this server holds: the first of those with one UID, and none that it refused."""
    folder = tmp_path_factory.mktemp("same")
    with orthanc.client() as client:
        for one in client.get(f"{orthanc.root}/instances?expand").json():
            file = client.get(f"{orthanc.root}/instances/{one['ID']}/file").content
            (folder / f"{one['MainDicomTags']['SOPInstanceUID']}.dcm").write_bytes(file)
    return folder
