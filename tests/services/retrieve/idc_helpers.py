"""A series of IDC in a bucket on loopback."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from archives.folder_helpers import make_file
from dicomweb_mcp.services.retrieve import Retrieval, Wanted, retrieve
from fakes.bucket import FakeBucket
from idc_uids import picked
from services.transfer_helpers import Steps
from support import app_over

LARGE = 300_000  # bytes of pixels: more than what is looked at to learn which instance it is


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError("the proxy is not asked for whole files")


class Idc:
    """A series of the release as its bucket has it, with files made up."""

    def __init__(self, folder: Path, root: Path, count: int = 3, pixels: int = LARGE) -> None:
        ((self.study, self.series, self.bucket, self.uuid),) = picked(
            "StudyInstanceUID, SeriesInstanceUID, aws_bucket, crdc_series_uuid", "aws_bucket = 'idc-open-data'"
        )
        self.root = root
        self.files = [
            make_file(
                folder / f"{n}.dcm", self.study, self.series, f"1.2.{n}", PixelData=bytes([n]) * pixels
            ).read_bytes()
            for n in range(1, count + 1)
        ]
        self.keys = [f"{self.uuid}/00000000-0000-4000-8000-{number:012x}.dcm" for number in range(count)]
        self.server = FakeBucket(self.bucket, dict(zip(self.keys, self.files, strict=True)))

    def due(self, *numbers: int) -> dict[str, bytes]:
        return {f"P1/{self.study}/{self.series}/1.2.{n}.dcm": self.files[n - 1] for n in numbers}

    async def fetched(self, **wanted: Any) -> Retrieval:
        app = app_over({"idc": (nobody, "idc")}, [self.root])
        app.bucket_address = self.server.address
        self.server.asked.clear()
        try:
            return await retrieve(app, None, Wanted(**wanted), "in", Steps())
        finally:
            await app.close()


T = TypeVar("T", bound=Idc)


@asynccontextmanager
async def idc_at(tmp_path: Path, made: Callable[..., T] = Idc, **more: Any) -> AsyncIterator[T]:
    (tmp_path / "root").mkdir()
    idc = made(tmp_path / "there", tmp_path / "root", **more)
    async with idc.server.running():
        yield idc
