"""Engine files: what is written is read, what is damaged or another's is refused; buckets."""

import json
from dataclasses import replace

import pytest
from engine_policy import random_model
from helpers import SMALL

from gban_edge import files
from gban_edge.deploy.onnx_export import metadata
from gban_edge.features import MAX_SAMPLES, extract
from gban_edge.runtime import engine_file
from gban_edge.runtime.engine_buckets import BUCKETS, MAX_FRAMES, check_buckets, parse_buckets
from gban_edge.runtime.engine_file import EngineFile, EngineKey, sidecar, write
from gban_edge.runtime.onnx_facts import OnnxFacts

KEY = EngineKey(
    tensorrt="10.3.0", module="tensorrt", gpu="Orin", capability="8.7", plugin="a" * 64,
    onnx="b" * 64, precision="fp16", buckets=BUCKETS,
)  # fmt: skip
OTHER = {
    "tensorrt": "10.16.2", "module": "tensorrt_rtx", "gpu": "Thor", "capability": "11.0",
    "plugin": "c" * 64, "onnx": "d" * 64, "precision": "fp32", "buckets": ((747, 512),),
}  # fmt: skip
PLAN = bytes(range(256)) * 9


@pytest.fixture(scope="module")
def facts(tmp_path_factory) -> OnnxFacts:
    model, _ = random_model(tmp_path_factory.mktemp("model"), SMALL, 1)
    return OnnxFacts.read(metadata(model, "fp16", "plugin", True), "here")


@pytest.fixture
def written(tmp_path, facts) -> EngineFile:
    return write(tmp_path / "m.engine", PLAN, KEY, facts, 2.5, ("one", "two"))


def test_what_is_written_is_read(written, facts):
    read = EngineFile.read(str(written.path))
    assert read == written
    assert (read.key, read.facts, read.seconds, read.warnings) == (KEY, facts, 2.5, ("one", "two"))
    assert read.plan() == PLAN == written.path.read_bytes()
    assert read.built[:2] == "20"
    assert read.built[-6] in "+-"


def test_every_field_of_the_key_counts():
    assert OTHER.keys() == EngineKey.__dataclass_fields__.keys()
    assert KEY.difference(replace(KEY)) is None
    digests = {KEY.digest()}
    for name, value in OTHER.items():
        now = replace(KEY, **{name: value})
        told = KEY.difference(now)
        assert engine_file.NAMES[name] in told
        assert told.count(" is now ") == 1
        digests.add(now.digest())
    assert len(digests) == 1 + len(OTHER)
    everything = KEY.difference(EngineKey(**OTHER))
    assert everything.count(" is now ") == len(OTHER)
    assert "TensorRT 10.3.0 is now 10.16.2" in everything
    assert "197x8,397x16,747x32,747x512 is now 747x512" in everything


def test_no_plugin_no_buckets_in_words():
    told = KEY.difference(replace(KEY, plugin="", buckets=()))
    assert "plugin library (sha256) aaaaaaaaaaaa… is now none" in told
    assert "747x512 is now dynamic" in told


def change(written: EngineFile, **values) -> None:
    """The sidecar with other values; None takes one out."""
    path = sidecar(written.path)
    told = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({k: v for k, v in told.items() if v is not None}))


def refused(path, *words: str) -> None:
    with pytest.raises(ValueError) as info:
        EngineFile.read(path)
    for word in (*words, "gban-edge build"):
        assert word in str(info.value)


@pytest.mark.parametrize("at", [0, 1000, len(PLAN) - 1])
def test_a_changed_byte_of_the_engine(written, at):
    written.path.write_bytes(PLAN[:at] + bytes([PLAN[at] ^ 1]) + PLAN[at + 1 :])
    refused(written.path, "damaged", "sha256")
    with pytest.raises(ValueError, match="damaged"):
        written.plan()


def test_an_engine_cut_short_or_empty(written):
    for size in (len(PLAN) - 1, 0):
        written.path.write_bytes(PLAN[:size])
        refused(written.path, "damaged")


