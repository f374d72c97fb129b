"""What was configured: archives, permissions, folders. Flags, environment and a TOML file become one frozen value.

Contradictions end the start with a sentence (``BadSettings``). Secrets are never in here: an ``Auth`` says from which
environment variable or command a secret comes, and it is read when it is used.
"""

from .model import (
    CACHE_VARIABLE,
    COUNTED_KINDS,
    GOOGLE_KINDS,
    IDC_PROXY,
    READ_ONLY_KINDS,
    STATE_VARIABLE,
    ArchiveSettings,
    Auth,
    BadSettings,
    Kind,
    Permission,
    Settings,
    guess_kind,
)
from .sources import load, user_cache_folder, user_state_folder, variable_prefix

__all__ = [
    "CACHE_VARIABLE",
    "COUNTED_KINDS",
    "GOOGLE_KINDS",
    "IDC_PROXY",
    "READ_ONLY_KINDS",
    "STATE_VARIABLE",
    "ArchiveSettings",
    "Auth",
    "BadSettings",
    "Kind",
    "Permission",
    "Settings",
    "guess_kind",
    "load",
    "user_cache_folder",
    "user_state_folder",
    "variable_prefix",
]
