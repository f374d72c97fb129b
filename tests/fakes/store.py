"""What a scripted server holds: DICOM objects as DICOM JSON (PS3.18 Annex F), as files and as frames.

Nothing here is imported from the program under test: a fake is the other side of the wire.
"""

import itertools
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

Json = dict[str, Any]
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"  # in pydicom's wheel, never downloaded
PIXELS = ("7FE00008", "7FE00009", "7FE00010")
STUDY_UID, SERIES_UID, SOP_UID, SOP_CLASS = "0020000D", "0020000E", "00080018", "00080016"
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
LEVELS = ("study", "series", "instance")


def element(vr: str, *values: Any) -> Json:
    """One attribute of the DICOM JSON model; without values it is empty."""
    if vr == "PN":
        values = tuple({"Alphabetic": value} for value in values)
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def texts(attribute: Json | None) -> list[str]:
    """The values of an attribute as text, names by their alphabetic group."""
    values = (attribute or {}).get("Value", [])
    return [str(value.get("Alphabetic", "")) if isinstance(value, dict) else str(value) for value in values]


def _number(tag: str) -> int:
    return int(tag, 16)


def as_json(dataset: Dataset) -> Json:
    """DICOM JSON of a data set: binary values inline, pixel data by name only, no group lengths."""
    found: Json = {}
    for tag in sorted(dataset.keys()):
        name = f"{int(tag):08X}"
        if tag.element == 0:
            continue
        try:
            one = dataset[tag]
            found[name] = {"vr": one.VR[:2]} if name in PIXELS else one.to_json_dict(None, 0)
        except Exception:  # a value that pydicom cannot write as JSON: a server would leave it out as well
            continue
    return found


class Held:
    """One instance: from a file, from a data set, or of attributes alone (synthetic, without pixels)."""

    def __init__(self, attributes: Json | None = None, dataset: Dataset | None = None, file: Path | None = None):
        self._given, self._dataset, self._file = attributes, dataset, file

    @cached_property
    def dataset(self) -> Dataset:
        if self._dataset is not None:
            return self._dataset
        if self._file is not None:
            return dcmread(self._file, force=True)
        return Dataset.from_json(self._given or {})

    @cached_property
    def attributes(self) -> Json:
        return self._given if self._given is not None else as_json(self.dataset)

    @cached_property
    def meta(self) -> Json:
        """Group 0002, as Google puts it into its metadata."""
        return {
            "00020002": element("UI", self.text(SOP_CLASS)),
            "00020003": element("UI", self.text(SOP_UID)),
            "00020010": element("UI", self.syntax),
            "00020012": element("UI", "1.2.276.0.7230010.3.0.3.6.6"),
            "00020013": element("SH", "OFFIS_DCMTK_366"),
        }

    @cached_property
    def syntax(self) -> UID:
        if self._given is not None:
            return ExplicitVRLittleEndian
        meta = getattr(self.dataset, "file_meta", {})
        if "TransferSyntaxUID" in meta:
            return UID(meta.TransferSyntaxUID)
        implicit, little = self.dataset.original_encoding
        if little is False:
            return ExplicitVRBigEndian
        return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian

    def text(self, tag: str) -> str:
        return next(iter(texts(self.attributes.get(tag))), "")

    @property
    def has_pixels(self) -> bool:
        return any(tag in self.attributes for tag in PIXELS)

    @property
    def number_of_frames(self) -> int:
        return int(self.text("00280008") or 1)

    def file(self, syntax: str | None = None) -> bytes:
        """The DICOM file as it is stored, or decompressed for Explicit VR Little Endian."""
        if syntax in (None, self.syntax):
            if self._file is not None:
                return self._file.read_bytes()
            dataset = self.dataset
        else:
            dataset = deepcopy(self.dataset)
            if self.syntax not in NATIVE:
                dataset.decompress(generate_instance_uid=False)
            dataset.ensure_file_meta()
            dataset.file_meta.TransferSyntaxUID = UID(syntax)
        whole = BytesIO()
        dataset = deepcopy(dataset)
        dataset.ensure_file_meta()
        dataset.file_meta.TransferSyntaxUID = dataset.file_meta.get("TransferSyntaxUID", self.syntax)
        dcmwrite(whole, dataset, enforce_file_format=True)
        return whole.getvalue()

    def frame(self, number: int) -> bytes:
        """Frame 1 to N as it is stored: a code stream, or native bytes."""
        data = next(self.dataset[tag].value for tag in map(_number, PIXELS) if tag in self.dataset)
        if self.syntax.is_encapsulated:
            frames = generate_frames(data, number_of_frames=self.number_of_frames)
            return next(itertools.islice(frames, number - 1, None))
        size = len(data) // self.number_of_frames
        if self.dataset.BitsAllocated > 1:
            size = self._native_size()
        return data[(number - 1) * size : number * size]

    def _native_size(self) -> int:
        held = self.dataset
        samples = 2 if held.PhotometricInterpretation == "YBR_FULL_422" else held.SamplesPerPixel
        return held.Rows * held.Columns * samples * held.BitsAllocated // 8

    def decoded(self, number: int) -> bytes:
        """Frame 1 to N as native little-endian bytes, colour by pixel; RuntimeError if it cannot be."""
        if self.syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
            return self.frame(number)
        pixels = pixel_array(self.dataset, index=number - 1, raw=self.syntax in NATIVE)
        return pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()

    def bulk(self, path: str) -> bytes | None:
        """The value at ``TAG`` or ``TAG/item/TAG``: as stored."""
        place: Any = self.dataset
        parts = path.split("/")
        try:
            for tag, item in zip(parts[:-1:2], parts[1:-1:2], strict=True):
                place = place[int(tag, 16)].value[int(item)]
            value = place[int(parts[-1], 16)].value
        except (KeyError, ValueError, IndexError):
            return None
        return value if isinstance(value, bytes) else None


