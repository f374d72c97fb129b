"""What may be sent to each kind of server, by what the servers and PS3.18 say; nothing of the program under test.

Google: conformance statement (2026-04). dcm4chee: QidoRS and QueryBuilder. Orthanc: measured on 1.10.1. Any other
server: PS3.18 8.3.4 and table 10.6.1-5. What a server ignores or misreads must not be sent to it.
"""

import re
from datetime import datetime
from urllib.parse import unquote

from pydicom.datadict import dictionary_is_retired, dictionary_VR, keyword_for_tag, tag_for_keyword

from fakes import dcm4chee_attributes, google_attributes
from fakes.base import Target

LEVELS = ("study", "series", "instance")
WITH_WILDCARDS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}  # PS3.4 C.2.2.2.4
NUMBERS = {"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"}
NEVER = {"SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW"}
LONGEST = {"AE": 16, "CS": 16, "SH": 16, "LO": 64}
RAW = re.compile(r"[A-Za-z0-9_.~*?^:!'()%,=&-]*")
UID = re.compile(r"[0-9]+(\.[0-9]+)*")

STANDARD = (  # PS3.18 table 10.6.1-5, level by level
    {"StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName", "PatientName",
     "PatientID", "StudyInstanceUID", "StudyID"},
    {"Modality", "SeriesInstanceUID", "SeriesNumber", "PerformedProcedureStepStartDate",
     "PerformedProcedureStepStartTime"},
    {"SOPClassUID", "InstanceNumber", "SOPInstanceUID"},
)  # fmt: skip
LARGEST_LIMIT = {"google": google_attributes.LARGEST_LIMIT, "dcm4chee": dict.fromkeys(LEVELS, 99_999)}
LARGEST_OFFSET = {"google": 1_000_000, "dcm4chee": 99_999}
FAMILY = {"idc": "google", "idc-google": "google", "aurabox": "generic"}


def complaints(kind: str, path: str, raw_query: str) -> list[str]:
    """What a server of this kind would refuse, ignore or misread of a search."""
    family = FAMILY.get(kind, kind)
    target = Target.of(path)
    if target is None or not target.search or not all(len(uid) <= 64 and UID.fullmatch(uid) for uid in target.uids):
        return [f"no search resource: {path}"]
    said = [] if RAW.fullmatch(raw_query) else [f"not encoded: {raw_query}"]
    if family == "orthanc" and "%" in raw_query:
        said.append(f"Orthanc does not decode: {raw_query}")
    pairs = [pair.partition("=")[::2] for pair in raw_query.split("&")]
    keywords = [keyword for key, _ in pairs if (keyword := _keyword(key))]
    for key, raw in pairs:
        values = [unquote(value, errors="strict") for value in raw.split(",")]
        if key in ("limit", "offset"):
            said += _number(family, target.level, key, values)
        elif key == "includefield":
            said += [f"includefield={value}" for value in values if not _includable(family, target.level, value)]
        elif key == "fuzzymatching":
            said += _fuzzy(family, values, keywords)
        else:
            said += _filter(family, target, key, values)
    if len(set(keywords)) < len(keywords):
        said.append("an attribute twice")
    return said


def _keyword(key: str) -> str:
    """The keyword that a key names: itself, case and all, or that of eight digits; empty for anything else."""
    if re.fullmatch(r"[0-9A-F]{8}", key):
        return keyword_for_tag(int(key, 16))
    return key if tag_for_keyword(key) is not None else ""


def _number(family: str, level: str, key: str, values: list[str]) -> list[str]:
    largest = LARGEST_OFFSET.get(family) if key == "offset" else LARGEST_LIMIT.get(family, {}).get(level)
    (value,) = values
    fits = re.fullmatch(r"[1-9][0-9]*", value) and (largest is None or int(value) <= largest)
    return [] if fits else [f"{key}={value}"]


def _includable(family: str, level: str, value: str) -> bool:
    keyword = _keyword(value)
    if family == "orthanc" and value == keyword and _is_retired(keyword):
        return False  # it does not know retired keywords, only their tags
    known = bool(keyword) or re.fullmatch(r"[0-9A-F]{8}", value) is not None
    if family != "google":
        return known
    if level == "instance":
        return known and keyword != "AvailableTransferSyntaxUID"
    return keyword in {*google_attributes.RETURNED[level], *google_attributes.ON_REQUEST[level]}


