"""The real server under the tests: that it answers, stays on loopback, ends, and still has the manners we rely on."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from engines.orthanc import Orthanc
from engines.required import need_orthanc
from fakes.orthanc_quirks import QUIRKS, quirk_objects
from fakes.store import SHIPPED

LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


@pytest.fixture(scope="module")
def small(new_orthanc: Callable[..., Orthanc]) -> Iterator[httpx.Client]:
    """A server that holds nothing but the three studies of the table."""
    with new_orthanc() as server, server.client() as client:
        outcome = server.store(quirk_objects())
        assert (len(outcome.stored), outcome.refused) == (4, {})
        yield client


@pytest.mark.parametrize(("query", "expected"), QUIRKS, ids=[query for query, _ in QUIRKS])
def test_it_searches_as_we_believe(small: httpx.Client, query: str, expected: int):
    answer = small.get(query)
    assert (len(answer.json()) if answer.status_code == 200 else answer.status_code) == expected


def test_no_match_is_an_empty_list(small: httpx.Client):
    answer = small.get("studies?PatientID=nobody")
    assert (answer.status_code, answer.json()) == (200, [])


def test_a_missing_object_is_a_404_without_content_type(small: httpx.Client):
    answer = small.get("studies/1.2.3/metadata")
    assert answer.status_code == 404
    assert "content-type" not in answer.headers


def test_the_file_with_a_bad_neighbour_is_stored(orthanc: Orthanc, tmp_path: Path):
    """Orthanc says 400 to the whole request; the outcome is read from its list, file by file."""
    bad = tmp_path / "bad.dcm"
    bad.write_bytes((SHIPPED / "MR_small.dcm").read_bytes()[:400])
    outcome = orthanc.store([SHIPPED / "CT_small.dcm", bad])
    assert outcome.stored == {"1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"}
    assert list(outcome.refused) == ["bad.dcm"]


def test_it_holds_real_files(orthanc: Orthanc):
    with orthanc.client() as client:
        (study,) = client.get("studies?PatientID=1CT1").json()
        assert "CT" in study["00080061"]["Value"]
        assert len(client.get("instances").json()) > 100


def test_only_loopback_reaches_it(orthanc: Orthanc):
    tables = [path for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if path.exists()]
    if not tables or orthanc.shim is None:
        pytest.skip("needs /proc/net/tcp and a C compiler")
    rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    listening = [row[1].split(":") for row in rows if row[3] == "0A"]
    ours = {address for address, port in listening if int(port, 16) == orthanc.port}
    assert ours
    assert ours <= LOOPBACK


def test_frames_come_as_they_are_stored_when_any_syntax_will_do(orthanc: Orthanc):
    with orthanc.client() as client:
        row = client.get("instances?PatientID=4MR1").json()[0]
        study, series, instance = (row[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
        url = f"studies/{study}/series/{series}/instances/{instance}/frames/1"
        multipart = 'multipart/related; type="application/octet-stream"'
        assert client.get(url, headers={"Accept": f"{multipart}; transfer-syntax=*"}).status_code == 200
        assert client.get(url, headers={"Accept": "application/octet-stream"}).status_code == 400


def test_a_login_is_asked_for(new_orthanc: Callable[..., Orthanc]):
    """And the process is gone, by its number, when the server was stopped."""
    with new_orthanc(login=("alice", "secret")) as server:
        pid = server.pid
        answer = httpx.get(f"{server.url}/studies", trust_env=False)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
        with server.client() as client:
            assert client.get("studies").status_code == 200
    assert not runs(pid)
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url, trust_env=False)


STARTER = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from engines.orthanc import Orthanc
server = Orthanc(Path(sys.argv[2])).start()
print(server.pid, flush=True)
if sys.argv[3] == "killed":
    os.kill(os.getpid(), 9)
raise KeyboardInterrupt
"""


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_no_process_is_left_behind(how: str, tmp_path: Path):
    need_orthanc()
    if how == "killed" and not (sys.platform == "linux" and Orthanc(tmp_path)._build_shim()):
        pytest.skip("needs Linux and a C compiler")
    arguments = [sys.executable, "-c", STARTER, str(Path(__file__).parents[1]), str(tmp_path), how]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    pid = int(ended.stdout)
    assert ended.returncode != 0
    end = time.monotonic() + 2
    while runs(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not runs(pid)


@pytest.mark.parametrize(("required", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_server_is_skipped_unless_it_is_required(monkeypatch: pytest.MonkeyPatch, required: str, outcome):
    monkeypatch.setenv("ORTHANC_BIN", os.devnull)
    monkeypatch.setenv("DICOMWEB_MCP_REQUIRE_ORTHANC", required)
    with pytest.raises(outcome, match="Orthanc is not installed"):
        need_orthanc()


def runs(pid: int) -> bool:
    """Whether the process exists; one that has ended and waits for its parent does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
