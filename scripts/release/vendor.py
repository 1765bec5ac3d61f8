"""Copy third-party browser files from npm to static/vendor/: pinned versions, verified checksums, used files and rules only.

    python -m scripts.release.vendor            # needs npm; writes static/vendor/<package>/ with its licence
    python -m scripts.release.vendor --check    # offline; verifies that the files in the tree are the pinned ones

There is no build step: the files are committed, and servers never run this. All are unchanged but Bootstrap's style sheet, of
which the rules are kept whose classes are in BOOTSTRAP_CLASSES. WebAssembly is stored as .gz (web/http/static_files.py).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .stylesheet import reduce

BOOTSTRAP_CLASSES = (
    "btn", "btn-lg", "btn-outline-secondary", "btn-primary", "btn-sm", "container", "form-check", "form-check-input",
    "form-check-label", "form-control", "form-select", "lead", "table", "visually-hidden", "visually-hidden-focusable",
)  # fmt: skip
"""Classes of Bootstrap that templates and scripts may use."""

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "static" / "vendor"
GZIPPED = frozenset((".wasm",))
"""Suffixes of files that are stored compressed, with `.gz` added to their names; the pinned sha256 is that of the content."""
LICENSE_TEXTS = {"Apache-2.0": ROOT / "models" / "LICENSE-APACHE-2.0"}
"""Texts of licences for packages that name theirs without including it."""


class VendorError(RuntimeError):
    """npm is missing or failed, or a file differs from the pinned one."""


@dataclass(frozen=True)
class Package:
    """A release on npm: licence (SPDX), sha256 of its tarball, and of each file taken from it (path in the package -> sha256).

    `changes`: path in the package -> function that makes the text of the committed file from that of the package; the sha256 is
    that of the committed file. A package without the file LICENSE gets the text of LICENSE_TEXTS.
    """

    name: str
    version: str
    folder: str
    licence: str
    sha256: str
    files: dict[str, str]
    changes: Mapping[str, Callable[[str], str]] = field(default_factory=dict)

    @property
    def destination(self) -> Path:
        return VENDOR / self.folder

    @property
    def licence_text(self) -> Path | None:
        """File with the licence, None where the package has its own."""
        return None if "LICENSE" in self.files else LICENSE_TEXTS[self.licence]


PACKAGES = (
    Package(
        name="bootstrap",
        version="5.3.8",
        folder="bootstrap",
        licence="MIT",
        sha256="8b02d4a7482e0f0a2b1da58f1c9c86830e96cc2f77f094f89e4681b19886bc38",
        files={
            "LICENSE": "4620c84ad5ce8602ff65640ed6b7c8b78ebb9e036584f0ebc1ccc88206a4bb51",
            "dist/css/bootstrap.min.css": "6c6df6db0ff4a8775a15cf01a510acb43c3f5da49423bbfdbd211e3e01b1dbd8",
        },
        changes={"dist/css/bootstrap.min.css": lambda css: reduce(css, BOOTSTRAP_CLASSES)},
    ),
    Package(
        name="@fontsource/source-sans-3",
        version="5.3.1",
        folder="source-sans-3",
        licence="OFL-1.1",
        sha256="b598201d980b3512805bbea186aab8ef91590d59990e6a13c90e030b6ff37881",
        files={
            "LICENSE": "18aabf190848725e2576eefb5c29ba06aac1029d02132252a7f312eac2e50cf3",
            "files/source-sans-3-latin-400-normal.woff2": "0f73f35e08cde0a2f10c109c6e01d71459d97e4099ecd9a50f1b6c0209e4de2b",
            "files/source-sans-3-latin-600-normal.woff2": "14527d193b0e30bc32ef931549a246cdfd286573bb12869b7e052b8101a39d38",
        },
    ),
    Package(
        name="swagger-ui-dist",
        version="5.35.0",
        folder="swagger-ui",
        licence="Apache-2.0",
        sha256="1b8e891893404ea4c3558b6a87e2a3e494e7eedba41168c2ece5800a391a6ea6",
        files={
            "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
            "NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
            "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
            "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
            "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",
        },
    ),
    # The runtime of static/js/device: for browsers with relaxed SIMD, with plain SIMD, and with relaxed SIMD and threads.
    Package(
        name="@litertjs/core",
        version="2.5.3",
        folder="litert",
        licence="Apache-2.0",
        sha256="a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
        files={
            "wasm/litert_wasm_internal.js": "68efb69f770e3f76aff36a377de629ca496c131b86ac0f0f4b592a1543a898eb",
            "wasm/litert_wasm_internal.wasm": "7280cf4471774867e385e6c3cd53e2b45e2975b80fea338fff4ef359b0865614",
            "wasm/litert_wasm_compat_internal.js": "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5",
            "wasm/litert_wasm_compat_internal.wasm": "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c",
            "wasm/litert_wasm_threaded_internal.js": "92fe7a720c6deedaa1194c011c79a005ea4f6fc98f533b661cf7900760ab4849",
            "wasm/litert_wasm_threaded_internal.wasm": "b5e54eca10f043497edf9a02186332707cae260c550d7ea22b2cae55669596cf",
        },
    ),
)


def problems() -> Iterator[str]:
    """Problems of static/vendor/: missing, altered or unlisted files."""
    listed: set[Path] = set()
    for package in PACKAGES:
        expected = {_stored(package, path): sha256 for path, sha256 in package.files.items()}
        if package.licence_text:
            expected[package.destination / "LICENSE"] = _sha256(package.licence_text)
        listed |= expected.keys()
        for file, sha256 in expected.items():
            if not file.is_file():
                yield f"{file.relative_to(VENDOR)} is missing"
            elif _sha256(file) != sha256:
                yield f"{file.relative_to(VENDOR)} is not the file of {package.name} {package.version}"
    for file in sorted(VENDOR.rglob("*")):
        if file.is_file() and file not in listed:
            yield f"{file.relative_to(VENDOR)} is not in the list of scripts/release/vendor.py"


def install(package: Package) -> None:
    """Download the package with npm, verify it, and replace its folder. Raises VendorError if it is not as pinned."""
    with tempfile.TemporaryDirectory() as scratch:
        tarball = _download(package, Path(scratch))
        if _sha256(tarball) != package.sha256:
            raise VendorError(f"{package.name} {package.version}: the tarball's sha256 is not the pinned one")
        shutil.rmtree(package.destination, ignore_errors=True)
        package.destination.mkdir(parents=True)
        with tarfile.open(tarball) as archive:
            for path in package.files:
                member = archive.extractfile(f"package/{path}")
                content = member.read()  # type: ignore[union-attr]  # it is a file
                if path in package.changes:
                    content = package.changes[path](content.decode()).encode()
                file = _stored(package, path)
                file.write_bytes(gzip.compress(content, 9, mtime=0) if file.suffix == ".gz" else content)
        if package.licence_text:
            shutil.copy(package.licence_text, package.destination / "LICENSE")


def _stored(package: Package, path: str) -> Path:
    """Return the place in the tree of a file of the package."""
    name = Path(path).name
    return package.destination / (f"{name}.gz" if Path(name).suffix in GZIPPED else name)


def _download(package: Package, folder: Path) -> Path:
    command = ["npm", "pack", f"{package.name}@{package.version}", "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
    except FileNotFoundError:
        raise VendorError("npm was not found; install Node.js") from None
    except subprocess.SubprocessError as error:
        raise VendorError(f"npm did not deliver {package.name} {package.version}: {error}") from None
    return next(folder.glob("*.tgz"))


def _sha256(path: Path) -> str:
    """Return the sha256 of a file, of its expanded content if it is a .gz."""
    content = path.read_bytes()
    try:
        return hashlib.sha256(gzip.decompress(content) if path.suffix == ".gz" else content).hexdigest()
    except (OSError, EOFError, zlib.error):  # damaged
        return ""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only verify the files in the tree")
    options = parser.parse_args(arguments)
    try:
        for package in () if options.check else PACKAGES:
            install(package)
            print(f"static/vendor/{package.folder}: {package.name} {package.version}")
    except VendorError as error:
        parser.exit(1, f"{error}\n")
    found = list(problems())
    parser.exit(1 if found else 0, "".join(f"{problem}\n" for problem in found))


if __name__ == "__main__":
    main()
