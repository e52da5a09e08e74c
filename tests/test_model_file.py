"""The C++ loader and tokenizer against gban_edge.bundle and gban_edge.text."""

import json
import random
import re
import subprocess
import sys
import unicodedata

import damaged_files
import numpy as np
import pytest
from damaged_files import TINY, Parts, write_model
from helpers import ROOT, SMALL

from gban_edge import _core, bundle, shapes, text
from gban_edge.config import GBANConfig

# What stands in parentheses after these is another library's own reason.
REASONS = ("safetensors file (", "is not JSON (", "malformed (")


def outcome(load, path):
    """("loads", "") or the exception's type and its text, without another library's reason."""
    try:
        load(path)
    except (ValueError, FileNotFoundError) as error:
        said = str(error)
        for reason in REASONS:
            said = said.split(reason)[0]
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        return kind.__name__, said
    return "loads", ""


def outcomes(path):
    return outcome(lambda p: _core.load_model(str(p)), path), outcome(bundle.load, path)


CONFIGS = (
    TINY,
    SMALL,
    GBANConfig(
        vocabulary=3, classes=2, conv_filters=(5,), conv_kernel=1, embedding=7, text_filters=3,
        text_kernels=(2,), hidden=3, lstm_layers=2, fusion=1, classifier=2, dropout=0,
    ),
)  # fmt: skip


@pytest.mark.parametrize("name", shapes.names())
def test_a_valid_file_is_read_as_python_reads_it(tmp_path, name):
    path = tmp_path / "model é.safetensors"
    for config in CONFIGS:
        write_model(path, name, config, labels=["ü", "'", "c", "d"][: config.classes])
        got, gold = _core.load_model(str(path)), bundle.load(path)
        sizes = gold.config.to_dict()
        sizes.pop("dropout")
        assert got["config"] == sizes
        assert (got["name"], tuple(got["labels"])) == (gold.model, gold.labels)
        assert tuple(got["vocabulary"]) == gold.vocabulary.words
        assert got["mean"] == gold.standardisation.mean.tolist()
        assert got["deviation"] == gold.standardisation.deviation.tolist()
        assert got["temperature"] == gold.temperature
        assert got["weights"] == {k: w.shape for k, w in gold.weights.items()}


@pytest.fixture
def parts(tmp_path):
    write_model(tmp_path / "whole")
    return Parts.read(tmp_path / "whole")


@pytest.mark.parametrize("damage", [damaged_files.metadata_damage, damaged_files.header_damage])
def test_a_damaged_file_is_refused_in_the_same_words(tmp_path, parts, damage):
    path = tmp_path / "damaged"
    kinds = []
    for said, raw in damage(parts):
        path.write_bytes(raw)
        got, gold = outcomes(path)
        assert got == gold, said
        kinds.append(gold[0])
    assert kinds.count("ValueError") > 60
    assert kinds.count("loads") > 3


def test_weights_are_checked_in_the_same_words(tmp_path, parts):
    path = tmp_path / "damaged"
    for name in ("classifier.output.bias", "text.embedding.weight"):
        begin, end = parts.header[name]["data_offsets"]
        for at in (begin, end - 4):
            for value in (np.nan, np.inf, -np.inf, 1e-45, -0.0, 3.0):
                data = bytearray(parts.data)
                data[at : at + 4] = np.float32(value).tobytes()
                path.write_bytes(Parts(parts.header, bytes(data)).bytes())
                got, gold = outcomes(path)
                assert got == gold, (name, at, value)


def test_random_damage_is_refused_alike(tmp_path, parts):
    path, rng = tmp_path / "damaged", np.random.default_rng(0)
    loads = 0
    for _ in range(1500):
        raw = damaged_files.random_damage(parts, rng)
        path.write_bytes(raw)
        got, gold = outcomes(path)
        assert got == gold, raw
        loads += gold[0] == "loads"
    assert 50 < loads < 750


