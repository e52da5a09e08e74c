"""The service's answers over real HTTP: results, errors, what a program may ask."""

import json
import re
from urllib.parse import quote

import numpy as np
import pytest
from helpers import ROOT
from serve_server import PCM, RAW, WAV, Server, answer, float_wav, wav_bytes

from gban_edge import EmotionRecognizer

TOKEN = "a-token-of-24-characters"


@pytest.fixture(scope="module")
def server(small_gban, tmp_path_factory):
    with Server(small_gban, tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
def locked(small_gban, tmp_path_factory):
    """A server that other machines reach."""
    folder = tmp_path_factory.mktemp("locked")
    with Server(small_gban, folder, host="0.0.0.0", token=TOKEN) as found:
        yield found


@pytest.fixture(scope="module")
def rec(small_gban):
    return EmotionRecognizer.from_pretrained(small_gban, "cpu")


def same(answered, expected):
    """Everything but the times, through JSON."""
    expected = json.loads(json.dumps(expected.to_dict()))
    answered, expected = ({**one, "timings": None} for one in (answered, expected))
    assert answered == expected


def code(response, status):
    """The error's code, of a response that has this status."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert len(error["message"]) > 10
    return error["code"]


def test_pcm_and_files_get_the_recognisers_own_answer(server, rec):
    same(server.recognize("w2 w3 w9").json(), rec(PCM, "w2 w3 w9"))
    same(server.recognize("").json(), rec(PCM))
    same(server.recognize(body=b"", words="w4").json(), rec(PCM[:0], "w4"))
    url = "/v1/recognize?words=w5&sample_rate=44100"
    same(server.http.post(url, content=PCM.tobytes(), headers=RAW).json(), rec(PCM, "w5", 44100))
    file = wav_bytes(PCM, 22050)
    answered = server.http.post("/v1/recognize?words=w5", content=file, headers=WAV)
    same(answered.json(), rec(PCM, "w5", 22050))


def test_words_of_any_script_arrive(server, rec):
    same(
        server.recognize("w2 \u00fcber \U0001f600 w3").json(),
        rec(PCM, "w2 \u00fcber \U0001f600 w3"),
    )
    bad = server.http.post("/v1/recognize?words=%ff%fe", content=PCM.tobytes(), headers=RAW)
    assert bad.status_code in (200, 400)


@pytest.mark.parametrize(
    ("url", "body", "headers", "status", "expected"),
    [
        ("?sample_rate=nan", b"", RAW, 400, "sample_rate"),
        ("?sample_rate=7999", b"", RAW, 400, "sample_rate"),
        ("?sample_rate=-16000", b"", RAW, 400, "sample_rate"),
        ("?sample_rate=" + "9" * 400, b"", RAW, 400, "sample_rate"),
        ("?words=" + "w" * 20000, b"", RAW, 400, "words"),
        ("", b"123", RAW, 400, "odd_body"),
        ("", b"", {}, 415, "content_type"),
        ("", b"{}", {"content-type": "application/json"}, 415, "content_type"),
        ("", wav_bytes()[:-100], WAV, 422, "unprocessable"),
        ("", wav_bytes(rate=4000), WAV, 422, "unprocessable"),
        ("?sample_rate=8000", wav_bytes(), WAV, 422, "unprocessable"),
        ("", float_wav(np.array([0.0, np.nan])), WAV, 422, "unprocessable"),
        ("", float_wav(np.array([0.0, 3e4])), WAV, 422, "unprocessable"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(server, url, body, headers, status, expected):
    assert (
        code(server.http.post("/v1/recognize" + url, content=body, headers=headers), status)
        == expected
    )
    assert server.recognize().status_code == 200


def test_noise_called_a_sound_file_is_refused(server):
    noise = np.random.default_rng(0).bytes(5000)
    answered = server.http.post("/v1/recognize", content=noise, headers=WAV)
    assert code(answered, 422) == "unprocessable"
    message = answered.json()["error"]["message"]
    assert message.startswith("the sound that was sent: not a readable sound file (")
    assert "BytesIO" not in message
    answered = server.http.post("/v1/recognize", content=b"", headers=WAV)
    assert code(answered, 422) == "unprocessable"
    assert answered.json()["error"]["message"] == "the sound that was sent is empty"


def test_other_paths_and_methods(server):
    assert code(server.http.get("/nothing"), 404) == "not_found"
    assert code(server.http.get("/v1/recognize"), 405) == "method"
    assert code(server.http.post("/main.js"), 405) == "method"


def test_the_model_is_described(server, rec):
    assert server.http.get("/v1/model").json() == {
        "labels": list(rec.labels), "backend": rec.backend,
        "backend_reason": rec.backend_reason, "max_seconds": 7.5,
    }  # fmt: skip


def test_health_says_why_not(server):
    assert server.http.get("/healthz").json()["status"] == "ready"
    broken = server.recognize("break")
    assert code(broken, 503) == "network_failed"
    sick = server.http.get("/healthz")
    assert sick.status_code == 503
    assert "the device is gone" in sick.json()["reason"]
    assert server.recognize().status_code == 200
    assert server.http.get("/healthz").status_code == 200


def test_a_fault_of_ours_tells_nothing_of_what_was_said(server):
    assert code(server.recognize("bug secretword"), 500) == "internal"
    log = server.log.read_text()
    assert "KeyError in " in log
    assert "serve_program.py" in log
    assert "secretword" not in log


def test_metrics_are_prometheus(server):
    parser = pytest.importorskip("prometheus_client.parser")
    before = server.metric('gban_requests_total{path="/v1/recognize",status="200"}')
    engine = server.metric("gban_engine_seconds_count")
    for _ in range(3):
        server.recognize()
    server.http.get("/one/of/many")
    page = server.http.get("/metrics")
    families = {one.name: one for one in parser.text_string_to_metric_families(page.text)}
    assert families["gban_requests"].type == "counter"
    assert families["gban_engine_seconds"].type == "histogram"
    assert families["process_resident_memory_bytes"].samples[0].value > 1e6
    counts = {tuple(s.labels.values()): s.value for s in families["gban_requests"].samples}
    assert counts["/v1/recognize", "200"] == before + 3
    assert ("other", "404") in counts
    buckets = [
        s.value for s in families["gban_engine_seconds"].samples if s.name.endswith("bucket")
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == engine + 3


def test_every_answer_has_the_headers(server):
    for answered in (server.http.get("/healthz"), server.http.get("/nothing"), server.recognize()):
        policy = answered.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert answered.headers["cache-control"] == "no-store"
        assert answered.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answered.headers
        assert "access-control-allow-origin" not in answered.headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost@x.example", "", "[::1", "localhost:x"],
)
def test_a_name_that_is_not_this_machines_is_refused(server, host):
    assert code(server.http.get("/v1/model", headers={"host": host}), 403) == "host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:8765"])
def test_this_machines_names_are_answered(server, host):
    assert server.http.get("/v1/model", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://{}"]
)
def test_pages_of_other_sites_are_refused(server, origin):
    host = f"127.0.0.1:{server.port}"
    headers = {**RAW, "origin": origin.format(host)}
    refused = server.http.post("/v1/recognize", content=PCM.tobytes(), headers=headers)
    assert code(refused, 403) == "origin"
    headers["origin"] = f"http://{host}"
    assert server.http.post("/v1/recognize", content=b"", headers=headers).status_code == 200
    assert server.http.get("/v1/model", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_a_site_that_was_allowed(small_gban, tmp_path):
    options = {"origins": ["https://kiosk.example"], "hosts": ["kiosk.local"]}
    with Server(small_gban, tmp_path, token=TOKEN, **options) as server:
        headers = {"origin": "https://kiosk.example", "host": "kiosk.local:80"}
        asks = {**headers, "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type"}  # fmt: skip
        may = server.http.options("/v1/recognize", headers=asks)  # which never has the token
        assert may.status_code == 204
        assert may.headers["access-control-allow-origin"] == "https://kiosk.example"
        assert may.headers["access-control-allow-headers"] == "authorization, content-type"
        headers["authorization"] = f"Bearer {TOKEN}"
        found = server.http.get("/v1/model", headers=headers)
        assert found.status_code == 200
        assert found.headers["access-control-allow-origin"] == "https://kiosk.example"
        assert found.headers["vary"] == "origin"
        for origin in ("https://evil.example", "https://kiosk.example.evil.example", "null"):
            for head in ({**asks, "origin": origin}, {**headers, "origin": origin}):
                refused = server.http.options("/v1/recognize", headers=head)
                assert code(refused, 403) == "origin"
                assert "access-control-allow-origin" not in refused.headers
        plain = server.http.options("/v1/recognize", headers=headers)  # no preflight
        assert code(plain, 405) == "method"


@pytest.mark.parametrize(
    "path",
    ["/v1/model%0a", "/metrics%0A", "/openapi.json%0a", "/v1/model/", "//v1/model", "/v1/./model",
     "/V1/model", "/main.js%0a", "/main.js/", "/./main.js", "/%00", "/..%2f..%2fetc%2fpasswd",
     "/../../etc/passwd", "/page/main.js", "/" + "a" * 5000, "/%ff", "/v1/stream%0a"],
)  # fmt: skip
def test_no_other_spelling_of_a_path_leads_anywhere(locked, server, path):
    """Nor past the token: a router's $ also matches before a last line feed."""
    for where, status in ((locked, b"401"), (server, b"404")):
        with where.connect() as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            )
            assert answer(connection).split()[1] == status


