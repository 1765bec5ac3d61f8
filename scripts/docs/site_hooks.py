"""MkDocs hooks: add reports and model cards to the site, and resolve links to files outside of docs/.

Pages are written for the repository, where `../benchmarks/tracking.md` is a valid link. On the site, links to pages of
benchmarks/ and models/ lead to copies of them; other files of the repository are shown as text, unless `repo_url` gives
them an address.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
INCLUDED = ("benchmarks", "examples", "models", "static/samples")
"""Folders whose pages and images are part of the site."""
SUFFIXES = {".md", ".svg", ".png", ".jpg", ".webp"}
PROJECT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}
"""File of the repository -> page of the site with its content."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
INCLUDE = re.compile(r"<!-- include: (\S+) -->")
FENCE = re.compile(r"^(```.*?^```)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and images of INCLUDED."""
    for folder in INCLUDED:
        for path in sorted((ROOT / folder).iterdir()):
            if path.suffix in SUFFIXES:
                name = path.relative_to(ROOT).as_posix()
                files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Replace an include comment by the file that it names, then resolve all links."""
    source = page.file.src_uri
    origin = f"docs/{source}" if (ROOT / "docs" / source).exists() else source
    if found := INCLUDE.search(markdown):
        origin = found[1]
        markdown = (ROOT / origin).read_text(encoding="utf-8")
    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else resolve_links(part, origin, source, config.repo_url) for part in parts)


def resolve_links(text: str, origin: str, page: str, repo_url: str | None = None) -> str:
    """Rewrite the links of `text`, which is written in the file `origin` of the repository, for the page `page` of the site."""

    def replace(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        path, hash_, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return match[0]
        name = os.path.normpath(os.path.join(os.path.dirname(origin), path))
        if not (ROOT / name).exists():
            raise PluginError(f"{origin}: there is no {target}")
        place = site_path(name)
        if place:
            return f"{image}[{label}]({os.path.relpath(place, os.path.dirname(page) or '.')}{hash_}{anchor})"
        return (
            f"[{label}]({repo_url.rstrip('/')}/blob/main/{name})"
            if repo_url
            else f"{label}"
            if "`" in label
            else f"{label} (`{name}`)"
        )

    return LINK.sub(replace, text)


def site_path(name: str) -> str | None:
    """Return the path on the site of a repository file, or None if it is not part of the site."""
    if name in PROJECT_PAGES:
        return PROJECT_PAGES[name]
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    folder, _, file = name.rpartition("/")
    return name if folder in INCLUDED and Path(file).suffix in SUFFIXES else None
