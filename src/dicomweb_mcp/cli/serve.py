"""Serve on stdio or, for reading only, on loopback HTTP."""

import logging
import sys
import threading
import warnings

from ..settings import Settings

OWN = __name__.partition(".")[0]


class Discreet(logging.Formatter):
    """Log lines without what others write into them: messages, arguments and exceptions of libraries may hold what a
    patient or a secret is called, so of those only the logger's name and the kinds of errors are written."""

    def format(self, record: logging.LogRecord) -> str:
        said = record.getMessage() if record.name.split(".")[0] == OWN else "failed"
        return f"{record.levelname} {record.name}: {said}{self._kinds(record)}"

    def _kinds(self, record: logging.LogRecord) -> str:
        kinds: list[str] = []
        error = record.exc_info[1] if record.exc_info else None
        while error is not None and len(kinds) < 8:
            kinds.append(type(error).__name__)
            error = error.__cause__ or error.__context__
        return f" ({' <- '.join(kinds)})" if kinds else ""


class Worth(logging.Filter):
    """Warnings of this program, and errors of libraries. Some libraries set their own levels when they are imported, so
    a level on the loggers does not hold."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= (logging.WARNING if record.name.split(".")[0] == OWN else logging.ERROR)


def quiet_logging() -> None:
    """One discreet handler on stderr. To be called before the server is built, which would configure another one."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet())
    handler.addFilter(Worth())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    warnings.simplefilter("ignore")
    # what nobody caught would be written with its message, by the interpreter itself
    sys.excepthook = lambda _, error, __: _uncaught(error)
    sys.unraisablehook = lambda unraisable: _uncaught(unraisable.exc_value)
    threading.excepthook = lambda failed: _uncaught(failed.exc_value)


def _uncaught(error: BaseException | None) -> None:
    logging.getLogger(OWN).error("failed", exc_info=error)


def serve(settings: Settings) -> int:
    """Serve until the client goes away; the exit status."""
    quiet_logging()
    from ..server import build
    from ..services.app import App

    server = build(App(settings))
    if settings.http is None:
        server.run("stdio")
        return 0
    print(f"dicomweb-mcp: http://{settings.http.host}:{settings.http.port}/mcp, for reading only", file=sys.stderr)
    server.run("streamable-http", host=settings.http.host, port=settings.http.port, stateless_http=True)
    return 0
