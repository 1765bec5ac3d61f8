"""Bill of materials and audit: all packages, models and vendored files are listed; what was not checked is not called sound."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.release import audit, sbom
from scripts.release.vendor import PACKAGES

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-audit" / "bin" / "python"


@pytest.fixture(scope="module")
def bill(tmp_path_factory) -> dict:
    if not PYTHON.exists() or not (ROOT / ".venv").exists():
        pytest.skip("the environments of the server and of cyclonedx-py are not installed: make sbom")
    out = tmp_path_factory.mktemp("bill") / "sbom.json"
    subprocess.run([PYTHON, "-m", "scripts.release.sbom", "--out", str(out)], cwd=ROOT, check=True, timeout=300)
    return json.loads(out.read_text(encoding="utf-8"))


def test_all_packages_models_and_files_are_listed(bill):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line and not line.startswith("#")}
    by_kind = {
        kind: [one for one in bill["components"] if one["bom-ref"].startswith(kind)]
        for kind in ("pkg:pypi/", "pkg:npm/", "models/")
    }
    assert {one["name"].lower() for one in by_kind["pkg:pypi/"]} == pinned
    assert all(one["externalReferences"][0]["hashes"] for one in by_kind["pkg:pypi/"])
    without = [one["name"] for one in by_kind["pkg:pypi/"] if not one.get("licenses")]
    assert len(without) <= 0.1 * len(pinned), without
    manifest = json.loads((ROOT / "models" / "manifest.json").read_text(encoding="utf-8"))
    hashes = {one["sha256"] for one in manifest["models"]}
    assert {one["hashes"][0]["content"] for one in by_kind["models/"]} == hashes
    files = [file for one in by_kind["pkg:npm/"] for file in one["components"]]
    assert {file["name"] for file in files} == {
        str(path.relative_to(ROOT)) for path in (ROOT / "static" / "vendor").rglob("*.*") if path.is_file()
    } | {f"static/vendor/{package.folder}/{Path(name).name}" for package in PACKAGES for name in package.files}


def test_the_bill_names_the_application_and_no_path_of_the_machine(bill):
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["name"] == "emotion-detector"
    refs = [one["bom-ref"] for one in bill["components"]]
    assert len(refs) == len(set(refs)) and bill["dependencies"][-1]["dependsOn"] == refs
    assert str(ROOT) not in json.dumps(bill)


def test_a_bill_that_is_not_valid_is_refused(bill):
    script = "import json, sys; from scripts.release.sbom import validate; validate(json.load(sys.stdin))"
    for change in ({"bomFormat": "Other"}, {"components": [{"name": "x"}]}):
        done = subprocess.run([PYTHON, "-c", script], cwd=ROOT, input=json.dumps(bill | change), capture_output=True, text=True)
        assert done.returncode == 1 and "the bill of materials is not valid" in done.stderr


def test_without_the_tool_the_reason_is_given():
    with pytest.raises(sbom.BillError, match="make sbom"):
        sbom.cyclonedx("requirements")


SOUND = {"name": "a", "version": "1", "vulns": []}
UNKNOWN = {"name": "b", "skip_reason": "not found"}
FAULTY = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1"}]}


@pytest.mark.parametrize(
    ("out", "found", "skipped"),
    [
        (json.dumps({"dependencies": [SOUND]}), (), False),
        (json.dumps({"dependencies": [SOUND, FAULTY]}), ("c 2: PYSEC-1",), False),
        (json.dumps({"dependencies": [SOUND, UNKNOWN]}), ("b was not audited: not found",), False),
        (json.dumps({"dependencies": [UNKNOWN]}), (), True),
        ("", (), True),
    ],
)
def test_packages_that_were_not_audited_are_not_sound(out, found, skipped):
    outcome = audit.read_packages("requirements.txt", out, "no network")
    assert outcome.found == found and bool(outcome.skipped) == skipped
    assert ("skipped: " in str(outcome)) == skipped


@pytest.mark.parametrize(
    ("out", "found", "skipped"),
    [
        ('{"invalid": [], "missing": []}', (), None),
        ('{"invalid": [{"name": "a", "version": "1"}], "missing": []}', ("a 1: signature invalid",), None),
        ('{"missing": [{"name": "a", "version": "1"}]}', ("a 1: signature missing",), None),
        ('{"error": {"code": "ENOTFOUND", "summary": "no network"}}', (), "no network"),
        ("", (), "exit code 1"),
    ],
)
def test_signatures(out, found, skipped):
    outcome = audit.read_npm("npm packages", out, "exit code 1", 2)
    assert (outcome.found, outcome.skipped) == (found, skipped)


def test_the_audit_is_skipped_without_its_tools(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "scripts.release.audit"], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    first, second = done.stdout.splitlines()
    assert done.returncode == 0 and "requirements.txt: skipped: " in first and "pip_audit" in first
    assert second == "npm packages: skipped: npm was not found; install Node.js"
