"""Rows -> radar hours to estimate -> cells of the output.

A row is a scan, as in the public data set: rows one after the other with the same `Id` are an hour. In jsonl an object with
`scans` is an hour by itself, as in the body of POST /v1/rainfall.
"""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import ValidationError

from app.bulk.items import Item, TaskItems, id_value
from app.bulk.rows import BulkError, Kind, Row, Rows, found, shown
from app.schemas import RadarHour, Scan
from app.tasks.rainfall import MEASUREMENTS, MOST_SCANS, Hour, Rainfall, baselines_mm
from app.tasks.task import Run

_SCAN = ("minutes_past", *MEASUREMENTS)
_NEEDED = ("Id", "minutes_past", "radardist_km", "Ref")
_MOST_ASIDE = 60
_BASELINES = list(baselines_mm(Hour.from_scans(0.0, [{"minutes_past": 0.0}])))


class RainItems(TaskItems):
    """An item is an hour, or a row that belongs to none."""

    answers: ClassVar[dict[str, Kind]] = {
        "rain_mm": "number",
        "interval_90_low_mm": "number",
        "interval_90_high_mm": "number",
        "scans_used": "integer",
        **{f"{name}_mm": "number" for name in _BASELINES},
    }

    def __init__(self, rows: Rows) -> None:
        needed = ("scans",) if "scans" in rows.columns else _NEEDED
        if missing := [name for name in needed if name not in rows.columns and (rows.header or name != "Ref")]:
            raise BulkError(f"no column {missing}, {found(rows.columns)}")
        self.absent = [name for name in MEASUREMENTS if name not in rows.columns] if rows.header else []
        self.ids = {"Id": rows.kind("Id") if "Id" in rows.columns else "string"}
        self.needed = [name for name in ("Id", "radardist_km", *_SCAN) if name in rows.columns]

    def read(self, rows: Iterator[Row]) -> Iterator[list[Item]]:
        hour: _OpenHour | None = None
        aside: list[Item] = []  # rows within the open hour that belong to none
        for row in rows:
            whole, key = "scans" in row.values, _id(row.values.get("Id"))
            if hour and (whole or len(aside) == _MOST_ASIDE or (key is not None and key != hour.key)):
                yield [hour.item(), *aside]
                hour, aside = None, []
            if whole:
                yield [_whole(row)]
            elif row.fault or key is None:
                fault = row.fault or f"Id is {shown(row.values.get('Id'))}, allowed is the number or name of an hour"
                aside.append(Item(row.number, row.number, (None,), None, 0, fault))
            else:
                hour = hour or _OpenHour(key)
                hour.add(row)
            if aside and not hour:
                yield aside
                aside = []
        if hour:
            yield [hour.item(), *aside]

    def cells(self, task: Rainfall, run: Run, inputs: list[Hour]) -> list[tuple[Any, ...]]:
        return [
            (each.rain_mm, *each.interval_90_mm, each.scans_used, *(each.baselines_mm[name] for name in _BASELINES))
            for each in task.answer(run, inputs)
        ]


class _OpenHour:
    """Scans of one Id, until another comes. Keeps no more than an hour may have."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self._rows: list[int] = []
        self._first = self._last = self._count = 0
        self._scans: list[dict[str, Any]] = []
        self._distances: list[float] = []
        self._fault: str | None = None

    def add(self, row: Row) -> None:
        self._first, self._last = self._first or row.number, row.number
        self._count += 1
        if self._count > MOST_SCANS or self._fault:
            return
        try:
            scan = Scan.model_validate({name: _measured(row.values.get(name)) for name in _SCAN}, strict=False)
            hour = RadarHour.model_validate(
                {"radardist_km": _measured(row.values.get("radardist_km")), "scans": [scan]}, strict=False
            )
        except ValidationError as error:
            self._fault = f"row {row.number}: {_reason(error)}"
        else:
            self._scans.append(scan.model_dump())
            self._distances.append(hour.radardist_km)

    def item(self) -> Item:
        if self._count > MOST_SCANS:
            self._fault = f"{self._count} rows with this Id one after the other, allowed are 1 to {MOST_SCANS}"
        if self._fault:
            return Item(self._first, self._last, (self.key,), None, 0, self._fault)
        earliest = min(range(self._count), key=lambda index: self._scans[index]["minutes_past"])
        hour = Hour.from_scans(self._distances[earliest], self._scans)
        return Item(self._first, self._last, (self.key,), hour, self._count)


def _whole(row: Row) -> Item:
    """An object with `scans`."""
    key = (_id(row.values.get("Id")),)
    try:
        body = RadarHour.model_validate({name: value for name, value in row.values.items() if name != "Id"})
    except ValidationError as error:
        return Item(row.number, row.number, key, None, 0, _reason(error))
    hour = Hour.from_scans(body.radardist_km, [scan.model_dump() for scan in body.scans])
    return Item(row.number, row.number, key, hour, len(body.scans))


def _id(value: Any) -> Any:
    """None where there is none: missing, empty, NaN, or neither a number nor a string."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return (value.strip() or None) if isinstance(value, str) else id_value(value)


def _measured(value: Any) -> Any:
    """None for what is missing: an empty field, or NaN."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return None if isinstance(value, str) and value.strip().lower() in {"", "nan"} else value


def _reason(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    where = ".".join(map(str, fault["loc"]))
    return f"{where}: {fault['msg']} (got {shown(fault['input'])})"