def test_no_engine_no_sidecar(written):
    sidecar(written.path).unlink()
    refused(written.path, "m.engine.json is not beside it")
    written.path.unlink()
    with pytest.raises(FileNotFoundError, match="gban-edge build"):
        EngineFile.read(written.path)


@pytest.mark.parametrize("name", ["key", "metadata", "sha256", "built", "seconds", "warnings"])
def test_a_sidecar_that_lacks_something(written, name):
    change(written, **{name: None})
    refused(written.path, "m.engine.json", name)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format": "other"}, "not the sidecar of an engine"),
        ({"version": 2}, "version 2 of the engine file is not 1"),
        ({"key": {"tensorrt": "10.3.0"}}, "key must have the fields"),
        ({"key": [1]}, "key must have the fields"),
        ({"key": {**vars(KEY), "gpu": 3}}, "key must hold texts"),
        ({"key": {**vars(KEY), "buckets": [[1, 2, 3]]}}, "pairs of integers"),
        ({"key": {**vars(KEY), "buckets": [["1", "2"]]}}, "pairs of integers"),
        ({"key": {**vars(KEY), "precision": "fp32"}}, "damaged, fp32 for a network of fp16"),
        ({"metadata": {}}, "not an ONNX file that gban-edge wrote"),
        ({"metadata": [1]}, "damaged"),
        ({"seconds": "soon"}, "soon"),
        ({"warnings": 3}, "damaged"),
    ],
)
def test_a_damaged_sidecar(written, values, words):
    change(written, **values)
    refused(written.path, words)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\0\0\0", '{"format": 1}'])
def test_a_sidecar_that_is_something_else(written, text):
    sidecar(written.path).write_text(text)
    refused(written.path, "m.engine.json")


def test_a_crash_between_the_two_writes_leaves_no_pair(written, facts, monkeypatch):
    """Another engine over the old one: the old sidecar must not stay beside it."""

    def crash(path, value):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine_file, "write_json", crash)
    with pytest.raises(KeyboardInterrupt):
        write(written.path, b"another plan", replace(KEY, gpu="Thor"), facts, 1.0)
    assert written.path.read_bytes() == b"another plan"
    refused(written.path, "is not beside it")


def test_a_crash_before_the_engine_is_whole_leaves_the_old_one(written, facts, monkeypatch):
    def crash(path, data):
        with files.replacing(path) as temporary:
            temporary.write_bytes(data[:3])
            raise KeyboardInterrupt

    monkeypatch.setattr(engine_file, "write_bytes", crash)
    with pytest.raises(KeyboardInterrupt):
        write(written.path, b"another plan", replace(KEY, gpu="Thor"), facts, 1.0)
    assert written.path.read_bytes() == PLAN
    refused(written.path, "is not beside it")


def test_the_default_buckets_take_what_the_frontend_gives():
    assert len(extract([0.0] * (MAX_SAMPLES + 16000))) == MAX_FRAMES == BUCKETS[-1][0]
    assert check_buckets(BUCKETS, 61) == BUCKETS
    assert parse_buckets("197x8,397x16, 747x32,747x512") == BUCKETS


@pytest.mark.parametrize(
    ("buckets", "words"),
    [
        ((), "at least one"),
        (((60, 8), (747, 512)), "at least 61 frames"),
        (((61, 0), (747, 512)), "1 word, got 61x0"),
        (((397, 8), (197, 16), (747, 512)), "must ascend"),
        (((197, 16), (397, 8), (747, 512)), "must ascend"),
        (((747, 512), (747, 512)), "must ascend"),
        (((197, 8), (746, 512)), "add 747x512"),
        (((197, 8), (747, 511)), "add 747x512"),
    ],
)
def test_buckets_that_an_engine_cannot_have(buckets, words):
    with pytest.raises(ValueError, match=words):
        check_buckets(buckets, 61)


@pytest.mark.parametrize("text", ["", "197", "197x", "x8", "197x8,", "197*8", "-197x8", "1e3x8"])
def test_texts_that_are_no_buckets(text):
    with pytest.raises(ValueError, match="197x8,747x512"):
        parse_buckets(text)
