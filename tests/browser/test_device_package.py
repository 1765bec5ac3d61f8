"""The npm package of static/js/device: packed, unpacked elsewhere, and used by the page of its README."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from emotions.runtime.manifest import BUNDLED

from .file_server import serve_files

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "static" / "js" / "device"
NPM = shutil.which("npm")


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    """Folder with the content of the package."""
    if NPM is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(
        [NPM, "pack", "--silent", "--pack-destination", folder], cwd=PACKAGE, check=True, timeout=120, stdout=subprocess.DEVNULL
    )
    (tarball,) = folder.glob("*.tgz")
    with tarfile.open(tarball) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def test_the_package_is_complete(packed):
    names = {path.name for path in packed.iterdir()}
    assert names == {path.name for path in PACKAGE.iterdir()}
    package = json.loads((packed / "package.json").read_text())
    for file in (package["main"], package["types"], *(part for export in package["exports"].values() if isinstance(export, dict)
                                                       for part in export.values())):  # fmt: skip
        assert (packed / file).is_file(), file
    assert (packed / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (packed / "MODELS-LICENSE.md").read_text() == (BUNDLED / "LICENSE.md").read_text()


@pytest.mark.slow
def test_the_page_of_the_readme_analyzes_a_photo(packed, browser, portrait, tmp_path):
    shutil.copytree(packed, tmp_path / "emotion-detector-device")
    shutil.copytree(BUNDLED, tmp_path / "models")
    (tmp_path / "litert").mkdir()
    for file in (ROOT / "static/vendor/litert").iterdir():
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        (tmp_path / "litert" / file.name.removesuffix(".gz")).write_bytes(content)
    shutil.copy(portrait, tmp_path / "photo.jpg")
    script = re.search(r"```html\n(.*?)```", (packed / "README.md").read_text(), re.DOTALL)[1]
    assert len(script.strip().splitlines()) <= 10
    (tmp_path / "index.html").write_text(f"<!doctype html>\n<body>\n{script}</body>\n")
    with serve_files(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("document.body.innerText.includes('.')", timeout=60_000)
        assert re.fullmatch(r"happy 0\.\d+", page.inner_text("body").strip())
        page.close()


def test_declared_names_are_those_of_the_modules(packed):
    """Types of what a module does not export mislead more than none."""
    kinds = r"^export (?:async )?(?:function|class|const) (\w+)"
    for module in ("client", "index"):
        declared = set(re.findall(kinds, (packed / f"{module}.d.ts").read_text(), re.MULTILINE))
        code = (packed / f"{module}.js").read_text()
        lists = re.findall(r"^export \{([^}]*)\}", code, re.MULTILINE)
        exported = {*re.findall(kinds, code, re.MULTILINE), *re.findall(r"\w+", " ".join(lists))}
        assert declared == exported, module
