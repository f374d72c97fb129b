"""What the configuration permits: changes in an archive, and files that are written."""

from ..archives.base import NotPermitted
from ..settings import Permission, Settings
from .app import App

# permission -> what is done, what the archive is without it, and what has not happened yet
_WORDS: dict[Permission, tuple[str, str, str]] = {
    "store": ("store", "is only read. To permit storing", "Nothing was opened or sent."),
    "delete": ("delete", "does not permit deleting. To permit it", "Nothing was sent."),
}


def check_permits(app: App, archive_name: str | None, permission: Permission) -> None:
    """Raises NotPermitted with the setting that would allow it."""
    doing, without, so_far = _WORDS[permission]
    settings = app.configured(archive_name)
    if settings.is_read_only:
        raise NotPermitted(settings.name, f"can only be read. {so_far}")
    if app.settings.http:
        raise NotPermitted(
            settings.name,
            f"is only read over HTTP, which has no authentication yet: start the server on stdio to {doing}. {so_far}",
        )
    if permission not in app.settings.permits(settings):
        raise NotPermitted(
            settings.name,
            f"{without} start the server with --permit {settings.name}:{permission}, or write "
            f'permit = ["{permission}"] in its configuration. {so_far}',
        )


def why_nothing_is_written(settings: Settings) -> str:
    """The reason why no file can be written under these settings; empty when one can."""
    if settings.http:
        return "Over HTTP, which has no authentication yet, no file is written: start the server on stdio."
    if not settings.files.roots:
        return "No file root is configured, so no file can be written: start the server with --file-root FOLDER."
    return ""
