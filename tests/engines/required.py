"""Whether a test may go without its server."""

import os

import pytest

from .orthanc import missing


def need_orthanc() -> None:
    """Skip where no Orthanc is; fail where DICOMWEB_MCP_REQUIRE_ORTHANC=1 says that there must be one."""
    reason = missing()
    if reason and os.environ.get("DICOMWEB_MCP_REQUIRE_ORTHANC") == "1":
        pytest.fail(f"{reason}; DICOMWEB_MCP_REQUIRE_ORTHANC=1 wants it")
    if reason:
        pytest.skip(reason)
