"""Whether requests are traced. What that needs comes with an extra, and is loaded only where it is wanted."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.settings import Settings

if TYPE_CHECKING:
    from app.spans import Spans

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class TracesUnavailable(ValueError):
    """The extra is not installed."""

    def __init__(self, missing: str | None) -> None:
        super().__init__(f"GATEHOUSE_TRACES=on needs {missing}, which is not installed: pip install '.[otel]' in the checkout")


def check_traces(settings: Settings) -> None:
    """Raises TracesUnavailable or ValueError, where `make_spans` would."""
    if settings.traces == "on":
        _module()


def make_spans(settings: Settings) -> "Spans | None":
    """None, where requests are not traced. Raises TracesUnavailable, or ValueError where they cannot be sent."""
    if settings.traces == "off":
        return None
    spans: Spans = _module().Spans()
    return spans


def _module() -> Any:
    for name in _ENDPOINTS:
        if not _is_address(os.environ.get(name) or "http://localhost"):
            raise ValueError(f"{name} is no address of a collector, allowed is such as http://collector:4318")
    try:
        return import_module("app.spans")
    except ModuleNotFoundError as error:
        raise TracesUnavailable(error.name) from error


def _is_address(value: str) -> bool:
    """The library takes any text, and would then fail at every span."""
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
