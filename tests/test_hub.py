"""from_pretrained("owner/name"): huggingface_hub itself against a server of this test."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers import ROOT, SMALL
from runtime_models import make_model

from gban_edge import EmotionRecognizer, hub

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """Two repositories: someone/gban with one model file, someone/two with two."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.server.asked.append(self.path)
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:3] == ["api", "models", "someone"]:
            names = {"gban": ["gban.safetensors", "README.md"], "two": ["a.safetensors",
                     "b.safetensors"]}.get(parts[3])  # fmt: skip
            revision = parts[5] if len(parts) > 5 else "main"
            if names is None:
                return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
            if revision != "main":
                return self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
            size = len(self.server.model)
            files = [{"rfilename": name, "size": size} for name in names]
            known = {"id": f"someone/{parts[3]}", "sha": COMMIT, "siblings": files}
            return self.answer(
                200, json.dumps(known).encode(), {"Content-Type": "application/json"}
            )
        etag = hashlib.sha256(self.server.model).hexdigest()
        return self.answer(200, self.server.model, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    one = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    one.model = make_model(tmp_path / "made.safetensors", SMALL).path.read_bytes()
    one.asked = []
    thread = threading.Thread(target=one.serve_forever)
    thread.start()
    yield one
    one.shutdown()
    one.server_close()
    thread.join()


def load(server, home, *names, **environment):
    """Load each of ``names`` in a process whose hub is ``server``; its lines."""
    program = (
        "import sys\n"
        "from gban_edge import EmotionRecognizer\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        print('loaded', EmotionRecognizer.from_pretrained(name, 'cpu').labels)\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__, error)\n"
    )
    hidden = {"HF_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"}
    known = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", program, *names], cwd=ROOT, capture_output=True, text=True,
        env={**known, "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
             "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1",
             **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_downloaded_once_and_told(server, tmp_path):
    home = tmp_path / "cache"
    lines, said = load(server, home, "someone/gban")
    assert lines == ["loaded ('ang', 'hap', 'neu', 'sad')"]
    size = f"{len(server.model) / 1e6:.1f} MB"
    assert f"downloading gban.safetensors ({size}) of someone/gban from http://127.0.0.1" in said
    assert not any("README" in path for path in server.asked)  # the one file and nothing else
    # From now on the cache answers, and nobody is asked.
    server.asked.clear()
    lines, said = load(server, home, "someone/gban", "someone/gban@main", f"someone/gban@{COMMIT}")
    assert lines == ["loaded ('ang', 'hap', 'neu', 'sad')"] * 3
    assert server.asked == []
    assert "downloading" not in said


def test_what_the_hub_cannot_give(server, tmp_path):
    lines, said = load(server, tmp_path / "cache", "someone/none", "someone/two", "someone/gban@v9")
    assert lines[0].startswith("FileNotFoundError someone/none is no file or folder here and no")
    assert "must hold exactly one model file (*.safetensors), got a.safetensors, b" in lines[1]
    assert lines[2] == "FileNotFoundError someone/gban has no revision v9 on the hub"
    assert "downloading" not in said


def test_offline_without_a_cache(server, tmp_path):
    lines, _ = load(server, tmp_path / "cache", "someone/gban", HF_HUB_OFFLINE="1")
    assert lines[0].startswith(
        "ConnectionError someone/gban is no file or folder here, huggingface"
    )
    assert server.asked == []
    server.shutdown()
    server.server_close()
    (line,), _ = load(server, tmp_path / "cache", "someone/gban")
    assert line.startswith("ConnectionError someone/gban is no file or folder here, huggingface")


def test_what_is_a_name_and_what_a_path(tmp_path, monkeypatch):
    assert all(map(hub.is_name, ("someone/gban", "some-one/gban_2.1", "someone/gban@v1.0")))
    paths = ("gban", "a/b/c", "./a", "../a", "/a/b", "a/b.safetensors", "a/b.onnx", "a/", "a b/c",
             Path("someone/gban"), None)  # fmt: skip
    assert not any(map(hub.is_name, paths))
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    with pytest.raises(FileNotFoundError, match=r"models/gban does not exist; give a file"):
        EmotionRecognizer.from_pretrained("models/gban")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RuntimeError, match=r"nobody/nothing is no file .*'gban-edge\[hub\]'"):
        EmotionRecognizer.from_pretrained("nobody/nothing")
