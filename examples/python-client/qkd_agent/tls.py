"""TLS as the protocol wants it (section 1)."""

from __future__ import annotations

import ssl
from pathlib import Path


def context(certificate: Path, key: Path, anchors: Path) -> ssl.SSLContext:
    """TLS 1.3 with certificates on both sides; the manager's must carry the name it was called by."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.load_verify_locations(anchors)
    tls.load_cert_chain(certificate, key)
    tls.set_alpn_protocols(["qkdn/1"])
    return tls