PAGE = sorted((ROOT / "gban_edge" / "serve" / "page").iterdir())
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css",
         ".svg": "image/svg+xml"}  # fmt: skip


def test_the_page_and_all_that_it_asks_for(locked):
    """Without the token, which the page then asks for or has in its address."""
    assert len(PAGE) > 5
    index = locked.http.get("/")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', index.text))
    assert named
    assert {name.lstrip("./") for name in named} <= {file.name for file in PAGE}
    for file in PAGE:
        found = locked.http.get("/" + file.name)
        assert found.status_code == 200
        assert found.content == file.read_bytes()
        assert found.headers["content-type"].partition(";")[0] == KINDS[file.suffix]
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert found.headers["permissions-policy"].startswith("microphone=(self)")
        assert locked.http.head("/" + file.name).content == b""
    ranged = locked.http.get("/main.js", headers={"range": "bytes=0-1," + "0-,2-" * 2000})
    assert ranged.status_code == 200


def test_a_server_for_others_wants_its_token(locked):
    for headers in (
        {},
        {"authorization": "Bearer " + "x" * 24},
        {"authorization": f"Basic {TOKEN}"},
    ):
        refused = locked.http.get("/v1/model", headers=headers)
        assert code(refused, 401) == "token"
        assert refused.headers["www-authenticate"] == "Bearer"
    right = {"authorization": f"Bearer {TOKEN}", "host": "robot.local"}
    assert locked.http.get("/v1/model", headers=right).status_code == 200
    assert locked.http.get(f"/v1/model?token={quote(TOKEN)}").status_code == 200
    assert locked.http.get("/v1/model?token=" + quote("\u00e9" * 24)).status_code == 401
    assert code(locked.recognize(), 401) == "token"
    assert locked.http.get("/metrics").status_code == 401
    assert locked.metric("gban_requests_total") == 0.0  # not readable
    assert locked.http.get("/healthz").status_code == 200
    assert locked.http.get("/openapi.json", headers=right).json()["security"]
    assert TOKEN not in locked.log.read_text()
