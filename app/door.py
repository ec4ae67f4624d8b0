"""The door: who may come in, decided from the head of a request, before its body is read and before any work.

/livez, /readyz         anybody; likewise /v2/health/live and ready
/, /page/...            anybody: the page holds nothing, and asks for a key where one is needed
/metrics, /docs ...     by their settings: anybody, any valid key, or nobody
/v1/requests/...        any valid key; whose records it may read, the route decides
/v1/stats               keys with the scope `read_log`: it tells of everybody's requests
whatever else           keys with the scope `predict`, so that nothing new is open by accident
Without keys (GATEHOUSE_AUTH=off) all but what is switched off is open.
"""

from limits import parse
from starlette.datastructures import URL, Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope as Connection

from app.entry import Entry
from app.key_ring import KeyRing
from app.keys import Forbidden, Scope, Unauthenticated
from app.rate_limit import Header, RateLimiter
from app.settings import Access, Settings

MOST_HEADERS = 100

DOCUMENTATION = ("/docs", "/redoc", "/openapi.json")
DOCUMENTATION_FILES = "/static-offline-docs/"
PROBES = ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready")
PAGE, PAGE_FILES = "/", "/page/"

RECORDS = "/v1/requests/"
_STATS = "/v1/stats"

_ALWAYS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
# Only the page and the documentation's, which bring policies of their own, are meant to be rendered by a browser.
_NO_PAGE = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_STORE = (b"cache-control", b"no-store")


class TooManyHeaders(Exception):
    """More header fields than are allowed."""

    def __init__(self, got: int) -> None:
        super().__init__(f"the request has {got} header fields, at most {MOST_HEADERS} are allowed")


class UnknownHost(Exception):
    """The Host field names none of the hosts that the service answers for."""

    def __init__(self, host: str) -> None:
        super().__init__(f"the service does not answer for the host {host[:80]!a}")


class Door:
    """One for each application; holds no resource."""

    def __init__(self, settings: Settings) -> None:
        self._keys = settings.auth == "keys"
        self._outside: dict[str, Access] = dict.fromkeys((*PROBES, PAGE), "open")
        self._outside["/metrics"] = settings.metrics
        self._outside |= dict.fromkeys(DOCUMENTATION, settings.docs)
        self._files: dict[str, Access] = {DOCUMENTATION_FILES: settings.docs, PAGE_FILES: "open"}
        self._hosts = settings.trusted_host_names
        self._limiter = RateLimiter(parse(settings.rate_limit)) if settings.rate_limit else None

    async def admit(self, connection: Connection, entry: Entry) -> None:
        """Fills in the entry's key and headers.

        Raises TooManyHeaders, UnknownHost, HTTPException (404), Unauthenticated, Forbidden, KeysUnavailable, RateLimited.
        """
        path: str = connection["path"]
        outside = self._outside.get(path) or self._files.get(path[: path.find("/", 1) + 1])
        entry.headers = [*_ALWAYS]  # to which more may be added
        if path not in (PAGE, *DOCUMENTATION) and not path.startswith(PAGE_FILES):
            entry.headers.append(_NO_PAGE)
        if not outside:
            entry.headers.append(_NO_STORE)
        if len(connection["headers"]) > MOST_HEADERS:
            raise TooManyHeaders(len(connection["headers"]))
        if outside == "open":
            return
        if self._hosts:
            self._check_host(connection)
        if outside == "off":
            raise HTTPException(404)
        if self._keys:
            await self._check_key(connection, entry, None if outside else _needed(path), counted=not outside)
        elif not outside and self._limiter:
            self._limiter.count(f"address {entry.client}", entry.headers)

    async def _check_key(self, connection: Connection, entry: Entry, needed: Scope | None, counted: bool) -> None:
        """Neither the documentation nor who watches the service uses up what a key may ask."""
        key_ring: KeyRing = connection["app"].state.house.key_ring
        try:
            key = entry.key = await key_ring.key(_given_key(connection))
        except Unauthenticated:
            if self._limiter:
                self._limiter.count(f"address {entry.client}", entry.headers)
            raise
        if self._limiter and counted:
            self._limiter.count(key.key_id, entry.headers)
        if needed and not key.may(needed):
            raise Forbidden(needed)

    def _check_host(self, connection: Connection) -> None:
        """By Starlette's rules for its own middleware, whose refusal is no problem document."""
        host = (URL(scope=connection).hostname or "").lower()
        if not any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self._hosts):
            raise UnknownHost(host)


def _needed(path: str) -> Scope | None:
    """The scope that opens a path of the interface; None: any."""
    if path.startswith(RECORDS):
        return None
    return "read_log" if path == _STATS else "predict"


def _given_key(connection: Connection) -> str:
    """Of `Authorization: Bearer KEY`, else of `X-API-Key: KEY`. Raises Unauthenticated if neither is there."""
    fields = Headers(scope=connection)
    scheme, _, key = fields.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    if (other := fields.get("x-api-key")) is not None:
        return other
    if scheme:  # a proxy's, perhaps
        raise Unauthenticated("the field Authorization has another scheme than Bearer", given=False)
    raise Unauthenticated("an API key is needed, as `Authorization: Bearer KEY` or `X-API-Key: KEY`", given=False)
