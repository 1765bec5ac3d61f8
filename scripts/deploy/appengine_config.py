"""What App Engine makes of this tree: the files that `.gcloudignore` lets through, and the process that app.yaml asks for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pathspec
import yaml

MEGABYTE = 2**20
CLASSES = {"F1": (384 * MEGABYTE, 0.3), "F2": (768 * MEGABYTE, 0.6), "F4": (1536 * MEGABYTE, 1.2)}
"""Memory in bytes and share of a core of each instance class. Google publishes the memory and 600 MHz a step; the share is
ours: 0.3 of a core of a 2 GHz server is 600 MHz."""


def read_config(root: Path) -> dict[str, Any]:
    """app.yaml as a plain dictionary; tests hold it against Google's own parser."""
    return yaml.safe_load((root / "app.yaml").read_text())


def python_version(config: dict[str, Any]) -> str:
    """ "3.13" of `runtime: python313`."""
    digits = config["runtime"].removeprefix("python")
    return f"{digits[0]}.{digits[1:]}"


def uploaded(root: Path) -> list[Path]:
    """The files that `gcloud app deploy` would upload, relative to `root`, sorted. Only `.gcloudignore` decides."""
    spec = pathspec.GitIgnoreSpec.from_lines((root / ".gcloudignore").read_text().splitlines())
    found = []
    for place, folders, files in os.walk(root):
        folder = Path(place)
        inside = folder.relative_to(root)
        # An ignored folder is not entered: as with git, nothing below it can be taken back in.
        folders[:] = [name for name in folders if not spec.match_file(f"{inside / name}/")]
        found += [inside / name for name in files if not spec.match_file(inside / name)]
    return sorted(found)


def copy_upload(root: Path, target: Path) -> list[Path]:
    """Copy what would be uploaded to the new folder `target`; gives the files, relative."""
    files = uploaded(root)
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target / file)
    return files


def environment(config: dict[str, Any], port: int) -> dict[str, str]:
    """The variables that App Engine sets for an instance, and app.yaml's own."""
    memory, _ = CLASSES[config["instance_class"]]
    return {
        "PORT": str(port),
        "HOME": "/home/nobody",  # not there: nothing may count on a home
        "LANG": "C.UTF-8",
        "GAE_APPLICATION": "s~rehearsal",
        "GAE_DEPLOYMENT_ID": "1",
        "GAE_ENV": "standard",
        "GAE_INSTANCE": "rehearsal",
        "GAE_MEMORY_MB": str(memory // MEGABYTE),
        "GAE_RUNTIME": config["runtime"],
        "GAE_SERVICE": "default",
        "GAE_VERSION": "1",
        "GOOGLE_CLOUD_PROJECT": "rehearsal",
        **{name: str(value) for name, value in config.get("env_variables", {}).items()},
    }
