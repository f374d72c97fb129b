"""The protocol eras that a client may speak: since 2026-07-28 (``auto``), and before (``legacy``)."""

import pytest

IN_BOTH_ERAS = pytest.mark.parametrize("connect", ["auto", "legacy"], indirect=True)
