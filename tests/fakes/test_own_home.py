"""The tests run in a home of their own: the caches and credentials of whoever runs them stay as they are."""

import os
from pathlib import Path

import platformdirs
import pytest


def test_caches_and_settings_go_to_the_tests_own_home(own_home: Path):
    ours = (platformdirs.user_cache_path, platformdirs.user_config_path, platformdirs.user_state_path)
    folders = [Path.home(), *(each("x") for each in ours)]
    assert all(folder.is_relative_to(own_home) for folder in folders)
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ


def test_data_is_skipped_when_nothing_names_it_and_wrong_when_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    if os.environ.get("DICOMWEB_MCP_TEST_DATA"):
        assert request.getfixturevalue("test_data").is_dir()
        return
    with pytest.raises(pytest.skip.Exception, match="DICOMWEB_MCP_TEST_DATA"):
        request.getfixturevalue("test_data")
