"""What an object's pixels say of it, such as the volumes of its segments: measured where that costs little, or on
request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING

import anyio

from ..archives.base import Archive, ArchiveError, Frame, Place
from ..dicom.kinds import Kind, kind_of
from ..dicom.objects.description import Description
from ..dicom.values import DicomJson, clean
from ..errors import Problem

