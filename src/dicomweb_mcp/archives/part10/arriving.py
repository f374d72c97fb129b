"""The header of a file while it arrives: everything before its pixels, so that they need not be fetched."""

import re
from tempfile import TemporaryFile

from ...dicom.values import DicomJson
from .dataset import Damaged, parse
from .dicom_json import metadata

PIXELS = re.compile(
    rb"\xe0\x7f[\x08\x09\x10]\0|\x7f\xe0\0[\x08\x09\x10]"
)  # the tag of the pixels, in either byte order
OVERLAP = 3
GROWTH = 1.25  # between two looks at a file whose other values hold the bytes of that tag


class ArrivingHeader:
    """Takes the bytes of one file in; gives the header as soon as it is there. To be closed."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed by close()
        self.size = 0
        self._tail = b""
        self._looked_at = 0
        self._may_have_begun = False

    def feed(self, chunk: bytes) -> DicomJson | None:
        """Take the next bytes in. The DICOM JSON of the header once the pixels begin, else None."""
        self._file.seek(self.size)
        self._file.write(chunk)
        self.size += len(chunk)
        self._may_have_begun = self._may_have_begun or bool(PIXELS.search(self._tail + chunk))
        self._tail = (self._tail + chunk)[-OVERLAP:]
        if not self._may_have_begun or self.size < self._looked_at * GROWTH:
            return None
        self._looked_at = self.size
        return self._header(whole=False)

    def end(self) -> DicomJson:
        """The header of a file that has arrived to its end. Raises Damaged."""
        self._file.seek(0)
        found = self._header(whole=True) if self._file.read(132)[128:] == b"DICM" else None
        if found is None:
            raise Damaged("it is no DICOM file")
        return found

    def close(self) -> None:
        """Give the temporary file back."""
        self._file.close()

    def _header(self, *, whole: bool) -> DicomJson | None:
        self._file.flush()
        self._file.seek(0)
        try:
            parsed = parse(self._file)
        except Damaged:
            if whole:
                raise
            return None
        return metadata(parsed) if whole or parsed.pixels else None
