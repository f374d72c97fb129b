"""Frames of the files of a folder, of which the layout is remembered."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import BinaryIO

from ...dicom.uids import DEFLATED
from ..part10.dataset import PixelValue
from ..part10.frames import Frames, Layout
from .files import StoredFile

MOST_LAYOUTS = 64
MOST_OFFSETS = 100_000


class FrameReader:
    """Reads frames; remembers the layout of the files asked last, because tiles are asked one by one."""

    def __init__(self) -> None:
        self._layouts: OrderedDict[StoredFile, Layout] = OrderedDict()
        self._lock = Lock()

    def read(self, stored: StoredFile, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The bytes of each frame (numbers from 1) and the transfer syntax that they have.

        Raises NoPixels, NoSuchFrame, Damaged with the reason, or Changed.
        """
        with stored.opened() as file:
            if stored.transfer_syntax == DEFLATED:
                return Frames.of(file).read(numbers)
            layout = self._known(stored) or self._learn(stored, file)
            pixels = PixelValue(layout.tag, layout.vr, file, layout.offset, layout.length)
            return Frames(layout, pixels, stored.transfer_syntax).read(numbers)

    def _known(self, stored: StoredFile) -> Layout | None:
        with self._lock:
            if layout := self._layouts.get(stored):
                self._layouts.move_to_end(stored)
            return layout

    def _learn(self, stored: StoredFile, file: BinaryIO) -> Layout:
        layout = Frames.of(file).layout
        if layout.table is None or len(layout.table[0]) <= MOST_OFFSETS:
            with self._lock:
                self._layouts[stored] = layout
                while len(self._layouts) > MOST_LAYOUTS:
                    self._layouts.popitem(last=False)
        return layout
