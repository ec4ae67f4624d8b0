"""pyarrow, which only parquet needs and only the extra `bulk` brings: loaded when it is."""

from importlib import import_module
from typing import Any

from app.bulk.rows import BulkError


def pyarrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet. Raises BulkError where they are not installed."""
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise BulkError("parquet needs pyarrow, which is not installed: pip install '.[bulk]' in the checkout") from error
    arrow.set_memory_pool(arrow.system_memory_pool())  # its own allocator holds on to what it has freed
    return arrow, parquet
