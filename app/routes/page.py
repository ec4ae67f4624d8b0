"""The page at /: the files that app/page is built into, or a note where it was not built."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

BUILT = Path(__file__).parents[1] / "page" / "dist"

# Nothing from elsewhere, no script within the document. abcjs sets style attributes and puts one style sheet into each drawing
# (that of a drag, which the page has none of): the latter is allowed by its hash, so that browsers do not complain.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-BCpnf71gZdCsSCHDzyB1RsBbZ0qQdqseK6v+yJsgg30='; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    # Always asked for anew, answered with 304 where nothing changed: after an update no old script meets a new document.
    "Cache-Control": "no-cache",
}
_NOTE = """<!doctype html><html lang="en"><title>Gatehouse</title><h1>Gatehouse</h1>
<p>The service is running. Its page was not built (<code>make page</code> builds it); the API is described at
<a href="docs">/docs</a>.</p></html>"""


class _Files(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_HEADERS)
        return response


def install(app: FastAPI) -> None:
    """Serve the document at / and what it needs under /page; the note at / if there is no document."""
    if not (BUILT / "index.html").is_file():
        app.add_route("/", _note, include_in_schema=False)
        return
    files = _Files(directory=BUILT)

    async def document(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    app.add_route("/", document, include_in_schema=False)
    app.mount("/page", files, name="page")


async def _note(_: Request) -> Response:
    return HTMLResponse(_NOTE, headers=_HEADERS)
