"""The service as it is, but that it records nothing. For benchmarks alone: `python -m benchmarks.unlogged PORT`."""

import sys
from unittest.mock import patch

import uvicorn
from fastapi import FastAPI

from app import listening
from app.database import make_engine, migrate
from app.main import create_app
from app.process_log import log_config
from app.settings import Settings


def create() -> FastAPI:
    """The real application; no path of it is one whose answers leave a row."""
    patch("app.middleware.is_logged", _never).start()
    return create_app()


def _never(_path: str) -> bool:
    return False


def main(port: int) -> None:
    """As `gatehouse serve --migrate --port PORT`."""
    settings = Settings()
    migrate(make_engine(settings.database_url))
    lines = log_config(settings.log_format)
    uvicorn.run("benchmarks.unlogged:create", factory=True, port=port, log_config=lines, access_log=False, **listening.OPTIONS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
