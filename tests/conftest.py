"""What every test has: imports from this folder, asyncio, a home of its own, and real data when it is there."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # fakes.google, engines.orthanc; the import mode adds nothing by itself

# no example fails for being slow; where CI is set, the same examples are tried every time
settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("here")

HOMES = {
    "HOME": "",
    "USERPROFILE": "",
    "APPDATA": "roaming",
    "LOCALAPPDATA": "local",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "CLOUDSDK_CONFIG": ".config/gcloud",
}
CREDENTIALS = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "DICOMWEB_MCP_CONFIG",
)


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Caches, settings and credentials of whoever runs the tests are neither read nor written."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in HOMES.items():
            (home / folder).mkdir(parents=True, exist_ok=True)
            patch.setenv(name, str(home / folder))
        for name in CREDENTIALS:
            patch.delenv(name, raising=False)
        patch.setenv("NO_GCE_CHECK", "true")  # Google's metadata server is not looked for
        yield home


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real DICOM files that DICOMWEB_MCP_TEST_DATA names; without it the test is skipped."""
    named = os.environ.get("DICOMWEB_MCP_TEST_DATA")
    if not named:
        pytest.skip("DICOMWEB_MCP_TEST_DATA does not name a folder of DICOM files")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"DICOMWEB_MCP_TEST_DATA names {named}, which is no folder")
    return folder
