"""Training data from the request log: items whose payload is stored and of which it is known what was right.

They have the columns of the public data sets, so that `gatehouse train` reads them as it reads those.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Engine

from app.bulk.outputs import Record, check_output, output_for
from app.bulk.rows import Kind
from app.log_export import rows
from app.log_rows import Selection
from app.open_inference.schemas import InferenceRequest
from app.open_inference.tensors import strings_of
from app.paths import is_open_inference
from app.schemas import RadarHour, RainfallRequest, SentimentRequest
from app.tasks.rainfall import MEASUREMENTS

FORMATS = (".csv", ".parquet")

Row = dict[str, Any]


@dataclass
class Made:
    """Items written, of so many requests; `without` counts those with feedback whose inputs are not stored."""

    items: int = 0
    requests: int = 0
    without: int = 0


@dataclass(frozen=True)
class Kept:
    """`items` gives what was asked of each item, from a row of the log; `records`, the file's rows for one of them, from a
    number that no other item has and what was said of it."""

    columns: dict[str, Kind]
    items: Callable[[Row], list[Any]]
    records: Callable[[int, Any, Row], list[Record]]


def make_training_file(engine: Engine, task: str, selection: Selection, output: Path) -> Made:
    """Writes `output`, which appears whole at the end. Raises ValueError if it would be empty, BulkError."""
    kept, made, parts = KEPT[task], Made(), list[Path]()
    form = output_for(output, kept.columns)
    check_output(output)
    with TemporaryDirectory(dir=output.absolute().parent, prefix=f".{output.name}.") as folder:
        for number, batch in enumerate(rows(engine, selection)):
            parts.append(Path(folder) / f"{number:08d}")
            form.write(parts[-1], [record for row in batch for record in _records(kept, row, made)])
        if not made.items:
            raise ValueError(
                f"no item of {task} has both feedback and a stored payload ({made.without} have feedback alone); "
                "GATEHOUSE_LOG_PAYLOADS=on stores payloads"
            )
        whole = Path(folder) / "whole"
        form.join(parts, whole)
        whole.replace(output)
    return made


def _records(kept: Kept, row: Row, made: Made) -> Iterator[Record]:
    try:
        items = kept.items(row)
    except (ValueError, LookupError):  # hashes, or nothing
        made.without += 1
        return
    made.requests += 1
    for item, said in sorted(row["feedback"].items(), key=lambda pair: int(pair[0])):
        made.items += 1
        yield from kept.records(_number(f"{row['request_id']} {item}"), items[int(item)], said)


def _number(name: str) -> int:
    """Below 2^53, which a float holds, too; by chance no file's own, as those count from 1."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 11


def _strings(row: Row) -> list[str]:
    """The one input of a request under /v2."""
    return strings_of(InferenceRequest.model_validate(row["inputs"]).inputs[0], "/inputs/0")


def _texts(row: Row) -> list[str]:
    if is_open_inference(row["path"]):
        return _strings(row)
    return SentimentRequest.model_validate(row["inputs"]).texts


def _hours(row: Row) -> list[RadarHour]:
    if is_open_inference(row["path"]):
        return RainfallRequest.model_validate({"hours": [from_json(hour) for hour in _strings(row)]}).hours
    return RainfallRequest.model_validate(row["inputs"]).hours


def _review(_: int, text: str, said: Row) -> list[Record]:
    return [(text, said["label"])]


def _scans(number: int, hour: RadarHour, said: Row) -> list[Record]:
    """A row a scan; the hour's number is its Id."""
    return [
        (number, scan.minutes_past, hour.radardist_km, *(getattr(scan, name) for name in MEASUREMENTS), said["rain_mm"])
        for scan in hour.scans
    ]


_SCAN: dict[str, Kind] = {
    "Id": "integer",
    "minutes_past": "number",
    "radardist_km": "number",
    **dict.fromkeys(MEASUREMENTS, "number"),
    "Expected": "number",
}

KEPT = {
    "sentiment": Kept({"text": "string", "label": "string"}, _texts, _review),
    "rainfall": Kept(_SCAN, _hours, _scans),
}
"""Task -> how its items are kept."""
