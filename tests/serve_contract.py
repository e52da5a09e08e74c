"""What OpenAPI says of an answer or event of the service, held against it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from gban_edge.serve import ServeOptions
from gban_edge.serve.openapi import document

DOCUMENT = document(ServeOptions())


@cache
def _validator(reference: str) -> Draft202012Validator:
    """Of one of the document's schemas; OpenAPI 3.1 has JSON Schema of 2020-12."""
    return Draft202012Validator({"$ref": reference, "components": DOCUMENT["components"]})


def check_answer(response: httpx.Response) -> None:
    """Raise for an answer that the document does not describe."""
    path, method = response.request.url.path, response.request.method.lower()
    operation = DOCUMENT["paths"].get(path, {}).get(method)
    if operation is None:  # the page, or what there is not
        if response.status_code >= 400:
            _check("#/components/schemas/Error", response)
        return
    told = operation["responses"]
    found = told.get(str(response.status_code), told["default"])
    content = found["content"]
    kind = response.headers["content-type"].partition(";")[0]
    assert kind in content, (path, response.status_code, kind)
    if "$ref" in content[kind]["schema"]:
        _check(content[kind]["schema"]["$ref"], response)


def _check(reference: str, response: httpx.Response) -> None:
    response.read()
    _validator(reference).validate(strict_json(response.text))


def check_event(text: str | bytes) -> dict[str, Any]:
    """A stream's event, which is one of those that the document has."""
    event = strict_json(text)
    _validator("#/components/schemas/Event").validate(event)
    return event


def strict_json(text: str | bytes) -> Any:
    """What JSON has, without Python's NaN and infinities."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)
