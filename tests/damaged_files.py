"""Small model files and ways to damage them, for the tests of both loaders."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gban_edge import bundle, shapes
from gban_edge.config import GBANConfig
from gban_edge.labels import LABELS
from gban_edge.text import PAD, UNKNOWN, Vocabulary

TINY = GBANConfig(
    vocabulary=5, conv_filters=(2, 3), conv_kernel=3, embedding=4, text_filters=2,
    text_kernels=(1, 2), hidden=2, fusion=3, classifier=3,
)  # fmt: skip


def write_model(path: Path, name: str = "h_t", config: GBANConfig = TINY, **others: Any) -> None:
    """A model file with random weights."""
    rng = np.random.default_rng(3)
    weights = {
        k: rng.standard_normal(shape).astype(np.float32)
        for k, shape in shapes.expected_shapes(name, config).items()
    }
    if "text.embedding.weight" in weights:
        weights["text.embedding.weight"][0] = 0
    words = Vocabulary((PAD, UNKNOWN, *(f"w{i}'é" for i in range(config.vocabulary - 2))))
    standard = bundle.Standardisation(
        rng.standard_normal(config.features).astype(np.float32),
        rng.uniform(0.1, 9, config.features).astype(np.float32),
    )
    given = {"labels": LABELS, "standardisation": standard, "temperature": 0.75, **others}
    bundle.save(path, weights, config, words, model=name, **given)


@dataclass
class Parts:
    """A safetensors file taken apart: its header as JSON's values, and its data."""

    header: dict[str, Any]
    data: bytes

    @classmethod
    def read(cls, path: Path) -> Parts:
        raw = path.read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        return cls(json.loads(raw[8 : 8 + length]), raw[8 + length :])

    def bytes(self, text: str | bytes | None = None) -> bytes:
        """The file, or one with the header text given."""
        text = json.dumps(self.header, ensure_ascii=False) if text is None else text
        head = text.encode() if isinstance(text, str) else text
        return struct.pack("<Q", len(head)) + head + self.data

    def text(self, key: str) -> str:
        return self.header["__metadata__"][key]

    def with_text(self, key: str, text: str) -> bytes:
        """The file with another text under a key of its metadata."""
        metadata = {**self.header["__metadata__"], key: text}
        return Parts({**self.header, "__metadata__": metadata}, self.data).bytes()


