"""Settings: environment variables GATEHOUSE_..., each with its unit in its name."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from limits import parse_many
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _as_switch(value: Any) -> Any:
    """`on` and `off` in their other spellings, as operators write them."""
    spellings = {"1": "on", "true": "on", "yes": "on", "0": "off", "false": "off", "no": "off"}
    return spellings.get(str(value).lower(), value)


def _as_rate(value: str | None) -> str | None:
    """What the library can read, so that a misspelt limit ends the start and not the first request."""
    if value is None:
        return None
    try:
        limit, *others = parse_many(value)
    except ValueError:
        raise ValueError("is no rate, allowed are such as 100/second and 5000/hour") from None
    if others:
        raise ValueError(f"names {1 + len(others)} rates, allowed is one")
    if limit.amount < 1:
        raise ValueError(f"allows {limit.amount} requests, at least 1 must be allowed")
    return value


Switch = Annotated[Literal["off", "on"], BeforeValidator(_as_switch)]
Access = Literal["open", "key", "off"]

MOST_DAYS = 36_500  # a century; the calendar itself ends


class Settings(BaseSettings):
    """Built once in `main` and passed down."""

    # What is set may be secret, so an error names the setting and the rule, not the value.
    model_config = SettingsConfigDict(
        env_prefix="GATEHOUSE_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    models_dir: Path = Field(default=Path("models"), description="Folder of the bundles.")
    database_url: str = Field(
        default="sqlite:///gatehouse.db",
        repr=False,
        description="Where the request log is kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
    )
    database_url_file: Path | None = Field(
        default=None, description="A file that holds the database's URL, such as a Docker secret; it goes before the one above."
    )
    log_payloads: Annotated[Literal["off", "hashed", "on"], BeforeValidator(_as_switch)] = Field(
        default="off",
        description="What is stored of inputs and outputs with each request's row: nothing, `hashed` their SHA-256, `on` all.",
    )
    payload_hash_key: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="A secret for `hashed`, of 16 characters or more: hashes are HMACs then, which nobody else can try out.",
    )
    log_mode: Literal["durable", "relaxed"] = Field(
        default="durable",
        description="While the log's database is gone: `durable` answers nobody, `relaxed` spools rows and answers.",
    )
    spool_dir: Path = Field(default=Path("spool"), description="Folder of the spool, on a disk that outlives the process.")
    spool_max_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=64 * 1024,
        description="Bytes of each process's rows that may wait in the spool; when it is full, nobody is answered.",
    )
    idempotency_hours: float = Field(
        default=24, gt=0, le=24 * 365, description="Hours for which an `Idempotency-Key` is known and its answer kept."
    )
    log_retention_days: int | None = Field(
        default=None, ge=1, le=MOST_DAYS, description="Days after which rows of the request log are removed. Default: never."
    )
    log_payload_retention_days: int | None = Field(
        default=None,
        ge=1,
        le=MOST_DAYS,
        description="Days after which the inputs and outputs of a row are emptied. Default: never.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="How lines on standard error look: `auto` is text at a terminal and JSON elsewhere."
    )
    access_log: Switch = Field(default="on", description="Whether each request leaves a line on standard error.")
    traces: Switch = Field(
        default="off",
        description="`on` sends spans of each request by OTLP over HTTP; `OTEL_EXPORTER_OTLP_ENDPOINT` says where to.",
    )
    provider: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where graphs run: `auto` is CUDA where onnxruntime has it and finds a GPU, else the CPU."
    )
    cpu_threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Threads for models. Default: the cores the process may use, container limits counted.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Processes that serve side by side, each with its own models. More than one needs PostgreSQL.",
    )
    queue_limit_requests: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Requests of one task that may run and wait together; more are refused with 503.",
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Largest request body; a larger one is refused with 413."
    )
    drain_notice_s: float = Field(
        default=1.0,
        ge=0,
        le=300,
        description="Seconds between SIGTERM, when /readyz turns 503, and the end of listening. What was accepted is answered.",
    )
    auth: Literal["off", "keys"] = Field(
        default="off",
        description="`keys` asks for API keys; `off` lets everybody in, and is refused on other addresses than loopback.",
    )
    allow_open: Switch = Field(
        default="off",
        description="`on` lets it listen on any address without keys, where something before it decides who may call.",
    )
    metrics: Access = Field(
        default="open", description="Who sees `/metrics`: `open` everybody, `key` whoever has an API key, `off` nobody."
    )
    docs: Access = Field(default="open", description="Who sees `/docs`, `/redoc` and `/openapi.json`, likewise.")
    rate_limit: Annotated[str | None, AfterValidator(_as_rate)] = Field(
        default=None,
        description="Requests a caller may send, such as `100/second` or `5000/hour`; more get 429. Default: any number.",
    )
    body_timeout_s: float = Field(
        default=30, gt=0, description="Seconds a request's body may take to arrive; a slower one is refused with 408."
    )
    header_timeout_s: float = Field(
        default=10, gt=0, description="Seconds a connection may take to send a request's head; a slower one is closed."
    )
    send_timeout_s: float = Field(
        default=30, gt=0, description="Seconds a connection may take nothing of what waits to be sent to it; then it is ended."
    )
    max_connections: int = Field(
        default=4096, ge=1, description="Connections held at a time; beyond, the one that has been idle longest is closed."
    )
    cors_origins: str | None = Field(
        default=None,
        description="Web origins whose pages may call the service, with commas between; `*` for all. Default: none.",
    )
    trusted_hosts: str | None = Field(
        default=None,
        description="Host names it answers for, such as `api.example.com,*.example.org`; others get 421. Default: all.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_database_url(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Raises ValueError if the file cannot be read. It wins, because the image names a database of its own."""
        path = given.get("database_url_file")
        if not path:
            return given
        try:
            return {**given, "database_url": Path(path).read_text("utf-8").strip()}
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"database_url_file: it cannot be read: {type(error).__name__}") from error

    @model_validator(mode="after")
    def _check_spool(self) -> Self:
        if self.log_mode == "relaxed" and sys.platform == "win32":
            raise ValueError("log_mode: relaxed needs the file locks of Unix, allowed here is durable")
        return self

    @property
    def cors_origin_names(self) -> list[str]:
        return _listed(self.cors_origins)

    @property
    def trusted_host_names(self) -> list[str]:
        return [name.lower() for name in _listed(self.trusted_hosts)]


def _listed(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]
