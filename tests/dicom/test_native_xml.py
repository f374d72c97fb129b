"""Answers in XML to a store request."""

import pytest

from dicomweb_mcp.dicom.native_xml import from_native_xml
from dicomweb_mcp.dicom.stow import Verdict, store_response

GOOGLES = b"""<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
  <DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence">
    <Item number="1">
      <DicomAttribute tag="00081150" vr="UI"><Value number="1">1.2.840.10008.5.1.4.1.1.2</Value></DicomAttribute>
      <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.1.1</Value></DicomAttribute>
      <DicomAttribute tag="00081197" vr="US"><Value number="1">272</Value></DicomAttribute>
      <DicomAttribute tag="00090097" vr="UT"><Value number="1">already exists</Value></DicomAttribute>
    </Item>
  </DicomAttribute>
  <DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence">
    <Item number="1"><DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.1.2</Value></DicomAttribute></Item>
  </DicomAttribute>
</NativeDicomModel>"""
NAMESPACE = b' xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"'


@pytest.mark.parametrize("body", [GOOGLES, GOOGLES.replace(NAMESPACE, b"")], ids=["namespace", "none"])
def test_verdicts_are_read(body: bytes) -> None:
    assert store_response(from_native_xml(body)).verdicts == {
        "1.2.1.1": Verdict(False, "processing failure (0110h): already exists"),
        "1.2.1.2": Verdict(True),
    }


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"<html><p>Sign in</html>",
        b"<NativeDicomModel/>",
        b'<?xml version="1.0" encoding="x-nothing"?><NativeDicomModel/>',
        LAUGHS + b'<NativeDicomModel><DicomAttribute tag="00081198" vr="SQ"/>&b;</NativeDicomModel>',
        (LAUGHS.decode() + '<NativeDicomModel><DicomAttribute tag="00081198" vr="SQ"/></NativeDicomModel>').encode("utf-16"),
        GOOGLES[:-20],
        b"<a>" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_such_document_says_nothing(body: bytes) -> None:
    assert from_native_xml(body) == {}