# (key of the metadata, JSON pointer into it, new JSON text): None removes it.
METADATA: list[tuple[str, tuple[str | int, ...], str | None]] = [
    *(
        ("gban_edge", ("version",), value)
        for value in (
            "2", "1.0", "true", "null", '"1"', '"it\'s"', '"\\"\'"', '"a\\u0007\\n\\\\é\\u00ad"',
            "1e16",
            "1e-5", "123456.789", "-0", "-0.0", "NaN", "-Infinity", "1e400",
            '{"a":[1,{}],"a":[null,"b"]}',
            "[false,[]]", "9" * 4300, "9" * 4301, '"\\u2028\\ue000\\ud83d\\ude00"',
            "[0.1,5e-324,1e22]", None,
        )
    ),
    ("gban_edge", (), "1"),
    ("gban_edge", (), "[1]"),
    ("gban_edge", (), None),
    ("gban_edge", (), ""),
    ("gban_edge", (), "\ufeff1"),
    ("model", (), None),
    ("model", (), "[1]"),
    ("model", (), "null"),
    ("model", ("name",), None),
    ("model", ("name",), "5"),
    ("model", ("name",), '"it\'s"'),
    ("model", ("name",), '"gban"'),
    ("model", ("name",), '"h_s"'),
    ("model", ("labels",), '"abcd"'),
    ("model", ("labels",), "[1,2,3,4]"),
    ("model", ("labels",), '["a","b","c"]'),
    ("model", ("labels",), '["a","a","c","é\\t"]'),
    ("model", ("labels",), None),
    ("model", ("config",), "[]"),
    ("model", ("config",), "true"),
    ("model", ("config",), "null"),
    ("model", ("config",), "1.5"),
    ("model", ("config",), '"x"'),
    ("model", ("config",), "{}"),
    ("model", ("config",), '{"vocabulary":5,"b":1,"a":2,"b":3}'),
    *(
        ("model", ("config", name), value)
        for name in ("vocabulary", "hidden", "lstm_layers", "classes")
        for value in (
            "0", "-3", "1", "2", "2.0", "true", '"2"', "null", "[2]", "9" * 400, "17", "16777217"
        )
    ),
    *(
        ("model", ("config", name), value)
        for name in ("conv_filters", "text_kernels")
        for value in (
            "[]", "{}", "3", '"ab"', "[0]", "[2,true]", "[2,3.0]", "[2,3,4]", json.dumps([1] * 17)
        )
    ),
    *(
        ("model", ("config", "dropout"), value)
        for value in (
            "1", "-0.1", "0", "NaN", "true", '"half"', "null", "1e400", "9" * 400, "0.999", None
        )
    ),
    ("vocabulary", (), None),
    ("vocabulary", (), "[1,"),
    ("vocabulary", (), "[]"),
    ("vocabulary", (), '["<pad>"]'),
    ("vocabulary", (), '["<unk>","<pad>"]'),
    ("vocabulary", (), '["<pad>","<unk>","b","a","b","a","<unk>"]'),
    ("vocabulary", (), '["<pad>","<unk>","a","b"]'),
    ("vocabulary", (), '["<pad>","<unk>","a","b",null]'),
    ("vocabulary", (), '["<pad>","<unk>","a","b","\\ud800"]'),
    ("vocabulary", (), '["<pad>","<unk>","a","b","\\ud83d\\ude00"]'),
    ("vocabulary", (), '{"<pad>":1}'),
    ("vocabulary", (), "[" * 100000),
    ("vocabulary", (), '["<pad>","<unk>","a","b","\t"]'),
    ("frontend", (), None),
    ("frontend", (), '"version"'),
    ("frontend", ("version",), "2"),
    ("frontend", ("version",), None),
    ("frontend", ("mean",), None),
    ("frontend", ("mean",), "0"),
    ("frontend", ("mean",), "[0]"),
    ("frontend", ("mean",), "{}"),
    *(
        ("frontend", (name, 7), value)
        for name in ("mean", "deviation")
        for value in (
            "NaN", "1e39", "3.4028235677973366e38", "9" * 30, "9" * 400, "true", "null", '"1"',
            "[1]", "0", "-1", "1e-60",
        )
    ),
    *(
        ("calibration", ("temperature",), value)
        for value in (
            "0", "-1.5e-7", "NaN", "Infinity", "1e400", "9" * 400, '"1"', "true", "null", "2", None
        )
    ),
    ("calibration", (), "[]"),
    ("calibration", (), None),
    ("training", (), None),
    ("training", (), "[]"),
    ("training", (), '{"a":NaN,"a":[1,2]}'),
    ("training", (), f'{{"a":{"[" * 126}{"]" * 126}}}'),
    ("training", (), f'{{"a":{"[" * 127}{"]" * 127}}}'),
    ("training", (), "nul"),
    ("training", (), '{"a":01}'),
    ("training", (), '{"a":1,}'),
    ("training", (), "{'a':1}"),
    ("training", (), '{"a":1} x'),
]  # fmt: skip


def changed(text: str, pointer: tuple[str | int, ...], value: str | None) -> str:
    """JSON `text` with the value at `pointer` replaced by a JSON text, or removed."""
    mark = "\u0001mark\u0001"
    tree = json.loads(text)
    at = tree
    for key in pointer[:-1]:
        at = at[key]
    if value is None:
        del at[pointer[-1]]
        return json.dumps(tree, ensure_ascii=False)
    at[pointer[-1]] = mark
    return json.dumps(tree, ensure_ascii=False).replace(json.dumps(mark), value)


