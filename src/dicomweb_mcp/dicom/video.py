"""Transfer syntaxes of video (PS3.5 8.2.5 to 8.2.9 and 10): one stream for all frames, no pictures one by one."""

import re

from .values import DicomJson, integer, transfer_syntaxes, uid_name

_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.(4\.10[0-8](\.1)?|7\.[12])")  # MPEG-2, MPEG-4, HEVC; SMPTE 2110 video


def is_video(transfer_syntax: str) -> bool:
    """Whether it is MPEG-2, MPEG-4 AVC/H.264, HEVC/H.265 or uncompressed video in real time."""
    return _VIDEO.fullmatch(transfer_syntax) is not None


def video_refusal(transfer_syntax: str) -> str:
    """Why no picture is made of it, and what to do instead; empty for what is no video."""
    if not is_video(transfer_syntax):
        return ""
    return (
        f"It is a video ({uid_name(transfer_syntax)}), of which no single frame is shown here: its pictures are one "
        'stream. get_metadata with fields=["NumberOfFrames", "CineRate", "FrameTime", "Rows", "Columns"] describes it; '
        "to watch it, the whole file is needed, in a viewer that plays video."
    )


def refusal_of(obj: DicomJson) -> str:
    """The same for an instance whose metadata name its transfer syntax, as not all do."""
    found = transfer_syntaxes(obj)
    is_image = integer(obj, "Rows") is not None
    return video_refusal(found[0]) if is_image and found and all(map(is_video, found)) else ""
