"""Whether generated tunes are well-formed, with and without the grammar, and how far they are from those learned from."""

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np

from app.tasks.music import Music
from app.tasks.sampling import Sampling
from app.tasks.task import Run
from training.data.splits import recorded_splits
from training.data.tunes import read_tunes
from training.nearest import longest_runs
from training.recipe import read_recipe

_ABCJS_SCRIPT = Path(__file__).with_name("abcjs_check.mjs")
_LONG_RUN = 50
_HEADER = (
    "| tunes | finished | silent in abc2midi | silent in abcjs | all three | characters/s "
    f"| longest run: median | 90 of 100 below | over {_LONG_RUN} |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)

_RHYTHMS = (
    ("6/8", "1/8", "jig"), ("4/4", "1/8", "reel"), ("C", "1/8", "reel"), ("C|", "1/8", "reel"), ("2/4", "1/8", "polka"),
    ("3/4", "1/8", "waltz"), ("9/8", "1/8", "slip jig"), ("3/2", "1/8", "air"), ("2/4", "1/16", "march"),
    ("3/4", "1/4", "waltz"), ("12/8", "1/8", "slide"), ("4/4", "1/4", "hornpipe"), ("3/8", "1/8", "air"),
    ("C", "1/16", "strathspey"),
)  # fmt: skip
_KEYS = ("G", "D", "A", "Em", "Ador", "D Mixolydian", "C", "F", "Bb", "A Minor", "Bm", "E Dorian", "Gm")
_TEMPOS = ("", "Q:1/4=120\n", "", "Q:3/8=100\n")
_BEGINNINGS = ("", "", "A2", "|:", "", "G|", "D2 |", "", "GA", "|:d|")
_PARTIAL = ("", "X:1\n", "X:1\nT:", "X:1\nT:The Lane\nR:reel\n", "X:1\nT:Morning\nM:6/8\n")


@dataclass(frozen=True)
class Report:
    """Shares of the tunes, in [0, 1]; None where the program is not there. runs: int64, characters."""

    name: str
    finished: float | None
    abc2midi: float | None
    abcjs: float | None
    all_three: float | None
    characters_per_s: float | None
    runs: Sequence[int]

    def row(self) -> str:
        """A line of the table."""
        shares = (self.finished, self.abc2midi, self.abcjs, self.all_three)
        texts = [self.name, *("" if share is None else f"{share:.1%}" for share in shares)]
        texts.append("" if self.characters_per_s is None else f"{self.characters_per_s:.0f}")
        runs = np.asarray(self.runs)
        texts += [f"{np.median(runs):.0f}", f"{np.quantile(runs, 0.9):.0f}", f"{(runs > _LONG_RUN).mean():.1%}"]
        return f"| {' | '.join(texts)} |"


@dataclass(frozen=True)
class Tune:
    """A prompt with what the model added to it."""

    abc: str
    finished: bool
    added: int


def prompts(count: int) -> list[str]:
    """Beginnings as people type them: metres, keys and lengths of all kinds, bodies begun within a bar, parts of a header."""
    whole = []
    for number, (beginning, (metre, unit, rhythm)) in enumerate(product(_BEGINNINGS, _RHYTHMS)):
        tempo, key = _TEMPOS[number % len(_TEMPOS)], _KEYS[number % len(_KEYS)]
        kind = f"R:{rhythm}\n" if number % 3 == 0 else ""
        whole.append(f"X:{number + 1}\nT:Tune {number + 1}\n{kind}M:{metre}\nL:{unit}\n{tempo}K:{key}\n{beginning}")
    return list(islice(cycle([*_PARTIAL, *whole]), count))


def check_tunes(
    task: Music,
    run: Run,
    recipe: Path,
    data: Path,
    splits: Path,
    out: Path,
    count: int = 500,
    sampling: Sampling | None = None,
    abcjs: Path | None = None,
) -> str:
    """Generate `count` tunes with the grammar and `count` without, write them to folders of `out`, and compare.

    `recipe` is the bundle's, which says how the tunes in `data` were split; `splits` holds the recorded split. The seed of
    `sampling` is that of the first tune. `abcjs` is a folder with node_modules/abcjs. Returns a Markdown table; its last
    line is what chance gives: real tunes that were not learned from.
    """
    sampling = sampling or Sampling(800, 0.9, 0.95, 0)
    texts, families = (read_tunes(data)[0][name].to_list() for name in ("abc", "family"))
    settings = read_recipe(recipe).data
    parts = recorded_splits(splits, "music", families, settings.validation_items, settings.test_items, settings.split_seed)
    learned = [texts[row] for row in parts.train]
    reports = []
    for name, well_formed in (("with the grammar", True), ("without", False)):
        started = time.perf_counter()
        tunes = [
            generate(task, run, prompt, _numbered(sampling, number), well_formed)
            for number, prompt in enumerate(prompts(count))
        ]
        seconds = time.perf_counter() - started
        folder = write_tunes([tune.abc for tune in tunes], out / name.replace(" ", "-"))
        reports.append(_report(name, tunes, seconds, folder, abcjs, learned))
    held_out = [texts[row] for row in (*parts.validation, *parts.test)]
    folder = write_tunes(held_out, out / "held-out")
    midi, js = silent_in_abc2midi(folder), silent_in_abcjs(folder, abcjs)
    runs = longest_runs(held_out, learned).tolist()
    reports.append(Report("held-out real tunes", None, _share(midi), _share(js), None, None, runs))
    return "\n".join([_HEADER, *(report.row() for report in reports)])


def generate(task: Music, run: Run, prompt: str, sampling: Sampling, well_formed: bool) -> Tune:
    """One tune; `finished` says that the model ended it itself."""
    pieces = list(task.continuation(run, prompt, sampling, well_formed=well_formed))
    return Tune(prompt + "".join(pieces), pieces[-1] == "", len(pieces))


def write_tunes(tunes: Sequence[str], folder: Path) -> Path:
    """Each tune as a file of an otherwise empty folder, numbered."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, abc in enumerate(tunes):
        (folder / f"{number:05d}.abc").write_text(abc, "utf-8")
    return folder


def silent_in_abc2midi(folder: Path) -> list[bool] | None:
    """For each .abc file, in order of names: whether `abc2midi -c` has neither error nor warning. None without abc2midi."""
    program = shutil.which("abc2midi")
    if program is None:
        return None
    silent = []
    for path in sorted(folder.glob("*.abc")):
        done = subprocess.run([program, path.name, "-c"], cwd=folder, capture_output=True, check=False)  # noqa: S603
        said = done.stdout + done.stderr
        silent.append(done.returncode == 0 and b"Warning" not in said and b"Error" not in said)
    return silent


def silent_in_abcjs(folder: Path, installation: Path | None) -> list[bool] | None:
    """The same for abcjs in node; None without an installation."""
    node = shutil.which("node")
    if installation is None or node is None:
        return None
    command = [node, str(_ABCJS_SCRIPT), str(installation), str(folder)]
    warnings = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)  # noqa: S603
    return [not warnings[name] for name in sorted(warnings)]


def _numbered(sampling: Sampling, number: int) -> Sampling:
    return Sampling(sampling.max_characters, sampling.temperature, sampling.top_p, sampling.seed + number)


def _report(
    name: str, tunes: Sequence[Tune], seconds: float, folder: Path, abcjs: Path | None, learned: Sequence[str]
) -> Report:
    finished = [tune.finished for tune in tunes]
    midi, js = silent_in_abc2midi(folder), silent_in_abcjs(folder, abcjs)
    all_three = None if midi is None or js is None else [all(three) for three in zip(finished, midi, js, strict=True)]
    per_s = sum(tune.added for tune in tunes) / seconds
    runs = longest_runs([tune.abc for tune in tunes], learned).tolist()
    return Report(name, _share(finished), _share(midi), _share(js), _share(all_three), per_s, runs)


def _share(silent: Sequence[bool] | None) -> float | None:
    return None if silent is None else sum(silent) / len(silent)
