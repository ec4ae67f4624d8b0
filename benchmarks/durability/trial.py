"""One trial: a service under load, killed again and again, and what is in the database of what it had answered."""

import random
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.durability.audit import Audit
from benchmarks.durability.callers import Load
from benchmarks.durability.databases import Database, Form, database
from benchmarks.durability.service import Service

_CALLERS = 8
_MOST_RUN_S = 0.6


@dataclass(frozen=True)
class Outcome:
    """`answers`: how many came whole, by the name of the question and the status.

    Of these, those below 500 are `acknowledged`; `lost` have no row, `changed` another row than was answered, `duplicates` more
    than one. `further` rows are of requests whose answer a kill cut off, for the row comes first, or that got a 5xx. `damage`:
    what is wrong with the file.
    """

    form: Form
    kills: int
    seconds: float
    sent: int
    answers: Counter[tuple[str, int]]
    lost: int
    changed: int
    duplicates: int
    further: int
    damage: str | None

    @property
    def acknowledged(self) -> int:
        return sum(number for (_, status), number in self.answers.items() if status < 500)

    @property
    def refused(self) -> int:
        """The acknowledged answers of 4xx."""
        return sum(number for (_, status), number in self.answers.items() if 400 <= status < 500)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was lost, changed, doubled or damaged."""
        return not (self.lost or self.changed or self.duplicates or self.damage)


def trial(form: Form, kills: int, models: Path, folder: Path, seed: int = 0) -> Outcome:
    """In an empty folder. The moments of the kills are drawn; the database stays the same throughout."""
    chance = random.Random(seed)  # noqa: S311 - nobody is to be surprised but the service
    started_s = time.monotonic()
    with (
        database(form, folder) as base,
        Service(models, base.url, folder) as service,
        closing(Audit(base.url)) as audit,
        Load(service.port, _CALLERS, seed) as load,
    ):
        for victims in islice(cycle(form.victims), kills):
            time.sleep(chance.uniform(0, _MOST_RUN_S))
            _kill(victims, service, base)
            audit.check(load.new())
        time.sleep(_MOST_RUN_S)
        load.end()
        seconds = time.monotonic() - started_s
        return _outcome(form, kills, seconds, load, audit)


def _outcome(form: Form, kills: int, seconds: float, load: Load, audit: Audit) -> Outcome:
    """Of a load that has ended: what was found after each kill, and a last look for everything."""
    received = load.all()
    audit.check(received)
    return Outcome(
        form=form,
        kills=kills,
        seconds=seconds,
        sent=load.sent,
        answers=Counter((answer.name, answer.status) for answer in received),
        lost=len(audit.lost),
        changed=len(audit.changed),
        duplicates=audit.duplicates(),
        further=audit.rows() - sum(answer.status < 500 for answer in received),
        damage=audit.damage(),
    )


def _kill(victims: frozenset[str], service: Service, base: Database) -> None:
    """All of them at once, and a new start of what is gone."""
    if "database" in victims:
        base.kill()
    if "service" in victims:
        service.kill()
    if "database" in victims:
        base.start()
    if "service" in victims:
        service.start()
    service.wait()
