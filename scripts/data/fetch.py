"""Download data sets whose terms allow it, and print how to request the others.

    python -m scripts.data.fetch                          # list them
    python -m scripts.data.fetch facial_expressions       # into data/sources/facial_expressions
    python -m scripts.data.fetch fer2013                  # with an account at Kaggle, and `pip install kagglehub`

Repositories are checked out at a pinned commit. This script is optional: `scripts.data.prepare` reads archives and folders of any
origin.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .dataset import DatasetError

KAGGLEHUB = "kagglehub==1.0.3"


@dataclass(frozen=True)
class Repository:
    """A git repository at `commit` (full or abbreviated hash)."""

    about: str
    licence: str
    url: str
    commit: str
    then: str

    def fetch(self, folder: Path) -> Path:
        """Check the commit out into `folder`. Raises DatasetError if git fails or the folder holds something else."""
        if folder.exists():
            if not (folder / ".git").exists() or not self._is_here(folder):
                raise DatasetError(f"{folder} exists but is not {self.url} at {self.commit}: move it away")
            return folder
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        # An abbreviated commit cannot be fetched by itself: fetch all commits without blobs, then the files of one.
        _git("clone", "--filter=blob:none", "--no-checkout", self.url, str(partial))
        _git("checkout", "--detach", "--quiet", self.commit, at=partial)
        partial.rename(folder)
        return folder

    def _is_here(self, folder: Path) -> bool:
        return _git("rev-parse", "HEAD", at=folder).strip().startswith(self.commit)


@dataclass(frozen=True)
class Kaggle:
    """Files on Kaggle: the `file` of a competition, or a whole data set `owner/name`."""

    about: str
    licence: str
    handle: str
    then: str
    file: str | None = None

    @property
    def url(self) -> str:
        return f"https://www.kaggle.com/{'datasets' if '/' in self.handle else 'competitions'}/{self.handle}"

    def fetch(self, folder: Path) -> Path:
        """Download into `folder`. Raises DatasetError without kagglehub, without an account, or if Kaggle refuses."""
        by_hand = f"or download it from {self.url} and give scripts.data.prepare the file"
        try:
            import kagglehub
        except ImportError:
            raise DatasetError(f"Kaggle's data sets need its client: pip install {KAGGLEHUB}, {by_hand}") from None
        download = kagglehub.dataset_download if "/" in self.handle else kagglehub.competition_download
        try:
            return Path(download(self.handle, path=self.file, output_dir=str(folder)))
        except Exception as error:  # its exceptions have no common base class, and those of requests occur too
            rules = "" if "/" in self.handle else f", and that you accepted the rules at {self.url}/rules"
            raise DatasetError(
                f"the download from Kaggle failed ({type(error).__name__}: {str(error).strip()}). It may need an API token, "
                f"created on its settings page, in ~/.kaggle/kaggle.json or KAGGLE_USERNAME and KAGGLE_KEY{rules}; {by_hand}"
            ) from None


@dataclass(frozen=True)
class OnRequest:
    """A data set that its owners share on request; `how` describes it."""

    about: str
    licence: str
    how: str

    def fetch(self, folder: Path) -> Path:
        raise DatasetError(f"{self.about}: {self.how}")


SOURCES: dict[str, Repository | Kaggle | OnRequest] = {
    "fer2013": Kaggle(
        "FER2013, 35,887 faces of 48x48 pixels, of Kaggle's challenge", "released for research in that challenge",
        "challenges-in-representation-learning-facial-expression-recognition-challenge",
        "data.prepare fer2013 --faces {path}", "icml_face_data.csv",
    ),
    "fer2013-folders": Kaggle(
        "FER2013 as class folders of JPEG files (FER+ votes cannot be joined to their names)", "as FER2013",
        "msambare/fer2013", "data.prepare fer2013 --faces {path}",
    ),
    "ferplus": Repository(
        "FER+: ten raters' votes on each face of FER2013", "MIT", "https://github.com/microsoft/FERPlus",
        "8ad5426c7b69e86e78afccb42c5f516850f52a28", "data.prepare fer2013 --faces FER2013 --votes {path}/fer2013new.csv",
    ),
    "facial_expressions": Repository(
        "muxspace/facial_expressions: 13,718 pictures, labelled by one rater each", "Apache-2.0",
        "https://github.com/muxspace/facial_expressions", "5fb9c13a", "data.prepare facial_expressions --faces {path}",
    ),
    "dicebear": Repository(
        "DiceBear's drawing styles, from which drawn faces are rendered", "each style its own, in its file",
        "https://github.com/dicebear/styles", "2324921f4b1b69695e759e9a5fcc0142b0560f70", "synthetic.generate --styles {path}",
    ),
    "ict_facekit": Repository(
        "ICT-FaceKit: a head model with expressions, from which 3D characters are rendered", "MIT",
        "https://github.com/ICT-VGL/ICT-FaceKit", "da5f95a607f5e6b37755b38d3385d7f2853732e5",
        "synthetic.heads.geometry.pack --folder {path}/FaceXModel",
    ),
    "ferg": OnRequest(
        "FERG-DB, 55,767 pictures of six drawn characters", "research only, must not be passed on",
        "its owners at the University of Washington give it to those who ask with the form on "
        "https://grail.cs.washington.edu/projects/deepexpr/ferg-2d-db.html; then "
        "`python -m scripts.data.prepare ferg --faces FERG_DB_256.zip` reads what they send",
    ),
}  # fmt: skip


def _git(command: str, *arguments: str, at: Path | None = None) -> str:
    """Run git in `at` and return its output; its messages go to stderr. Raises DatasetError if it fails."""
    # Git must fail instead of asking for a password: a deleted repository looks like a private one.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(
            ["git", command, *arguments], cwd=at, env=environment, check=True, text=True, stdout=subprocess.PIPE
        ).stdout
    except FileNotFoundError:
        raise DatasetError("git is not installed") from None
    except subprocess.CalledProcessError as error:
        raise DatasetError(f"git {command} failed with {error.returncode}; see its messages above") from None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=SOURCES, help="data set to fetch; without it, all are listed")
    parser.add_argument("--folder", type=Path, default=Path("data/sources"), help="parent folder of the data sets")
    options = parser.parse_args(arguments)
    if not options.name:
        for name, source in SOURCES.items():
            print(f"{name:20} {source.about}. Licence: {source.licence}.")
        return
    source = SOURCES[options.name]
    try:
        path = source.fetch(options.folder / options.name)
    except (DatasetError, OSError) as error:
        parser.exit(1, f"{error}\n")
    print(f"{path}: {source.about}. Licence: {source.licence}.")
    if not isinstance(source, OnRequest):
        print(f"Next: python -m scripts.{source.then.format(path=path)}")


if __name__ == "__main__":
    main()
