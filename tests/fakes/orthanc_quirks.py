"""What Debian's Orthanc makes of queries: one table, asked of its imitation and of the real server.

Three small studies and the number of rows, or the status, that each query must give. The queries are sent exactly as
they stand. A row that fails on a real server means that a newer Orthanc differs: the rules for it must be looked at.
"""

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

UID = "1.2.826.0.1.3680043.10.543.99"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def quirk_objects() -> list[Dataset]:
    """John Doe's CT, Jörg Müller's MR with an empty accession number, Jane Roe's CT and MR with a study ID."""
    doe = {"PatientID": "P1", "PatientName": "Doe^John", "StudyDate": "20200115", "AccessionNumber": "e+1"}
    mueller = {"PatientID": "P2", "PatientName": "Müller^Jörg", "StudyDate": "20210615", "AccessionNumber": ""}
    roe = {
        "PatientID": "P3",
        "PatientName": "Roe^Jane",
        "StudyDate": "20220301",
        "AccessionNumber": "A3",
        "StudyID": "S3",
    }
    return [
        _object(1, 1, "CT", **doe, StudyDescription="CT CHEST LOW DOSE", BodyPartExamined="CHEST", Manufacturer="GE"),
        _object(2, 1, "MR", **mueller, StudyDescription="MR HEAD", BodyPartExamined="HEAD"),
        _object(3, 1, "CT", **roe, StudyDescription="ABDOMEN"),
        _object(3, 2, "MR", **roe, StudyDescription="ABDOMEN"),
    ]


def _object(study: int, series: int, modality: str, **attributes: str) -> Dataset:
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = SECONDARY_CAPTURE
    made.StudyInstanceUID = f"{UID}.{study}"
    made.SeriesInstanceUID = f"{UID}.{study}.{series}"
    made.SOPInstanceUID = f"{UID}.{study}.{series}.1"
    made.Modality, made.InstanceNumber, made.SeriesNumber = modality, 3, series
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


QUIRKS: list[tuple[str, int]] = [
    # percent-encoding is not decoded, in values or keys, except the comma of a list
    ("studies?PatientName=Doe^John", 1),
    ("studies?PatientName=Doe%5EJohn", 0),
    ("studies?PatientName=Doe*", 1),
    ("studies?PatientName=Doe%2A", 0),
    ("studies?StudyDescription=CT%20CHEST%20LOW%20DOSE", 0),
    ("studies?StudyDescription=CT+CHEST+LOW+DOSE", 0),
    ("studies?StudyDescription=CT?CHEST?LOW?DOSE", 1),
    ("studies?AccessionNumber=e+1", 1),
    ("studies?AccessionNumber=e%2B1", 0),
    ("studies?StudyDate=20200101%2D20211231", 0),
    ("studies?%50atientID=P1", 3),
    ("studies?PatientName=M*ller^J*rg", 1),
    ("studies?PatientName=M?ller^J?rg", 0),
    ("studies?PatientName=M%C3%BCller^J%C3%B6rg", 0),
    # what is not known as a key is ignored: every study comes back
    ("studies?NotATag=1", 3),
    ("studies?patientid=P1", 3),
    ("studies?0x00100020=P1", 3),
    ("studies?00100020=P1", 1),
    ("studies?0010,0020=P1", 1),
    ("studies?OtherPatientIDs=zz", 3),
    ("studies?00101000=zz", 0),
    ("studies?OtherPatientIDsSequence.PatientID=zz", 3),
    ("studies?OtherPatientIDsSequence=zz", 0),
    ("studies?PatientID=", 3),
    # no case, in any attribute; text wildcards; a lone asterisk wants the attribute, which may be empty
    ("studies?PatientID=p1", 1),
    ("studies?PatientName=doe^j?hn", 1),
    ("studies?AccessionNumber=*", 3),
    ("studies?AccessionNumber=?*", 2),
    ("studies?StudyID=*", 1),
    (f"studies?StudyInstanceUID={UID}*", 400),
    # lists, dates
    ("studies?ModalitiesInStudy=CT,MR", 3),
    ("studies?ModalitiesInStudy=CT%2CMR", 3),
    ("studies?ModalitiesInStudy=CT\\MR", 0),
    (f"studies?StudyInstanceUID={UID}.1,{UID}.2", 2),
    ("studies?StudyDate=20200101-20211231", 2),
    ("studies?StudyDate=20210101-", 2),
    ("studies?StudyDate=-20210101", 1),
    ("studies?StudyDate=2020-01-15", 0),
    # an attribute of a lower level matches nothing; one of a higher level works below, ModalitiesInStudy does not
    ("studies?ModalitiesInStudy=CT", 2),
    ("studies?Modality=CT", 0),
    ("studies?BodyPartExamined=CHEST", 0),
    ("studies?Manufacturer=GE", 0),
    ("series?Modality=CT", 2),
    ("series?BodyPartExamined=chest", 1),
    ("series?PatientID=P3", 2),
    ("series?ModalitiesInStudy=CT", 0),
    ("instances?PatientID=P3", 2),
    ("instances?InstanceNumber=3", 4),
    ("instances?InstanceNumber=0003", 0),
    (f"studies/{UID}.3/series", 2),
    (f"studies/{UID}.4/series", 0),
    # paging and fuzzy matching
    ("studies?limit=2", 2),
    ("studies?limit=0", 3),
    ("studies?limit=abc", 400),
    ("studies?limit=-1", 500),
    ("studies?offset=2", 1),
    ("studies?offset=5", 0),
    ("studies?PatientName=Doe&fuzzymatching=true", 0),
    ("studies?fuzzymatching=yes", 400),
]
