"""A folder's name for a PatientID, which may be any text: harmless on every system, and never that of another one."""

import re
from hashlib import sha256

from ..idc.manifest_file import DEVICES

PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .()+-]{0,63}(?<![ .])")
LONGEST = 64
MARK = "~"  # which no plain name has


def plain_name(patient_id: str) -> str:
    """The PatientID itself where that is harmless, else ``marked_name``."""
    is_plain = PLAIN.fullmatch(patient_id) and not DEVICES.fullmatch(patient_id)
    return patient_id if is_plain else marked_name(patient_id)


def marked_name(patient_id: str) -> str:
    """What can be written of a PatientID, and a mark that only this one has."""
    written = re.sub(r"[^A-Za-z0-9_ ()+-]+", "_", patient_id[:LONGEST]).strip(" ").lstrip("-+() ") or "no-PatientID"
    return f"{written}{MARK}{sha256(patient_id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
