"""Settings: environment variables GATEHOUSE_..., each with its unit in its name."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _as_switch(value: Any) -> Any:
    """`on` and `off` in their other spellings, as operators write them."""
    spellings = {"1": "on", "true": "on", "yes": "on", "0": "off", "false": "off", "no": "off"}
    return spellings.get(str(value).lower(), value)


class Settings(BaseSettings):
    """Built once in `main` and passed down."""

    model_config = SettingsConfigDict(env_prefix="GATEHOUSE_", env_file=".env", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    models_dir: Path = Field(default=Path("models"), description="Folder of the bundles.")
    database_url: str = Field(
        default="sqlite:///gatehouse.db",
        description="Where the request log is kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
    )
    log_payloads: Annotated[Literal["off", "on"], BeforeValidator(_as_switch)] = Field(
        default="off", description="Whether inputs and outputs are stored with each request's row."
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
    queue_limit_requests: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Requests of one task that may run and wait together; more are refused with 503.",
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Largest request body; a larger one is refused with 413."
    )
