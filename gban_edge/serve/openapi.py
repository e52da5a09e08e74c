"""The service described as OpenAPI 3.1, for ``/openapi.json``."""

from __future__ import annotations

from typing import Any

import gban_edge
from gban_edge.features import MAX_SECONDS
from gban_edge.serve.options import ServeOptions

Schema = dict[str, Any]
REFUSALS = {
    "400": "a query parameter or the body's length is wrong, or the client left",
    "401": "the token is missing or wrong",
    "403": "the Host is none of this machine's, or the Origin another site",
    "408": "the body did not arrive in time",
    "413": "the body is too large",
    "415": "the body is of a kind that cannot be read",
    "426": "only a WebSocket is answered here",
    "422": "the sound or the words cannot be used; the message says why",
    "429": "no room now; try again after Retry-After",
    "500": "the server failed; its log says where",
    "503": "the network failed, took too long, or the server is stopping",
}
STREAM = """A WebSocket. The client sends the text {"type": "start", "sample_rate": 16000,
"words": null or text, "by_hand": false}, then binary messages of int16 little-endian mono PCM.
{"type": "words", "text": "...", "once": false} tells what is being said, until told otherwise or
for one utterance; {"type": "end"} ends an utterance; with by_hand nothing else does. Without it the
server hears where speech begins and ends, and its events say more.
The server sends {"type": "ready"}, {"type": "level", "time", "rms", "speaking"},
{"type": "speech_started", "time"}, {"type": "result", "start", "end", "latency", "words", "result"}
and, before it closes, {"type": "error", "code", "message"}. Close codes: 1001 the server stops,
1007 a message that cannot be read, 1008 a rule was broken, 1009 a message too large,
1011 the network failed, 1013 no room."""


def document(options: ServeOptions) -> Schema:
    """The description, with this server's limits."""
    found: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "gban-edge",
            "version": gban_edge.__version__,
            "description": "The emotion in one spoken utterance, from its sound and its words. "
            "No sound is kept.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/recognize": {"post": _recognize(options)},
            "/v1/model": {"get": _get("The model's labels and what computes it", "Model")},
            "/v1/stream": {"get": {"summary": "Sound in, events out", "description": STREAM,
                                   "x-events": {"$ref": "#/components/schemas/Event"},
                                   "responses": {"101": {"description": "a WebSocket"},
                                                 **_refusals("401", "403", "426")}}},
            "/healthz": {"get": _health()},
            "/metrics": {"get": {"summary": "Counts and times for Prometheus", "responses": {
                "200": {"description": "text format 0.0.4", "content": {"text/plain": {
                    "schema": {"type": "string"}}}}, **_refusals("401", "403")}}},
            "/openapi.json": {"get": {"summary": "This description", "responses": {
                "200": {"description": "OpenAPI", "content": {"application/json": {
                    "schema": {"type": "object"}}}}, **_refusals("401", "403")}}},
        },
        "components": {"schemas": _schemas()},
    }  # fmt: skip
    if options.token is not None:
        found["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "query": {"type": "apiKey", "in": "query", "name": "token"},
        }
        found["security"] = [{"bearer": []}, {"query": []}]
        found["paths"]["/healthz"]["get"]["security"] = []
    return found


def _recognize(options: ServeOptions) -> Schema:
    return {
        "summary": "The emotion of one utterance",
        "description": f"At most {options.limits.body_bytes} bytes; what lies beyond "
        f"{MAX_SECONDS:g} s is not looked at.",
        "parameters": [
            {"name": "words", "in": "query", "schema": {"type": "string"},
             "description": "what was said; left out, the sound alone is heard"},
            {"name": "sample_rate", "in": "query", "description": "of raw PCM; 16000 if left out",
             "schema": {"type": "integer", "minimum": 8000, "maximum": 192000}},
        ],
        "requestBody": {"required": True, "content": {
            "audio/wav": {"schema": {"type": "string", "format": "binary"}},
            "audio/*": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {
                "type": "string", "format": "binary",
                "description": "int16 little-endian mono PCM"}},
        }},
        "responses": {"200": _json("the result", "Result"), **_refusals(
            "400", "401", "403", "408", "413", "415", "422", "429", "500", "503")},
    }  # fmt: skip


def _health() -> Schema:
    return {
        "summary": "Whether a request would be answered",
        "responses": {
            "200": _json("ready", "Health"),
            "503": _json("not ready; the reason says why", "Health"),
            **_refusals("403"),
        },
    }


def _get(summary: str, schema: str) -> Schema:
    return {"summary": summary, "responses": {"200": _json(summary, schema),
                                              **_refusals("401", "403")}}  # fmt: skip


def _json(text: str, schema: str) -> Schema:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": text, "content": {"application/json": {"schema": reference}}}


def _refusals(*statuses: str) -> Schema:
    """These, and the others that any path may give: no HTTP, no room, stopping."""
    found = {status: _json(REFUSALS[status], "Error") for status in statuses}
    return {**found, "default": _json("another refusal", "Error")}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: Schema) -> Schema:
    """An array, or null for a network that has none."""
    return {"type": ["array", "null"], "items": items}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
NUMBERS: Schema = {"type": "object", "additionalProperties": NUMBER}
YES: Schema = {"type": "boolean"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
SHARES: Schema = {"type": "object", "additionalProperties": SHARE}


def _schemas() -> Schema:
    texts: Schema = {"type": "array", "items": TEXT}
    row: Schema = {"type": "array", "items": NUMBER}
    word = _object(word=TEXT, start=NUMBER, end=NUMBER, weight=NUMBER)
    return {
        "Result": _object(
            label=TEXT, abstained=YES, probabilities=SHARES, confidence=SHARE,
            contributions={**SHARES, "type": ["object", "null"]},
            alignment=_array(word), speech_weights=_array(NUMBER), text_weights=_array(NUMBER),
            alpha=_array(row), speech_times=_array(row), seconds=NUMBER, notes=texts,
            backend=TEXT, timings=NUMBERS,
        ),
        "Model": _object(labels=texts, backend=TEXT, backend_reason=TEXT, max_seconds=NUMBER),
        "Health": {"type": "object", "required": ["status"], "properties": {
            "status": {"enum": ["ready", "unready"]}, "reason": TEXT, "backend": TEXT}},
        "Error": _object(error=_object(code=TEXT, message=TEXT)),
        "Event": {"oneOf": _events()},
    }  # fmt: skip


def _events() -> list[Schema]:
    """What a stream is sent."""
    heard = _object(
        type={"const": "result"}, start=NUMBER, end=NUMBER, latency=NUMBER, words=TEXT,
        result={"$ref": "#/components/schemas/Result"},
    )  # fmt: skip
    heard["properties"] |= {"timings": NUMBERS, "hangover": NUMBER, "cut": YES,
                            "words_error": {"type": ["string", "null"]}}  # fmt: skip
    started = _object(type={"const": "speech_started"}, time=NUMBER)
    started["properties"] |= {"decided": NUMBER}
    return [
        _object(type={"const": "ready"}),
        _object(type={"const": "level"}, time=NUMBER, rms=NUMBER, speaking=YES),
        started,
        heard,
        _object(type={"const": "error"}, code=TEXT, message=TEXT),
    ]
