"""What a command for people ends with; ``STATUSES`` of this package says it in words."""

from enum import IntEnum


class Status(IntEnum):
    """Exit codes."""

    WELL = 0
    FAILED = 1
    WRONG_USAGE = 2
    NOT_PERMITTED = 3
    INTERRUPTED = 130
