"""What can go wrong between a frame's bytes and a picture; requests that make no sense are ``errors.BadArgument``.

::

    Problem
    ├── Undecodable           these bytes, with this description, are not a picture that can be trusted
    │   ├── TooLarge          more pixels than this program takes in
    │   └── MissingBulk       a table that the picture needs stands elsewhere: fetch it first
    └── BadArgument
        ├── WindowRefused     a window that cannot be understood, or that these pixels cannot have
        └── RegionRefused     a region or a point that leaves the frame
"""

from ..errors import BadArgument, Problem

SERVER_SIDE = "The archive may be able to render it itself."


class Undecodable(Problem):
    """The bytes cannot be turned into the picture that the attributes promise."""


class TooLarge(Undecodable):
    """More pixels than ``description.MOST_PIXELS``."""


class MissingBulk(Undecodable):
    """A lookup table is still a BulkDataURI; ``uri`` says where it stands."""

    def __init__(self, keyword: str, uri: str) -> None:
        super().__init__(
            f"{keyword} is bulk data that was not retrieved ({uri}). Retrieve it and put it into the object first."
        )
        self.keyword = keyword
        self.uri = uri


class WindowRefused(BadArgument):
    """A window that is not understood, or that does not apply to these pixels."""


class RegionRefused(BadArgument):
    """A region that is empty or leaves the frame, or a point outside it."""
