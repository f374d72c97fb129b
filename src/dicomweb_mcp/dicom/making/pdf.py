"""Whether a file is a PDF document (ISO 32000-1 7.5) that others can open."""

import re

from .content import Document, NotMade

HEADER = b"%PDF-"
END = b"%%EOF"
END_WITHIN = 1024  # bytes; some writers leave a little behind the end
ENCRYPTED = re.compile(rb"/Encrypt\s+\d+\s+\d+\s+R\b")  # in a trailer or the dictionary of a cross-reference stream


def pdf_document(data: bytes) -> Document:
    """The document. Raises NotMade."""
    if not data.startswith(HEADER):
        raise NotMade("it is not a PDF: it does not begin with %PDF-")
    if END not in data[-END_WITHIN:]:
        raise NotMade("the PDF is cut off: %%EOF is missing at its end")
    if ENCRYPTED.search(data):
        raise NotMade("the PDF is encrypted, so not everybody could open it: save it without password and restrictions")
    return Document(data)
