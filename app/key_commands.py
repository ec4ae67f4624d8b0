"""The commands `gatehouse keys ...`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app.command_database import UrlOption, migrated

keys_commands = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")

ScopeOption = Annotated[
    list[str],
    typer.Option(
        "--scope",
        help="predict (ask models), read_log (any caller's records), metrics (/metrics, no model) or admin (everything).",
    ),
]


@keys_commands.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what the key is for.")],
    scope: ScopeOption = ["predict"],  # noqa: B006 - typer reads it and changes nothing
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until it expires. Default: never.")] = None,
    url: UrlOption = None,
) -> None:
    """Make a key and print it, this once: its secret is stored nowhere. Opens at once."""
    from app.keys import create_key

    with migrated(url) as engine:
        expires = datetime.now(UTC) + timedelta(days=days) if days else None
        # mypy cannot know what the next line checks.
        key = create_key(engine, name, scope, expires)  # type: ignore[arg-type]
    typer.echo(key)
    typer.echo("Keep it: it is not shown again. Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`.", err=True)


@keys_commands.command("list")
def list_keys(url: UrlOption = None) -> None:
    """Every key: its id, state, scopes, when it was made, ends and was last used, and its name."""
    from app.keys import all_keys

    with migrated(url) as engine:
        for key in all_keys(engine):
            times = " ".join(
                f"{label} {_day(time):16}"
                for label, time in (("made", key.created), ("ends", key.expires), ("used", key.last_used))
            )
            typer.echo(f"{key.key_id} {key.state(datetime.now(UTC)):8} {key.scopes:22} {times} {key.name}")


@keys_commands.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="Its id, the middle part of gate_ID_SECRET.")], url: UrlOption = None
) -> None:
    """Close a key for good, within seconds in every running service."""
    from app.key_ring import MOST_AGE_S
    from app.keys import revoke_key

    with migrated(url) as engine:
        revoke_key(engine, key_id)
    typer.echo(f"{key_id} is revoked; a running service refuses it within {MOST_AGE_S:g} s")


def _day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "-"
