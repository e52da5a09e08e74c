"""The service's description: valid, complete, and able to tell a wrong answer from a right one."""

import json
import re

import httpx
import pytest
from helpers import SMALL
from jsonschema import ValidationError
from runtime_models import make_model
from serve_contract import DOCUMENT, check_answer, check_event
from serve_server import Server

from gban_edge import EmotionRecognizer
from gban_edge.serve import ServeOptions, create_app
from gban_edge.serve.openapi import document

TOKEN = "a-token-of-24-characters"


@pytest.mark.parametrize("token", [None, TOKEN])
def test_it_is_valid_openapi(token):
    validators = pytest.importorskip("openapi_spec_validator")
    validators.OpenAPIV31SpecValidator(document(ServeOptions(token=token))).validate()


def test_every_path_of_the_service_is_described_and_no_other(small_gban):
    app = create_app(EmotionRecognizer.from_pretrained(small_gban, "cpu"))
    page = {"/"} | {route.path for route in app.routes if "." in route.path}
    page -= {"/openapi.json"}
    assert set(DOCUMENT["paths"]) == {route.path for route in app.routes} - page
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert names == set(DOCUMENT["components"]["schemas"])


def test_the_servers_own_document_and_every_path_as_it_says(small_gban, tmp_path):
    with Server(small_gban, tmp_path) as server:
        assert server.http.get("/openapi.json").json() == DOCUMENT
        for path, methods in DOCUMENT["paths"].items():
            for method, operation in methods.items():
                answered = server.http.request(method.upper(), path)
                assert str(answered.status_code) in operation["responses"], (path, answered)
        assert server.http.get("/v1/stream").headers["upgrade"] == "websocket"
        result = server.recognize().json()
        assert set(result) == set(DOCUMENT["components"]["schemas"]["Result"]["properties"])


def test_a_network_without_alignment_answers_nulls(tmp_path):
    """h_s hears the sound alone and aligns nothing."""
    path = make_model(tmp_path / "h_s.safetensors", SMALL, "h_s").path
    with Server(path, tmp_path) as server:
        found = server.recognize().json()  # held against the document, as all answers here are
        empty = [name for name, value in found.items() if value is None]
        assert empty == [
            "contributions", "alignment", "speech_weights", "text_weights", "alpha", "speech_times"
        ]  # fmt: skip
        assert abs(sum(found["probabilities"].values()) - 1) < 1e-6


def _answer(path, status, text, kind="application/json"):
    request = httpx.Request("GET", "http://localhost" + path)
    return httpx.Response(status, text=text, headers={"content-type": kind}, request=request)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/healthz", 200, '{"status": "well"}'),
        ("/v1/model", 200, '{"labels": []}'),
        ("/v1/model", 401, '{"error": "token"}'),
        ("/nothing", 404, "{}"),
        ("/nothing", 404, '{"error": {"code": "a", "message": NaN}}'),
    ],
)
def test_the_check_of_answers_can_fail(path, status, text):
    with pytest.raises((ValidationError, AssertionError)):
        check_answer(_answer(path, status, text))


def test_the_check_of_kinds_and_events_can_fail():
    with pytest.raises(AssertionError):
        check_answer(_answer("/healthz", 200, '{"status": "ready"}', "text/plain"))
    for text in ('{"type": "level", "time": 0.1}', '{"type": "else"}', '{"type": "result"}'):
        with pytest.raises(ValidationError):
            check_event(text)
    check_event('{"type": "ready"}')
