"""Debian's Orthanc with its DICOMweb plugin as a test server: own folder, free port, loopback, ended for certain."""

import atexit
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import httpx
from pydicom import Dataset

from .stow import Outcome, store

SHIM = Path(__file__).with_name("loopback.c")
FIRST_ANSWER = 30.0  # seconds; usually 0.2
PLUGINS = "/usr/share/orthanc/plugins"


def program() -> Path | None:
    """ORTHANC_BIN, or Orthanc on the PATH, or where Debian puts it."""
    named = os.environ.get("ORTHANC_BIN")
    found = named or shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    return Path(found) if os.access(found, os.X_OK) else None


def plugin() -> Path | None:
    library = Path(os.environ.get("ORTHANC_PLUGINS", PLUGINS)) / "libOrthancDicomWeb.so"
    return library if library.exists() else None


def missing() -> str | None:
    """Why no Orthanc can be started here; None if one can."""
    if program() is None:
        return "Orthanc is not installed (tests/engines/install-orthanc, or ORTHANC_BIN)"
    if plugin() is None:
        return "Orthanc's DICOMweb plugin is not installed (tests/engines/install-orthanc, or ORTHANC_PLUGINS)"
    return None


class NotStarted(Exception):
    """Orthanc ended, or did not answer in time; with the end of its log."""


class Orthanc:
    """One server with everything it writes below ``folder``; use it as a context manager, or ``start`` and ``stop``.

    Start it from the main thread: on Linux it is killed when the thread that started it ends (see ``loopback.c``).
    ``login`` is a name and a password that it then asks for (HTTP Basic). ``dicomweb`` are more settings of its plugin. ``shim`` tells whether it is kept on loopback
    by the preloaded library; without a C compiler its port is open, but other machines are refused (401).
    """

    def __init__(self, folder: Path, login: tuple[str, str] | None = None, **dicomweb: object):
        self.folder, self.login, self.dicomweb = folder, login, dicomweb
        self.port = 0
        self.shim: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> str:
        """Orthanc's own REST interface."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The DICOMweb base."""
        return f"{self.root}/dicom-web"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("Orthanc is not running")
        return self._process.pid

    @property
    def log(self) -> str:
        path = self.folder / "orthanc.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def client(self) -> httpx.Client:
        """A plain client with the DICOMweb base, without proxies; close it."""
        return httpx.Client(base_url=self.url, auth=self.login, timeout=60, trust_env=False)

    def store(self, objects: Iterable[Path | Dataset]) -> Outcome:
        with self.client() as client:
            return store(client, self.url, objects)

    def start(self) -> "Orthanc":
        reason = missing()
        if reason:
            raise NotStarted(reason)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.shim = self._build_shim()
        for attempt in range(3):  # another process may take the port between choosing and binding
            self.port = free_port()
            self._launch()
            if self._answers():
                return self
            ended = self._process is not None and self._process.poll() is not None
            self.stop()
            if not ended or attempt == 2:
                break
        raise NotStarted(f"Orthanc did not answer: {self.log[-1500:]}")

    def stop(self) -> None:
        """Killed, because what it holds is needed no more and its own way to end takes seconds; returns when the process
        is gone. Twice does no harm."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is not None:
            process.kill()
            process.wait()

    def __enter__(self) -> "Orthanc":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _configuration(self) -> dict[str, object]:
        return {
            "Name": f"test-{self.port}",
            "StorageDirectory": str(self.folder / "db"),
            "IndexDirectory": str(self.folder / "db"),
            "Plugins": [str(plugin())],
            "HttpPort": self.port,
            "HttpBindAddresses": ["127.0.0.1"],  # known from 1.12.10 on
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": self.login is not None,
            "RegisteredUsers": dict([self.login]) if self.login else {},
            "DicomServerEnabled": False,
            "OverwriteInstances": False,
            "DicomWeb": {
                "Enable": True,
                "Root": "/dicom-web/",
                "StudiesMetadata": "Full",
                "SeriesMetadata": "Full",
                **self.dicomweb,
            },
        }

    def _launch(self) -> None:
        settings = self.folder / "orthanc.json"
        settings.write_text(json.dumps(self._configuration(), indent=1))
        preload = {"LD_PRELOAD": str(self.shim)} if self.shim else {}
        atexit.register(self.stop)
        with (self.folder / "orthanc.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(program()), str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **preload},
                start_new_session=True,  # Ctrl-C at the terminal reaches the tests, which then stop it
            )

    def _answers(self) -> bool:
        end = time.monotonic() + FIRST_ANSWER
        with httpx.Client(timeout=5, trust_env=False) as client:
            while time.monotonic() < end and self._process is not None and self._process.poll() is None:
                try:
                    status = client.get(f"{self.url}/studies?limit=1", auth=self.login).status_code
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                return status == 200
        return False

    def _build_shim(self) -> Path | None:
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if compiler is None:
            return None
        library = self.folder / "loopback.so"
        built = subprocess.run(
            [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"],
            capture_output=True,
            check=False,
        )
        return library if built.returncode == 0 else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