def metadata_damage(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """(what was done, the file) for each of METADATA."""
    for key, pointer, value in METADATA:
        said = f"{key} {pointer} = {value if value is None else value[:40]!r}"
        if pointer:
            yield said, parts.with_text(key, changed(parts.text(key), pointer, value))
        elif value is not None:
            yield said, parts.with_text(key, value)
        else:
            rest = {k: v for k, v in parts.header["__metadata__"].items() if k != key}
            yield said, Parts({**parts.header, "__metadata__": rest}, parts.data).bytes()


# Of the record of classifier.output.bias, float32 [4]: JSON texts.
RECORDS = (
    "null", "{}", "[]", '"F32"', '{"dtype":"F32","shape":[4]}',
    *(
        f'{{"dtype":{dtype},"shape":{shape},"data_offsets":[BEGIN,END]{more}}}'
        for dtype, shape, more in (
            *((f'"{name}"', "[4]", "") for name in ("F64", "I32", "U32", "F16", "BF16", "F4", "")),
            ('"BOOL"', "[16]", ""), ('"F8_E4M3"', "[16]", ""), ('"C64"', "[2]", ""),
            ('"F6_E2M3"', "[4]", ""), ('"I64"', "[2]", ""), ('"U8"', "[2,8]", ""), ("7", "[4]", ""),
            ("null", "[4]", ""),
            *(('"F32"', shape, "") for shape in (
                "[5]", "[2,2]", "[4,1]", "[4.0]", "[-4]", "[true]", "4", "{}", "[]", "[null]",
                "[4,0]",
                "[4294967296,4294967296]", "[18446744073709551616]", "[18446744073709551615,2]",
                f"[4{',1' * 64}]",
            )),
            *(('"F32"', "[4]", more) for more in (
                ',"x":[1,{"y":null}]', ',"x":1e999', ',"x":NaN', ',"shape":[4]', ',"x":"\\ud800"',
                ",",
                f',"x":{"[" * 125}{"]" * 125}', f',"x":{"[" * 126}{"]" * 126}', ',"x":01',
                ',"x":"\\x"',
                ',"x":"\t"', f',"x":{"9" * 400}', ',"x":-0,"x":2',
            )),
        )
    ),
    '{"dtype":"F32","shape":[4],"data_offsets":[BEGIN,END,END]}',
    '{"dtype":"F32","shape":[4],"data_offsets":[END,BEGIN]}',
    '{"dtype":"F32","shape":[0],"data_offsets":[BEGIN,BEGIN]}',
    '{"dtype":"F32","shape":[4],"data_offsets":[4,20]}',
    '{"dtype":"F32","shape":[4],"data_offsets":["0",16]}',
    # A second record of the name: the last is the one that counts.
    '{"dtype":"F32","shape":[9],"data_offsets":[0,1]},"classifier.output.bias":'
    '{"dtype":"F32","shape":[4],"data_offsets":[BEGIN,END]}',
    '{"dtype":"F32","shape":[4],"data_offsets":[BEGIN,END]},"spare":'
    '{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0]}',
    '{"dtype":"F32","shape":[4],"data_offsets":[BEGIN,END]},"it\'s":'
    '{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}',
)  # fmt: skip


def header_damage(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """(what was done, the file): records, the header's own text, its length."""
    name = "classifier.output.bias"
    begin, end = parts.header[name]["data_offsets"]
    marked = json.dumps({**parts.header, name: "MARK"}, ensure_ascii=False)
    for record in RECORDS:
        record = record.replace("BEGIN", str(begin)).replace("END", str(end))
        yield f"record {record[:90]}", parts.bytes(marked.replace('"MARK"', record))
    whole = json.dumps(parts.header, ensure_ascii=False)
    changes: dict[str, Callable[[str], str | bytes]] = {
        "space around": lambda t: f" \n{t}\r\t ",
        "more after": lambda t: t + "x",
        "form feed": lambda t: "\f" + t,
        "mark of order": lambda t: "\ufeff" + t,
        "a list": lambda t: f"[{t}]",
        "not UTF-8": lambda t: t.encode().replace(b"w0'", b"w\xff'"),
        "a surrogate": lambda t: t.encode().replace(b"w0'", b"w\xed\xa0\x80'"),
        "overlong": lambda t: t.encode().replace(b"w0'", b"w\xc0\xaf'"),
        "no metadata": lambda t: t.replace("__metadata__", "metadata"),
        "empty": lambda t: "",
        "null metadata": lambda t: json.dumps({**parts.header, "__metadata__": None}),
        "metadata of numbers": lambda t: json.dumps({**parts.header, "__metadata__": {"a": 1}}),
        "metadata twice": lambda t: t[:-1] + ',"__metadata__":{}}',
        "key twice": lambda t: t.replace('{"__metadata__": {', '{"__metadata__": {"model": "[",'),
        "NaN": lambda t: t[:-1] + ',"a":NaN}',
    }
    for what, change in changes.items():
        yield what, parts.bytes(change(whole))
    raw = parts.bytes()
    for length in (0, 7, 8, 9, 50, len(raw) - 1, len(raw) - 16):
        yield f"cut to {length}", raw[:length]
    yield "longer", raw + b"\0"
    last = len(whole.encode()) - 1
    for length in (0, 1, last, len(raw), 100_000_001, 2**63, 2**64 - 1, 2**64 - 9):
        yield f"length {length}", struct.pack("<Q", length) + raw[8:]


TOKENS = (
    b"0", b"-1", b"1", b"2.5", b"1e400", b"9" * 25, b"NaN", b"null", b"true", b"[]", b"{}", b"",
    b'"', b'\\"', b",", b":", b"]", b"}", b"\\", b"\xc3", b"\xc3\xa9", b"\\\\n", b"\x1f",
)  # fmt: skip


def random_damage(parts: Parts, rng: np.random.Generator) -> bytes:
    """One to three bytes of the header changed, or a token put in place of some bytes of it."""
    raw = bytearray(parts.bytes())
    length = len(raw) - 8 - len(parts.data)
    if rng.random() < 0.4:
        for place in rng.integers(
            0, len(raw) if rng.random() < 0.2 else 8 + length, rng.integers(1, 4)
        ):
            raw[place] ^= 1 << rng.integers(8)
        return bytes(raw)
    begin = int(rng.integers(0, length))
    head = bytearray(raw[8 : 8 + length])
    head[begin : begin + int(rng.integers(0, 4))] = TOKENS[rng.integers(len(TOKENS))]
    return parts.bytes(bytes(head))
