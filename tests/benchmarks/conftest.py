"""Reviews long enough to be cut for the load tests."""

import csv
import random
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def long_reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 40 reviews of 30 to 1,100 words, in the Kaggle file's form."""
    path = tmp_path_factory.mktemp("reviews") / "IMDB Dataset.csv"
    chance = random.Random(3)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "sentiment"])
        for number in range(40):
            words = chance.choices(["good", "moving", "joy", "dull", "waste"], k=1100 if number % 8 == 0 else 30 + number)
            rows.writerow([f"Film {number} <br /> {' '.join(words)}", "positive" if number % 2 else "negative"])
    return path


@pytest.fixture(scope="session")
def plausible_hours(tmp_path_factory: pytest.TempPathFactory, tiny_sources: dict[str, Path]) -> Path:
    """The generated radar hours without their correlations, which lie beyond what the interface takes."""
    path = tmp_path_factory.mktemp("hours") / "train.csv"
    with tiny_sources["rainfall"].open(newline="") as source, path.open("w", newline="") as file:
        rows = csv.DictReader(source)
        kept = csv.DictWriter(file, rows.fieldnames or [])
        kept.writeheader()
        kept.writerows({name: "" if name.startswith("RhoHV") else value for name, value in row.items()} for row in rows)
    return path
