"""A certificate that both sides of a test use, made with openssl."""

import subprocess
from pathlib import Path


def make(folder: Path) -> tuple[Path, Path]:
    """Certificate and key for ``localhost``; the certificate is its own authority."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-keyout", "both.key", "-out", "both.pem", "-subj", "/CN=test", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "both.pem", folder / "both.key"
