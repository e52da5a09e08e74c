"""Sources of words: PocketSphinx on synthesised speech; sherpa-onnx on a network made here."""

import inspect
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import sherpa_onnx
from onnx import TensorProto, helper
from spoken import TEXTS, speech

from gban_edge import words


@pytest.fixture(scope="module")
def sphinx():
    return words.pocketsphinx()


def heard_of(text, said):
    """How many words of ``text`` are in ``said``."""
    return sum(word in said.split() for word in text.split())


def test_pocketsphinx_hears_most_words_and_each_utterance_for_itself(sphinx):
    pcm = np.pad(speech(TEXTS[1]), 3200)
    said = sphinx(pcm, 16000)
    assert heard_of(TEXTS[1], said) >= 3
    assert said == " ".join(said.lower().split())
    assert "(" not in said
    assert sphinx(np.pad(speech(TEXTS[0]), 3200), 16000) != said
    assert sphinx(pcm, 16000) == said
    from scipy.signal import resample_poly

    assert heard_of(TEXTS[1], sphinx(resample_poly(pcm, 3, 1).astype(np.float32), 48000)) >= 3


def test_pocketsphinx_hears_nothing_where_nothing_is(sphinx):
    assert sphinx(np.zeros(0, np.float32), 16000) == ""
    assert sphinx(np.zeros(5000, np.float32), 16000) == ""
    with pytest.raises(ValueError, match="sample_rate must lie in"):
        sphinx(np.zeros(9, np.float32), 100)


def test_no_words():
    assert words.none()(np.zeros(100, np.float32), 16000) == ""


@pytest.mark.parametrize(
    ("module", "make"),
    [("pocketsphinx", words.pocketsphinx), ("sherpa_onnx", None)],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, module, make):
    fill(tmp_path, "encoder.onnx", "decoder.onnx", "joiner.onnx", "tokens.txt")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuntimeError, match=r"not installed.*pip install 'gban-edge\[words\]'"):
        make() if make else words.sherpa_onnx(tmp_path)


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("names", "kind", "taken"),
    [
        (
            ("encoder-epoch-99-avg-1.onnx", "encoder-epoch-99-avg-1.int8.onnx",
             "decoder-epoch-99-avg-1.onnx", "joiner-epoch-99-avg-1.int8.onnx", "tokens.txt"),
            "transducer",
            {"encoder": "encoder-epoch-99-avg-1.int8.onnx",
             "decoder": "decoder-epoch-99-avg-1.onnx",
             "joiner": "joiner-epoch-99-avg-1.int8.onnx", "tokens": "tokens.txt"},
        ),
        (
            ("tiny.en-encoder.onnx", "tiny.en-decoder.onnx", "tiny.en-tokens.txt"),
            "whisper",
            {"encoder": "tiny.en-encoder.onnx", "decoder": "tiny.en-decoder.onnx",
             "tokens": "tiny.en-tokens.txt"},
        ),
    ],
)  # fmt: skip
def test_the_files_tell_the_kind(tmp_path, names, kind, taken):
    found, files = words.find_sherpa(fill(tmp_path, *names))
    assert found == kind
    assert {name: path.name for name, path in files.items()} == taken


