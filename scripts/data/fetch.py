"""Get the data sets that may be fetched, and say how to ask for those that may not.

    python -m scripts.data.fetch                          # lists them
    python -m scripts.data.fetch facial_expressions       # into data/sources/facial_expressions
    python -m scripts.data.fetch fer2013                  # with an account at Kaggle, and `pip install kagglehub`

Repositories come at the commit that this project was made with. Nothing else needs this script: `scripts.data.prepare` reads
archives and folders wherever they come from.
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
    """A git repository at `commit` (all 40 digits or its first ones)."""

    about: str
    licence: str
    url: str
    commit: str
    then: str

    def fetch(self, folder: Path) -> Path:
        """Check the commit out into `folder`; DatasetError where git fails or something else lies there."""
        if folder.exists():
            if not (folder / ".git").exists() or not self._is_here(folder):
                raise DatasetError(f"{folder} is there but is not {self.url} at {self.commit}: move it away")
            return folder
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        # Without old pictures: an abbreviated commit cannot be asked for by itself, so all commits come, and one's files.
        _git("clone", "--filter=blob:none", "--no-checkout", self.url, str(partial))
        _git("checkout", "--detach", "--quiet", self.commit, at=partial)
        partial.rename(folder)
        return folder

    def _is_here(self, folder: Path) -> bool:
        return _git("rev-parse", "HEAD", at=folder).strip().startswith(self.commit)


@dataclass(frozen=True)
class Kaggle:
    """Files of Kaggle: a competition's `file`, or a whole data set called `owner/name`."""

    about: str
    licence: str
    handle: str
    then: str
    file: str | None = None

    @property
    def url(self) -> str:
        return f"https://www.kaggle.com/{'datasets' if '/' in self.handle else 'competitions'}/{self.handle}"

    def fetch(self, folder: Path) -> Path:
        """Download into `folder`; DatasetError without kagglehub, without an account, and where Kaggle refuses."""
        by_hand = f"or download it from {self.url} and give scripts.data.prepare the file"
        try:
            import kagglehub
        except ImportError:
            raise DatasetError(f"Kaggle's data are fetched with its own client: pip install {KAGGLEHUB}, {by_hand}") from None
        download = kagglehub.dataset_download if "/" in self.handle else kagglehub.competition_download
        try:
            return Path(download(self.handle, path=self.file, output_dir=str(folder)))
        except Exception as error:  # its own errors have no common ancestor, and those of requests come too
            rules = "" if "/" in self.handle else f", and that you accepted the rules at {self.url}/rules"
            raise DatasetError(
                f"Kaggle gave nothing ({type(error).__name__}: {str(error).strip()}). It may want an account's token, which its "
                f"settings page makes, in ~/.kaggle/kaggle.json or KAGGLE_USERNAME and KAGGLE_KEY{rules}; {by_hand}"
            ) from None


@dataclass(frozen=True)
class OnRequest:
    """Given out by its owners only; `how` says where to ask."""

    about: str
    licence: str
    how: str

    def fetch(self, folder: Path) -> Path:
        raise DatasetError(f"{self.about}: {self.how}")


SOURCES: dict[str, Repository | Kaggle | OnRequest] = {
    "fer2013": Kaggle(
        "FER2013, 35,887 faces of 48x48 pixels, of Kaggle's challenge", "released for research in that challenge",
        "challenges-in-representation-learning-facial-expression-recognition-challenge",
        "prepare fer2013 --faces {path}", "icml_face_data.csv",
    ),
    "fer2013-folders": Kaggle(
        "FER2013 as class folders of JPEG files (FER+ votes cannot be joined to their names)", "as FER2013",
        "msambare/fer2013", "prepare fer2013 --faces {path}",
    ),
    "ferplus": Repository(
        "FER+: ten raters' votes on each face of FER2013", "MIT", "https://github.com/microsoft/FERPlus",
        "8ad5426c7b69e86e78afccb42c5f516850f52a28", "prepare fer2013 --faces FER2013 --votes {path}/fer2013new.csv",
    ),
    "facial_expressions": Repository(
        "muxspace/facial_expressions: 13,718 pictures, labelled by one rater each", "Apache-2.0",
        "https://github.com/muxspace/facial_expressions", "5fb9c13a", "prepare facial_expressions --faces {path}",
    ),
    "dicebear": Repository(
        "DiceBear's drawing styles, from which drawn faces are rendered", "each style its own, in its file",
        "https://github.com/dicebear/styles", "2324921f4b1b69695e759e9a5fcc0142b0560f70", "drawn --styles {path}",
    ),
    "ferg": OnRequest(
        "FERG-DB, 55,767 pictures of six drawn characters", "research only, must not be passed on",
        "its owners at the University of Washington give it to those who ask with the form on "
        "https://grail.cs.washington.edu/projects/deepexpr/ferg-2d-db.html; then "
        "`python -m scripts.data.prepare ferg --faces FERG_DB_256.zip` reads what they send",
    ),
}  # fmt: skip


def _git(command: str, *arguments: str, at: Path | None = None) -> str:
    """Run git in `at` and give its output; what it reports goes to stderr. DatasetError where it fails."""
    # Git must fail where it would ask for a password: a repository that is gone looks like a private one.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(
            ["git", command, *arguments], cwd=at, env=environment, check=True, text=True, stdout=subprocess.PIPE
        ).stdout
    except FileNotFoundError:
        raise DatasetError("git is not installed") from None
    except subprocess.CalledProcessError as error:
        raise DatasetError(f"git {command} failed with {error.returncode}; its own words are above") from None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=SOURCES, help="what to fetch; without it, what there is")
    parser.add_argument("--folder", type=Path, default=Path("data/sources"), help="a folder of its own is made in it")
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
        print(f"Next: python -m scripts.data.{source.then.format(path=path)}")


if __name__ == "__main__":
    main()
