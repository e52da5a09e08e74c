"""The certificate of a server for other machines."""

from __future__ import annotations

import os
import ssl
from pathlib import Path


def tls_context(certificate: str | os.PathLike[str], key: str | os.PathLike[str]) -> ssl.SSLContext:
    """What https is spoken with: TLS 1.2 or later.

    Args:
        certificate: a PEM file, the server's own certificate first, then those that signed it.
        key: its private key, a PEM file without a passphrase: a server starts unattended.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is no PEM or cannot be read, an encrypted key, or a key of another
            certificate.
    """
    certificate, key = Path(certificate), Path(key)
    for path in (certificate, key):
        if not path.is_file():
            raise FileNotFoundError(f"file {path} does not exist")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without this OpenSSL would ask the terminal for the passphrase, and wait.
        context.load_cert_chain(certificate, key, password=lambda: _encrypted(key))
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(_cause(error, certificate, key)) from None
    return context


def _encrypted(key: Path) -> str:
    raise ValueError(
        f"key {key} is encrypted; take one without a passphrase, readable by the server alone: "
        "openssl pkey -in KEY -out PLAIN"
    )


def _cause(error: OSError, certificate: Path, key: Path) -> str:
    """Which of the two files is wrong: OpenSSL does not say."""
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return f"key {key} does not belong to certificate {certificate}"
    for name, path, mark in (
        ("certificate", certificate, b"-----BEGIN CERTIFICATE-----"),
        ("key", key, b"PRIVATE KEY-----"),
    ):
        try:
            found = path.read_bytes()
        except OSError as unread:
            return f"{name} {path} cannot be read: {unread.strerror}"
        if mark not in found:
            return f"{name} {path} must be a PEM file that has {mark.decode().strip('-')}"
    return f"certificate {certificate} with key {key} cannot be used: {error}"
