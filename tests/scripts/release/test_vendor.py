"""Third-party browser files are those pinned in scripts/release/vendor.py, with their licences."""

from __future__ import annotations

import shutil

from scripts.release import vendor


def test_the_tree_holds_the_pinned_files():
    assert list(vendor.problems()) == []
    for package in vendor.PACKAGES:
        assert (package.destination / "LICENSE").is_file()


def test_changed_missing_and_added_files_are_reported(tmp_path, monkeypatch):
    shutil.copytree(vendor.VENDOR, tmp_path / "vendor")
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "vendor")
    assert list(vendor.problems()) == []
    (tmp_path / "vendor" / "bootstrap" / "bootstrap.min.css").write_text("body{}")
    (tmp_path / "vendor" / "swagger-ui" / "swagger-ui.css").unlink()
    (tmp_path / "vendor" / "extra.js").write_text("")
    assert list(vendor.problems()) == [
        "bootstrap/bootstrap.min.css is not the file of bootstrap 5.3.8",
        "swagger-ui/swagger-ui.css is missing",
        "extra.js is not in the list of scripts/release/vendor.py",
    ]
