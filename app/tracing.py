"""Whether requests are traced. What that needs comes with an extra, and is loaded only where it is wanted."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.settings import Settings

if TYPE_CHECKING:
    from app.spans import Spans


class TracesUnavailable(ValueError):
    """The extra is not installed."""

    def __init__(self, missing: str | None) -> None:
        super().__init__(f"GATEHOUSE_TRACES=on needs {missing}, which is not installed: pip install '.[otel]' in the checkout")


def check_traces(settings: Settings) -> None:
    """Raises TracesUnavailable, where `make_spans` would."""
    if settings.traces == "on":
        _module()


def make_spans(settings: Settings) -> "Spans | None":
    """None, where requests are not traced. Raises TracesUnavailable."""
    if settings.traces == "off":
        return None
    spans: Spans = _module().Spans()
    return spans


def _module() -> Any:
    try:
        return import_module("app.spans")
    except ModuleNotFoundError as error:
        raise TracesUnavailable(error.name) from error