def test_the_metadata_of_a_single_file_tells_its_kind(tmp_path):
    (tmp_path / "tokens.txt").write_text("")
    for name, kind in (
        ("sense_voice_ctc", "sense voice"),
        ("zipformer2_ctc", "zipformer ctc"),
        ("EncDecCTCModelBPE", "nemo ctc"),
        ("EncDecHybridRNNTCTCBPEModel", "nemo ctc"),
        ("wenet_ctc", "wenet ctc"),
        ("paraformer", "paraformer"),
    ):
        constant_network(tmp_path / "model.onnx", [0], 3, name)
        found, files = words.find_sherpa(tmp_path)
        assert found == kind
        argument = "paraformer" if kind == "paraformer" else "model"
        assert files == {argument: tmp_path / "model.onnx", "tokens": tmp_path / "tokens.txt"}
        maker = getattr(sherpa_onnx.OfflineRecognizer, "from_" + kind.replace(" ", "_"))
        assert set(files) <= set(inspect.signature(maker).parameters)
    constant_network(tmp_path / "model.onnx", [0], 3, "tdnn")
    with pytest.raises(ValueError, match=r"must be a SenseVoice or .* calls it tdnn"):
        words.find_sherpa(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(ValueError, match="calls it nothing"):
        words.find_sherpa(tmp_path)


def test_the_metadata_of_an_encoder_tells_its_kind(tmp_path):
    fill(tmp_path, "decoder.onnx", "joiner.onnx", "tokens.txt")
    constant_network(tmp_path / "encoder.onnx", [0], 3, "EncDecRNNTBPEModel")
    assert words.find_sherpa(tmp_path)[0] == "nemo transducer"
    constant_network(tmp_path / "encoder.onnx", [0], 3, "zipformer2")
    assert words.find_sherpa(tmp_path)[0] == "transducer"
    constant_network(tmp_path / "encoder.onnx", [0], 3, "zipformer2", decode_chunk_len="32")
    with pytest.raises(ValueError, match=r"a model for streaming: encoder\.onnx"):
        words.find_sherpa(tmp_path)
    (tmp_path / "joiner.onnx").unlink()
    constant_network(tmp_path / "encoder.onnx", [0], 3, "whisper-tiny.en")
    assert words.find_sherpa(tmp_path)[0] == "whisper"
    constant_network(tmp_path / "encoder.onnx", [0], 3, "paraformer")
    with pytest.raises(ValueError, match=r"encoder\.onnx: must be Whisper's.*it paraformer"):
        words.find_sherpa(tmp_path)


def test_folders_that_hold_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        words.sherpa_onnx(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="file is a file; sherpa_onnx takes a model's"):
        words.sherpa_onnx(fill(tmp_path, "file") / "file")
    (tmp_path / "file").unlink()
    with pytest.raises(FileNotFoundError, match=r"joiner\*\.onnx \(transducer\).*got nothing"):
        words.sherpa_onnx(tmp_path)
    fill(tmp_path, "encoder.onnx", "decoder.onnx", "joiner.onnx")
    with pytest.raises(FileNotFoundError, match=r"tokens\.txt.*got decoder\.onnx, encoder\.onnx"):
        words.sherpa_onnx(tmp_path)
    with pytest.raises(ValueError, match="threads must be an integer of at least 1, got 0"):
        words.sherpa_onnx(tmp_path, threads=0)
    chunked = tmp_path / "chunked"
    chunked.mkdir()
    fill(chunked, *(f"{p}-avg-1-chunk-16.onnx" for p in ("encoder", "decoder", "joiner")))
    with pytest.raises(ValueError, match="a model for streaming: encoder-avg-1-chunk-16"):
        words.sherpa_onnx(fill(chunked, "tokens.txt"))


def constant_network(
    path: Path, tokens: list[int], vocabulary: int, kind: str, **metadata: str
) -> None:
    """A CTC network in Zipformer's form that hears ``tokens`` in every sound.

    x [N, T, 80] and x_lens [N] -> log_probs [N, len(tokens), V] and log_probs_len [N].
    """
    rows = np.full((1, len(tokens), vocabulary), -9.0, np.float32)
    rows[0, np.arange(len(tokens)), tokens] = -0.01
    values = {"rows": rows, "zero": np.zeros(1, np.float32), "count": np.array([len(tokens)])}
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["rows", "nothing"], ["log_probs"]),
        helper.make_node("Mul", ["x_lens", "none"], ["none_each"]),
        helper.make_node("Add", ["none_each", "count"], ["log_probs_len"]),
    ]
    values["none"] = np.zeros(1, np.int64)
    graph = helper.make_graph(
        nodes, "constant",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "T", 80]),
         helper.make_tensor_value_info("x_lens", TensorProto.INT64, ["N"])],
        [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["N", "K", vocabulary]),
         helper.make_tensor_value_info("log_probs_len", TensorProto.INT64, ["N"])],
        [onnx.numpy_helper.from_array(array, name) for name, array in values.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 8
    helper.set_model_props(made, {"comment": "made by a test", "model_type": kind, **metadata})
    onnx.save(made, str(path))


def test_sherpa_onnx_runs_a_network(tmp_path):
    (tmp_path / "tokens.txt").write_text("<blk> 0\n▁HELLO 1\n▁THERE 2\n")
    constant_network(tmp_path / "model.onnx", [0, 1, 1, 0, 2], 3, "zipformer2_ctc")
    source = words.sherpa_onnx(tmp_path)
    pcm = speech(TEXTS[1])
    assert source(pcm, 16000).lower() == "hello there"
    assert source(np.repeat(pcm, 3), 48000).lower() == "hello there"
    assert source(pcm[:0], 16000) == ""