@dataclass(frozen=True)
class Row:
    """A study, a series or an instance as a search sees it: every attribute, and the counts."""

    study: str
    series: str
    instance: str
    attributes: Json
    held: Held  # the first instance of it


class Store:
    """The instances of a server, and its studies and series made from them."""

    def __init__(self, *datasets: Dataset):
        self.instances: list[Held] = []
        self._rows: dict[str, list[Row]] = {}
        self.add(*datasets)

    def add(self, *datasets: Dataset) -> "Store":
        return self.hold(Held(dataset=dataset) for dataset in datasets)

    def hold(self, instances: Iterable[Held]) -> "Store":
        self.instances.extend(instances)
        self._rows.clear()
        return self

    def drop(self, instances: Iterable[Held]) -> None:
        gone = {id(one) for one in instances}
        self.instances = [one for one in self.instances if id(one) not in gone]
        self._rows.clear()

    @classmethod
    def files(cls, *paths: Path) -> "Store":
        return cls().hold(Held(file=path) for path in paths)

    @classmethod
    def shipped(cls, *names: str) -> "Store":
        """pydicom's own test files by name: ``Store.shipped("CT_small.dcm", "MR_small.dcm")``."""
        return cls.files(*(SHIPPED / name for name in names))

    @classmethod
    def synthetic(cls, studies: int, series: int = 1, instances: int = 1) -> "Store":
        """Many small objects without pixels; see ``synthetic_attributes`` for what number n looks like."""
        return cls().hold(Held(attributes=one) for one in synthetic_attributes(studies, series, instances))

    def rows(self, level: str, study: str | None = None, series: str | None = None) -> list[Row]:
        if level not in self._rows:
            self._rows[level] = list(self._made(level))
        rows = self._rows[level]
        if study is None and series is None:
            return rows
        return [row for row in rows if study in (None, row.study) and series in (None, row.series)]

    def held(self, study: str, series: str | None = None, instance: str | None = None) -> list[Held]:
        wanted = ((STUDY_UID, study), (SERIES_UID, series), (SOP_UID, instance))
        return [one for one in self.instances if all(uid is None or one.text(tag) == uid for tag, uid in wanted)]

    def _made(self, level: str) -> Iterator[Row]:
        depth = LEVELS.index(level) + 1
        tags = (STUDY_UID, SERIES_UID, SOP_UID)[:depth]
        groups: dict[tuple[str, ...], list[Held]] = {}
        for held in self.instances:
            groups.setdefault(tuple(held.text(tag) for tag in tags), []).append(held)
        for uids, members in groups.items():
            attributes = {**members[0].attributes, **_counted(level, members)}
            yield Row(*(*uids, "", "")[:3], attributes=attributes, held=members[0])


def _counted(level: str, members: list[Held]) -> Json:
    if level == "instance":
        return {}
    if level == "series":
        return {"00201209": element("IS", len(members))}
    return {
        "00080061": element("CS", *sorted({held.text("00080060") for held in members} - {""})),
        "00080062": element("UI", *sorted({held.text(SOP_CLASS) for held in members} - {""})),
        "00201206": element("IS", len({held.text(SERIES_UID) for held in members})),
        "00201208": element("IS", len(members)),
    }


MODALITIES = ("CT", "MR", "US", "CR", "PT")
FAMILIES = ("Adams", "Baker", "Clark", "Doe", "Evans", "Fisher", "Grant")
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def synthetic_uid(study: int, series: int | None = None, instance: int | None = None) -> str:
    """The UID of study n (from 0), of its series or of its instance."""
    return ".".join(
        str(part) for part in ("1.2.826.0.1.3680043.10.543", study + 1, series, instance) if part is not None
    )


def synthetic_attributes(studies: int, series: int = 1, instances: int = 1) -> Iterator[Json]:
    """Study n: patient ``P000n``, names and modalities in turn, a date that walks through the years 2000 to 2027."""
    for n, s, i in itertools.product(range(studies), range(series), range(instances)):
        yield {
            "00080005": element("CS", "ISO_IR 192"),
            "00080016": element("UI", CT_IMAGE),
            "00080018": element("UI", synthetic_uid(n, s + 1, i + 1)),
            "00080020": element("DA", f"{2000 + n % 28}{1 + n % 12:02}{1 + n % 27:02}"),
            "00080030": element("TM", "120000"),
            "00080050": element("SH", f"A{n:06}"),
            "00080060": element("CS", MODALITIES[(n + s) % len(MODALITIES)]),
            "00080090": element("PN", "Jones^Ruth"),
            "00081030": element("LO", f"Study {n}"),
            "0008103E": element("LO", f"Series {s + 1}"),
            "00100010": element("PN", f"{FAMILIES[n % len(FAMILIES)]}^Person{n:06}"),
            "00100020": element("LO", f"P{n:06}"),
            "00100030": element("DA", "19700101"),
            "00100040": element("CS", "FM"[n % 2]),
            "00180015": element("CS", "CHEST"),
            "0020000D": element("UI", synthetic_uid(n)),
            "0020000E": element("UI", synthetic_uid(n, s + 1)),
            "00200010": element("SH", str(n)),
            "00200011": element("IS", s + 1),
            "00200013": element("IS", i + 1),
        }
