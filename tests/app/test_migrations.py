"""Migrations: whole or not at all, one process at a time, up and down, and none of a database ahead of the code."""

import subprocess
import sys

import pytest
from sqlalchemy import Engine, inspect, text

from app.database import migrate, migration_fault

MIGRATE = "import sys; from app.database import make_engine, migrate; migrate(make_engine(sys.argv[1]))"
KILLED_MIDWAY = f"""
import os
from alembic.operations import Operations
real = Operations.create_table
Operations.create_table = lambda self, name, *rest, **more: (
    os._exit(9) if name == "idempotency_keys" else real(self, name, *rest, **more)
)
{MIGRATE}
"""


def process(program: str, engine: Engine) -> "subprocess.Popen[str]":
    url = engine.url.render_as_string(hide_password=False)
    return subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE, text=True)


def revision(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())


def test_a_migration_that_is_killed_midway_left_nothing_behind(engine: Engine) -> None:
    migrate(engine, "0002")
    with process(KILLED_MIDWAY, engine) as killed:
        killed.communicate(timeout=60)
    assert killed.returncode == 9
    assert revision(engine) == "0002"
    assert "process_id" not in {column["name"] for column in inspect(engine).get_columns("requests")}
    migrate(engine)
    assert migration_fault(engine) is None


def test_processes_that_migrate_at_once_wait_for_each_other(engine: Engine) -> None:
    started = [process(MIGRATE, engine) for _ in range(3)]
    errors = [each.communicate(timeout=120)[1] for each in started]
    assert [each.returncode for each in started] == [0, 0, 0], errors
    assert migration_fault(engine) is None


@pytest.mark.parametrize(("way", "reached"), [("0002", "0002"), ("-1", "0003"), ("base", "base"), ("head", "0004")])
def test_an_older_revision_is_gone_down_to(engine: Engine, way: str, reached: str) -> None:
    migrate(engine, "0004")
    assert migrate(engine, way) == reached
    assert migrate(engine) == migrate(engine, "head")
    assert migration_fault(engine) is None


@pytest.mark.parametrize("way", ["", "nonsense", "-9", "+1", "9", "head; --"])
def test_a_revision_that_there_is_not_changes_nothing(engine: Engine, way: str) -> None:
    at = migrate(engine)
    with pytest.raises(ValueError, match=r"no revision .* from here; allowed are base, 0001, .*, head, and steps such as -1"):
        migrate(engine, way)
    assert revision(engine) == at


@pytest.mark.parametrize("way", ["head", "base", "-1", "0001"])
def test_a_database_ahead_of_the_code_is_left_alone(engine: Engine, way: str) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ValueError, match="the database is ahead: this version does not know its revision 9999, only up to "):
        migrate(engine, way)
    assert revision(engine) == "9999"
