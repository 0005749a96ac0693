"""Certificates for the tests' own TLS servers, made by openssl."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_certificate(folder: Path, *names: str) -> str:
    """Make a self-signed certificate for *names* (addresses or host names); return the PEM file's path."""
    pem = folder / "certificate.pem"
    kinds = ((f"IP:{name}" if name.replace(".", "").isdigit() else f"DNS:{name}") for name in names)
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=" + ",".join(kinds)]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(pem)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    pem.write_text(pem.read_text() + (folder / "key.pem").read_text())
    return os.fspath(pem)
