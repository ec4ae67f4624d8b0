"""Which cores serve and which ask. Linux only: pinning is taskset's."""

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """`server` and `client` share cores only where the machine has too few to keep them apart."""

    server: tuple[int, ...]
    client: tuple[int, ...]


def available_cores() -> tuple[int, ...]:
    """Those this process may use."""
    return tuple(sorted(os.sched_getaffinity(0)))


def split_cores(available: Sequence[int], count: int) -> Cores:
    """`count` cores for the server, the next one (or the last) for the client. Raises ValueError where there are fewer."""
    if len(available) < count:
        raise ValueError(f"the server is to have {count} cores, there are {len(available)}")
    return Cores(tuple(available[:count]), (available[min(count, len(available) - 1)],))


def pinned(command: Sequence[str], cores: Sequence[int]) -> list[str]:
    """The command on these cores; it is asked to end when its parent does, however that ends."""
    wrapped = ["setpriv", "--pdeathsig", "TERM", "taskset", "--cpu-list", ",".join(map(str, cores))]
    return [*wrapped, *command]
