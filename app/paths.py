"""What a path alone says of a request: whose protocol it speaks, which task it asks, whether it is recorded."""

import re

from app.tasks import TASKS

_TASKS = {
    "/v1/sentiment": "sentiment",
    "/v1/rainfall": "rainfall",
    "/v1/music/next": "music",
    "/v1/music/generate": "music",
    "/v1/cells": "cells",
}
_INFER = re.compile(r"/v2/models/([^/]+)(?:/versions/[^/]+)?/infer")


def task_of(path: str) -> str | None:
    """The task or demonstration that a POST to this path asks, and whose gate stands before it; None where none is asked."""
    if task := _TASKS.get(path):
        return task
    infer = _INFER.fullmatch(path)
    return infer[1] if infer and infer[1] in TASKS else None


def is_logged(path: str) -> bool:
    """Whether its answers leave a row: all under /v1, and every inference under /v2, but no probe of an orchestrator."""
    return path.startswith("/v1/") or _INFER.fullmatch(path) is not None


def is_open_inference(path: str) -> bool:
    """Whether it belongs to the Open Inference Protocol, which has errors of its own shape."""
    return path == "/v2" or path.startswith("/v2/")
