"""Downloads of the public data sets from their official source."""

import shutil
from pathlib import Path

import kagglehub

from training.data.report import DataError

_SOURCES = {
    "imdb": ("lakshmi25npathi/imdb-dataset-of-50k-movie-reviews", "IMDB Dataset.csv"),
    "rainfall": ("how-much-did-it-rain-ii", "train.zip"),
}
_BY_HAND = {
    "imdb": (
        "download 'IMDB Dataset.csv' from https://www.kaggle.com/datasets/{slug} to {folder}/IMDB Dataset.csv, or unpack "
        "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz to {folder}/aclImdb"
    ),
    "rainfall": ("accept the rules of https://www.kaggle.com/c/{slug}, download train.zip and unpack it to {folder}/train.csv"),
}


def fetch(name: str, folder: Path) -> Path:
    """Download the data set `imdb` or `rainfall` into `folder`; the file to train from.

    Raises DataError that says which file to put where, if the download does not succeed.
    """
    slug, file = _SOURCES[name]
    download = kagglehub.competition_download if name == "rainfall" else kagglehub.dataset_download
    try:
        got = Path(download(slug, path=file))
        folder.mkdir(parents=True, exist_ok=True)
        if got.suffix == ".zip":
            shutil.unpack_archive(got, folder)
            return folder / "train.csv"
        return Path(shutil.copy(got, folder / file))
    except Exception as error:
        by_hand = _BY_HAND[name].format(slug=slug, folder=folder)
        raise DataError(f"the download of {slug} failed ({type(error).__name__}); instead {by_hand}") from error
