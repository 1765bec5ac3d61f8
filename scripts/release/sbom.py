"""Software bill of materials (CycloneDX JSON) of the server: pinned packages, model files, vendored browser files.

    python -m scripts.release.sbom --environment .venv --out build/sbom.json

Packages and hashes are those of requirements.txt, licences those that the packages in the server's environment declare; both are
read by `cyclonedx-py`. The file is validated against CycloneDX's schema and is the same for the same input.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from .vendor import PACKAGES, VENDOR

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "sbom.json"
SPEC = "1.6"
"""Version of CycloneDX."""


class BillError(RuntimeError):
    """The bill of materials cannot be made, or is not valid."""


def cyclonedx(*words: str) -> dict[str, Any]:
    """Run cyclonedx-py; return the bill that it prints. Raises BillError."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    command = [str(program), *words, "--output-format", "JSON", "--spec-version", SPEC, "--output-reproducible"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    except FileNotFoundError:
        raise BillError("cyclonedx-py is missing: run `make sbom`") from None
    except subprocess.SubprocessError as error:
        raise BillError(f"cyclonedx-py failed: {error}; {getattr(error, 'stderr', '')}") from None
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


def packages(environment: Path) -> dict[str, Any]:
    """Bill of the packages of requirements.txt, with their licences."""
    bill = cyclonedx("requirements", str(ROOT / "requirements.txt"))
    installed = cyclonedx("environment", str(environment / "bin" / "python"))
    licences = {one.get("purl"): one["licenses"] for one in installed["components"] if one.get("licenses")}
    names = {}
    for component in bill["components"]:
        names[component["bom-ref"]] = component["purl"]
        component["bom-ref"] = component["purl"]
        component.pop("description", None)  # the line of the requirements file
        if component["purl"] in licences:
            component["licenses"] = licences[component["purl"]]
    for dependency in bill["dependencies"]:
        dependency["ref"] = names.get(dependency["ref"], dependency["ref"])
    return bill


def models() -> list[dict[str, Any]]:
    """Components of the model files."""
    entries = json.loads((ROOT / "models" / "manifest.json").read_text(encoding="utf-8"))["models"]
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": f"models/{entry['file']}",
            "name": entry["name"],
            "version": entry["version"],
            "description": f"Model of the role {entry['role']}: models/{entry['file']}",
            "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
            "licenses": [{"license": {"name": entry["licence"]}}],
        }
        for entry in entries
    ]


def vendored() -> list[dict[str, Any]]:
    """Components of the browser files from npm, with each file taken from a package."""
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:npm/{package.name}@{package.version}",
            "purl": f"pkg:npm/{package.name}@{package.version}",
            "name": package.name,
            "version": package.version,
            "hashes": [{"alg": "SHA-256", "content": package.sha256}],
            "licenses": [{"license": {"id": package.licence}}],
            "components": [
                {
                    "type": "file",
                    "bom-ref": f"static/vendor/{package.folder}/{Path(path).name}",
                    "name": str((VENDOR / package.folder / Path(path).name).relative_to(ROOT)),
                    "hashes": [{"alg": "SHA-256", "content": sha256}],
                }
                for path, sha256 in package.files.items()
            ],
        }
        for package in PACKAGES
    ]


def make_bill(environment: Path) -> dict[str, Any]:
    """Make the bill of the server. Raises BillError where it is not valid."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bill = packages(environment)
    bill["components"] += [*models(), *vendored()]
    root = f"pkg:pypi/{project['name']}@{project['version']}"
    bill["metadata"]["component"] = {
        "type": "application",
        "bom-ref": root,
        "purl": root,
        "name": project["name"],
        "version": project["version"],
        "description": project["description"],
        "licenses": [{"license": {"id": project["license"]}}],
    }
    refs = [component["bom-ref"] for component in bill["components"]]
    known = {dependency["ref"] for dependency in bill["dependencies"]}
    bill["dependencies"] += [{"ref": ref} for ref in refs if ref not in known]
    bill["dependencies"].append({"ref": root, "dependsOn": refs})
    validate(bill)
    return bill


def validate(bill: dict[str, Any]) -> None:
    """Raise BillError unless the bill follows CycloneDX's schema."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    if error := JsonStrictValidator(SchemaVersion.from_version(SPEC)).validate_str(json.dumps(bill)):
        raise BillError(f"the bill of materials is not valid: {error.data.message}")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv", help="virtual environment of the server")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    try:
        bill = make_bill(options.environment)
    except BillError as error:
        parser.exit(1, f"{error}\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    print(f"{options.out}: {len(bill['components'])} components")


if __name__ == "__main__":
    main()
