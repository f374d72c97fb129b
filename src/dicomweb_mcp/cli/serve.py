"""Serve on stdio or, for reading only, on loopback HTTP."""

import logging
import sys

from ..settings import Settings

QUIET = ("httpx", "httpx2", "httpcore", "httpcore2", "mcp", "uvicorn.access", "pydicom")


class TypesOnly(logging.Formatter):
    """Log lines without the text of exceptions: that text may hold what a patient or a secret is called."""

    def formatException(self, ei: object) -> str:  # noqa: N802
        chain: list[str] = []
        error = ei[1] if isinstance(ei, tuple) else None
        while error is not None and len(chain) < 8:
            chain.append(type(error).__name__)
            error = error.__cause__ or error.__context__
        return " <- ".join(chain)

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return ""


def quiet_logging() -> None:
    """Warnings of this program to stderr, and of libraries only that something failed. Before the server is built: the
    SDK would else log every request and every traceback."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TypesOnly("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(True)


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