def test_no_file(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        got, gold = outcomes(path)
        assert got == gold
        assert got[0] == "FileNotFoundError"


HOSTILE = {
    "unfinished": ("training", "[[]," * 3_000_000),
    "one word": ("vocabulary", '["<pad>","<unk>"' + ',""' * 3_000_000 + "]"),
    "words": ("vocabulary", json.dumps(["<pad>", "<unk>", *(f"{i:x}" for i in range(900_000))])),
    "labels": (
        "model",
        '{"name":"h_t","config":{"vocabulary":5},"labels":[""' + ',""' * 3_000_000 + "]}",
    ),
    "fields": ("gban_edge", json.dumps({f"{i:x}": i for i in range(600_000)})),
    "version": ("gban_edge", '{"version":[0' + ",0" * 4_000_000 + "]}"),
    "mean": ("frontend", '{"version":1,"deviation":[],"mean":[0' + ",0" * 4_000_000 + "]}"),
}
PEAK = """
import re, sys
from gban_edge import _core
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read()).group(1)) * 1024
before = peak()
try:
    _core.load_model(sys.argv[1])
except ValueError:
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_takes_no_more_memory_than_a_few_times_its_size(tmp_path, parts, what):
    path = tmp_path / "hostile"
    path.write_bytes(parts.with_text(*HOSTILE[what]))
    command = [sys.executable, "-c", PEAK, str(path)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 12 * path.stat().st_size


def core_unicode():
    """The version of Unicode that the core's tables are of."""
    head = (ROOT / "csrc/model/unicode_tables.h").read_text().splitlines()[0]
    return tuple(map(int, re.search(r"Unicode (\d+)\.(\d+)", head).groups()))


def known_code_points():
    """Code points that this Python knows, and as the core does."""
    for code in range(sys.maxunicode + 1):
        # Unicode 14 made U+1734 a spacing mark; before that it was a mark without width.
        if 0xD800 <= code < 0xE000 or code == 0x1734:
            continue
        if unicodedata.category(chr(code)) != "Cn":
            yield chr(code)


def test_every_code_point_is_read_as_python_reads_it():
    mine = tuple(map(int, unicodedata.unidata_version.split(".")[:2]))
    assert mine <= core_unicode(), "run tools/unicode_tables.py with this Python, which knows more"
    characters = list(known_code_points())
    for begin in range(0, len(characters), 1000):
        chunk = characters[begin : begin + 1000]
        # Alone, within a word, and on either side of a sigma and of an apostrophe.
        said = " ".join(f"{c} a{c}b A{c}\u03a3 A\u03a3{c} A\u03a3{c}A {c}'{c}" for c in chunk)
        assert _core.tokenize(said.encode()) == text.tokenize(said)


def test_random_texts_are_split_alike():
    rng = random.Random(0)
    alphabet = (
        "aZ\u03a3\u03a3\u03c3'\u2019' _-.3\u00bd\u0301\u0307\u0130\u00df\u02b0\u00ad\u0660\u4e00"
    )
    alphabet += "\0\n\U0001d504\U00010400"
    for _ in range(20000):
        said = "".join(rng.choices(alphabet, k=rng.randint(0, 12)))
        assert _core.tokenize(said.encode()) == text.tokenize(said), said


def test_text_that_is_not_utf8_is_refused_where_it_breaks():
    rng = random.Random(1)
    refused = 0
    for _ in range(20000):
        raw = bytearray("aé\u2019€\U0001f600z".encode())
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        raw = bytes(raw[: rng.randint(1, len(raw))])
        try:
            wanted = text.tokenize(raw.decode())
        except UnicodeDecodeError as error:
            refused += 1
            said = f"text must be UTF-8, got byte 0x{raw[error.start]:02x} at offset {error.start}"
            with pytest.raises(ValueError, match=f"^{said}$"):
                _core.tokenize(raw)
        else:
            assert _core.tokenize(raw) == wanted
    assert 5000 < refused < 20000


def test_vocabulary():
    words = ["<pad>", "<unk>", "don't", "café", "<pad>x"]
    vocabulary = text.Vocabulary(tuple(words))
    for said in ("", "...", "Don\u2019t! CAFÉ, tea", "pad unk <pad>"):
        assert _core.encode(words, said.encode()) == vocabulary.encode(said)
    for bad in ([], ["a"], ["<pad>", "b'"], [*words, "b", "café", "b", "don't"]):
        with pytest.raises(ValueError, match="vocabulary") as gold:
            text.Vocabulary(tuple(bad))
        with pytest.raises(ValueError, match="vocabulary") as got:
            _core.encode(bad, b"")
        assert str(got.value) == str(gold.value)
