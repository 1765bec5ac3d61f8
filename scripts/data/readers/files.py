"""Files of a data set in a folder, zip or tar archive, read without unpacking to disk."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
import textwrap
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from ..dataset import DatasetError

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """Convert the exceptions of damaged archives and text files to a DatasetError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise DatasetError(f"{path} is not there") from None
    except (csv.Error, EOFError, OSError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        # RuntimeError and its NotImplementedError: zip files that are encrypted or compressed in an unknown way.
        raise DatasetError(f"{path} cannot be read, it may be damaged or cut short: {error}") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not text in UTF-8") from None


class Files:
    """Names (with / as separator) and contents of the files in a folder or archive.

    `names` are sorted for folders and zip archives, and in archive order for tar archives, whose random access is slow. Hidden
    files and those that macOS adds to archives are skipped. `stream` is the archive's content if it is not a file.
    """

    def __init__(self, path: Path, stream: IO[bytes] | None = None) -> None:
        self.path = Path(path)
        self._archive: zipfile.ZipFile | tarfile.TarFile | None = None
        with readable(path):
            if stream is None and self.path.is_dir():
                names = sorted(str(file.relative_to(path).as_posix()) for file in self.path.rglob("*") if file.is_file())
            else:
                names = self._opened(stream or open(path, "rb"))  # noqa: SIM115 - kept open
        self.names = [name for name in names if not _is_hidden(name)]

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive:
            self._archive.close()
            self._stream.close()

    def _opened(self, stream: IO[bytes]) -> list[str]:
        """Open the archive in `stream` and list its files."""
        self._stream = stream
        try:
            if zipfile.is_zipfile(stream):
                self._archive = zipfile.ZipFile(stream)
                return sorted(name for name in self._archive.namelist() if not name.endswith("/"))
            stream.seek(0)
            if tarfile.is_tarfile(stream):
                stream.seek(0)
                self._archive = tarfile.open(fileobj=stream)  # noqa: SIM115 - kept open
                return [member.name for member in self._archive if member.isfile()]
            raise DatasetError(f"{self.path}: neither a folder nor a zip or tar archive, or one that was cut short")
        except BaseException:
            stream.close()
            raise

    def open(self, name: str) -> IO[bytes]:
        """Open one file; read it within `readable`."""
        if isinstance(self._archive, zipfile.ZipFile):
            return self._archive.open(name)
        if isinstance(self._archive, tarfile.TarFile):
            try:
                member = self._archive.extractfile(name)
            except KeyError:  # a link to a file that is not in the archive, or links in a circle
                member = None
            if member is None:
                raise tarfile.ExtractError(f"{name} is no file, or a link to nowhere")
            return member
        return open(self.path / name, "rb")

    def read(self, name: str) -> bytes:
        """The bytes of one file. Raises DatasetError if it is damaged."""
        with readable(f"{self.path}: {name}"), self.open(name) as stream:
            return stream.read()

    def images(self) -> list[str]:
        """Names of all images."""
        return [name for name in self.names if name.lower().endswith(IMAGES)]

    def called(self, *names: str) -> str | None:
        """First file with one of these base names, in the order of `names`."""
        for wanted in names:
            for name in self.names:
                if PurePosixPath(name).name.lower() == wanted.lower():
                    return name
        return None


@contextmanager
def text(path: Path, files: Files | None = None, name: str = "") -> Iterator[io.TextIOWrapper]:
    """Open a text file (plain, .gz, or in an archive) for the csv module. Raises DatasetError if it cannot be read."""
    with readable(f"{path}: {name}" if name else path):
        opened = gzip.open if str(path).endswith(".gz") else open
        stream = files.open(name) if files else cast(IO[bytes], opened(path, "rb"))
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as lines:
            yield lines


def table_rows(lines: Iterable[str], columns: Sequence[str], whence: Path | str) -> csv.DictReader:
    """Rows of a csv file with at least these columns. Raises DatasetError if one is missing."""
    rows = csv.DictReader(lines, skipinitialspace=True)
    found = rows.fieldnames or []
    if absent := [column for column in columns if column not in found]:
        there = textwrap.shorten(", ".join(found), 80) or "none"
        raise DatasetError(f"{whence}: no column {' and none '.join(map(repr, absent))}; found {there}")
    return rows


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
