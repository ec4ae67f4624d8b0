"""The commands of `gatehouse` as docs/reference/cli.md describes them, made of what typer knows.

`python -m tests.docs.commands` writes them there, below what the page says first.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from app import cli

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def sections() -> str:
    """All of the page but what it says first."""
    return "\n".join(_section(name, command) for name, command in commands().items())


def commands() -> dict[str, Any]:
    """Full name -> command, in the order of --help."""
    return dict(_leaves(typer.main.get_command(cli.whole()), "gatehouse"))


def _section(name: str, command: Any) -> str:
    """What the page says of a command: its usage, what it does, and a row for each argument and option."""
    usage = " ".join([name, *(_shown(given) for given in command.params if given.required)])
    lines = [f"## {name}", "", f"`{usage}`", "", _prose(command.help), ""]
    if command.params:
        lines += ["| argument or option | takes | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [_row(given) for given in command.params] + [""]
    return "\n".join(lines)


def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for own, below in command.commands.items():
        yield from _leaves(below, f"{name} {own}")


def _row(given: Any) -> str:
    names = [*given.opts, *given.secondary_opts] if given.param_type_name == "option" else [given.name.upper()]
    return (
        f"| {', '.join(f'`{name}`' for name in names)} | {_takes(given)} | {_default(given)} | {_prose(given.help)} |".replace(
            "|  |", "| |"
        ).replace("|  |", "| |")
    )


def _prose(text: str) -> str:
    return " ".join(text.split()).replace("<", "\\<")


def _shown(given: Any) -> str:
    if given.param_type_name == "argument":
        return f"{given.name.upper()}..." if given.nargs < 0 else given.name.upper()
    return f"{given.opts[0]} {given.name.upper()}"


def _takes(given: Any) -> str:
    if getattr(given, "is_flag", False):
        return ""
    kind = given.type_descriptor.annotation
    kind = get_args(kind)[0] if get_origin(kind) is list else kind
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if issubclass(kind, StrEnum):
        return ", ".join(f"`{choice.value}`" for choice in kind)
    named = {Path: "a path", int: "a whole number", float: "a number"}.get(kind, "a text")
    most = f" up to {given.max:,}" if given.max is not None else ""
    return named + (f" from {given.min}" if given.min is not None else "") + most


def _default(given: Any) -> str:
    value = given.default
    value = given.opts[0] if value is True else value
    shown = "" if value is None or value is False else f"`{' '.join(value) if isinstance(value, list) else value}`"
    if not given.envvar:
        return shown
    return f"`{given.envvar}`, else {shown}" if shown else f"`{given.envvar}`"


if __name__ == "__main__":
    first, _, _ = PAGE.read_text("utf-8").partition("## ")
    PAGE.write_text(first + sections(), "utf-8")