def _is_retired(keyword: str) -> bool:
    return dictionary_is_retired(tag_for_keyword(keyword) or 0)


def _fuzzy(family: str, values: list[str], keywords: list[str]) -> list[str]:
    names = {"google": {"PatientName"}, "dcm4chee": dcm4chee_attributes.NAMES}.get(family, set())
    return [] if values == ["true"] and names & set(keywords) else [f"fuzzymatching={values} with {keywords}"]


def _filter(family: str, target: Target, key: str, values: list[str]) -> list[str]:
    keyword = _keyword(key)
    if (
        not keyword
        or not _searchable(family, target, keyword)
        or (family == "orthanc" and key == keyword and _is_retired(key))
    ):
        return [f"{key} is no filter here"]
    vr = dictionary_VR(tag_for_keyword(keyword) or 0)
    said = [f"{keyword} cannot be matched"] if vr in NEVER else []
    if len(values) > 1 and not (family in ("orthanc", "dcm4chee") or (family == "generic" and vr == "UI")):
        said.append(f"a list of {keyword}")
    return said + [f"{keyword}={value!r}: {why}" for value in values if (why := _value(family, keyword, vr, value))]


def _searchable(family: str, target: Target, keyword: str) -> bool:
    if family == "google":
        return keyword in google_attributes.SEARCHABLE[target.level]
    if family == "dcm4chee":
        return keyword in dcm4chee_attributes.MATCHED[target.level]
    own = LEVELS.index(target.level)
    if family == "orthanc":
        above = keyword in STANDARD[0] or (tag_for_keyword(keyword) or 0) >> 16 == 0x0010
        depth = 0 if above else next((place for place, names in enumerate(STANDARD) if keyword in names), own)
        return depth <= own and not (keyword == "ModalitiesInStudy" and own)
    # PS3.18 10.6.1.2.1: attributes of a level that the path already names are no filters
    return any(keyword in STANDARD[place] for place in range(min(len(target.uids), own), own + 1))


def _value(family: str, keyword: str, vr: str, value: str) -> str:
    """What is wrong with one value, after decoding; empty when nothing is."""
    if not value or value != value.strip():
        return "empty, or blanks around it"
    if not value.isprintable() or set(value) & {"\\", ","}:
        return "a control character, a backslash, or what separates a list"
    if len(value) > LONGEST.get(vr, 1_024):
        return "too long"
    if vr in ("DA", "TM", "DT"):
        only = family == "google" and keyword != "StudyDate"
        return "" if _is_time(vr, value, a_range=not only) else "no date or time"
    if vr in NUMBERS:
        return "" if family != "orthanc" and re.fullmatch(r"-?[0-9.]+([eE][+-]?[0-9]+)?", value) else "a number"
    if vr == "UI":
        return "" if UID.fullmatch(value) and len(value) <= 64 else "no UID"
    if set(value) & set("*?") and (family == "google" or vr not in WITH_WILDCARDS or not value.strip("*")):
        return "a wildcard"
    return ""


FORMS = {  # PS3.5 6.2
    "DA": ("%Y%m%d",),
    "TM": ("%H", "%H%M", "%H%M%S", "%H%M%S.%f"),
    "DT": ("%Y%m%d", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S.%f"),
}


def _is_time(vr: str, value: str, *, a_range: bool) -> bool:
    """One moment, or a range of two in their order, of which one may be left out."""
    if "-" not in value:
        return _moment(vr, value) is not None
    low, high = (_moment(vr, end) if end else "" for end in value.split("-", 1))
    return (
        a_range and low is not None and high is not None and bool(low or high) and (not low or not high or low <= high)
    )


def _moment(vr: str, text: str) -> str | None:
    for form in FORMS[vr]:
        try:
            parsed = datetime.strptime(text.replace("235960", "235959"), form)
        except ValueError:
            continue
        if len(text.partition(".")[0]) == len(parsed.strftime(form).partition(".")[0]):
            return parsed.isoformat()
    return None
