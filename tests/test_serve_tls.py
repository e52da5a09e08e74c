"""The service over https, and certificates and keys that cannot be used."""

import json
import shutil
import socket
import ssl
import subprocess
import time

import httpx
import pytest
from command_process import command
from serve_server import PATIENCE, PCM, Server, answer
from test_serve import same
from test_serve_stream import BY_HAND, TOKEN, events_to, push, say
from websockets.sync.client import connect as connect_to

from gban_edge import EmotionRecognizer
from gban_edge.serve import ServeOptions

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl makes the certificates")


def openssl(*arguments, folder):
    subprocess.run([OPENSSL, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of certificates and keys: two pairs, and an encrypted key of the first."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "other"):
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", folder=folder,
        )  # fmt: skip
    openssl(
        "pkey", "-in", "server.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key",
        folder=folder,
    )  # fmt: skip
    (folder / "text.pem").write_text("no certificate at all\n")
    return folder


@needs_openssl
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_https_and_wss_with_a_certificate_of_ones_own(small_gban, files, tmp_path):
    trusted = ssl.create_default_context(cafile=files / "server.pem")
    pair = {"certificate": str(files / "server.pem"), "key": str(files / "server.key")}
    options = {"host": "0.0.0.0", "token": TOKEN, **pair}
    rec = EmotionRecognizer.from_pretrained(small_gban, "cpu")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with Server(small_gban, tmp_path, verify=trusted, **options) as server:
        assert server.address.startswith("https://")
        server.http.headers.update(bearer)
        origin = {"origin": f"https://127.0.0.1:{server.port}"}
        assert server.http.get("/v1/model", headers=origin).status_code == 200
        other = {"origin": origin["origin"].replace("https", "http")}
        refused = server.http.get("/v1/model", headers=other)
        assert refused.json()["error"]["code"] == "origin"
        found = server.http.post(
            "/v1/recognize?words=w2", content=PCM.tobytes(),
            headers={"content-type": "application/octet-stream"},
        )  # fmt: skip
        same(found.json(), rec(PCM, "w2"))
        url = f"wss://localhost:{server.port}/v1/stream"
        with connect_to(url, ssl=trusted, additional_headers=bearer) as client:
            say(client, **BY_HAND)
            events_to(client, "ready")
            push(client, PCM)
            say(client, type="end")
            same(events_to(client, "result")[-1]["result"], rec(PCM))
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(server.http.base_url)
        plain_text_is_refused(server)
        assert server.http.get("/healthz").status_code == 200
    assert server.log.read_text() == ""


def plain_text_is_refused(server):
    """HTTP on the https port, and TLS of 2006."""
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in connection.recv(4096)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with server.connect() as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        old.wrap_socket(connection)


@needs_openssl
def test_stalling_clients_are_cut_under_tls_too(small_gban, files, tmp_path):
    pair = {"certificate": str(files / "server.pem"), "key": str(files / "server.key")}
    trusted = ssl.create_default_context(cafile=files / "server.pem")
    limits = {"send_seconds": 0.5, "head_seconds": 0.5}
    with Server(small_gban, tmp_path, verify=trusted, limits=limits, **pair) as server:
        with server.connect() as silent:  # never says hello
            assert answer(silent) == b""
        with socket.socket() as bare:
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            bare.settimeout(PATIENCE)
            bare.connect(("127.0.0.1", server.port))
            with (
                trusted.wrap_socket(bare, server_hostname="localhost") as greedy,
                pytest.raises((ConnectionError, ssl.SSLError)),
            ):
                ask_for_ever(greedy)
        assert server.recognize().status_code == 200


def ask_for_ever(connection):
    while True:
        connection.sendall(b"GET /main.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        time.sleep(0.001)


@needs_openssl
@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        (
            "server.pem",
            "locked.key",
            r"key .*locked\.key is encrypted; take one without a passphra",
        ),
        ("gone.pem", "server.key", r"file .*gone\.pem does not exist"),
        ("server.pem", "gone.key", r"file .*gone\.key does not exist"),
        (
            "text.pem",
            "server.key",
            r"certificate .*text\.pem must be a PEM file that has BEGIN CERT",
        ),
        (
            "server.key",
            "server.key",
            r"certificate .*server\.key must be a PEM file that has BEGIN",
        ),
        ("server.pem", "text.pem", r"key .*text\.pem must be a PEM file that has PRIVATE KEY"),
        ("server.pem", "other.key", r"key .*other\.key does not belong to certificate .*server\.p"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(small_gban, files, certificate, key, expected):
    """By the real command, which must not ask a terminal for a passphrase."""
    with pytest.raises((ValueError, FileNotFoundError), match=expected):
        ServeOptions(certificate=files / certificate, key=files / key)
    if certificate != "server.pem" or key != "locked.key":
        return  # one process is enough
    found = command(
        "serve", small_gban, "--port", 0, "--certificate", certificate, "--key", key, cwd=files
    )
    assert found.returncode == 1
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.startswith("error: key locked.key is encrypted")


def test_one_of_the_two_is_not_enough(tmp_path):
    with pytest.raises(ValueError, match="together"):
        ServeOptions(key=tmp_path)
    assert json.dumps(ServeOptions().certificate) == "null"
