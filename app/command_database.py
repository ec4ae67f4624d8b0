"""The database that a command works on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine

UrlOption = Annotated[str | None, typer.Option(help="The database. Default: GATEHOUSE_DATABASE_URL.")]


def brought_to(url: str, revision: str = "head") -> str:
    """Migrates; the revision it is at then. Raises ValueError for one that there is not, and for a database that fails."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.database import make_engine, migrate
    from app.row_store import reason

    engine = make_engine(url)
    try:
        return migrate(engine, revision)
    except SQLAlchemyError as error:
        raise ValueError(f"the database cannot be used: {reason(error)}") from error
    finally:
        engine.dispose()


@contextmanager
def migrated(url: str | None) -> "Iterator[Engine]":
    """The engine of a migrated database. Raises ValueError for any other, and for one that fails."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.database import make_engine, migration_fault
    from app.row_store import reason
    from app.settings import Settings

    engine = make_engine(url or Settings().database_url)
    try:
        if fault := migration_fault(engine):
            raise ValueError(fault)
        yield engine
    except SQLAlchemyError as error:
        raise ValueError(f"the database cannot be used: {reason(error)}") from error
    finally:
        engine.dispose()
