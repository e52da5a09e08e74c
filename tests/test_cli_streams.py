"""gban-edge with closed, full and broken standard streams, odd encodings and odd names."""

import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from command_process import command, environment, program, small_model, write_wav
from helpers import speech_like

from gban_edge import EmotionRecognizer
from gban_edge.streams import ASCII, check_folder, printable, sentence

NAMES = [b"\xff\xfe.wav", b"[red]x.wav", b"new\nline.wav", b"esc\x1b[31m.wav", "日本.wav".encode()]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model") / "m.safetensors", ("怒り", "glücklich"))


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    pcm = speech_like(np.random.default_rng(5), 20000)
    return write_wav(tmp_path_factory.mktemp("sound") / "a.wav", pcm)


def shell(line, *arguments, **more):
    """A line of bash in which "$@" is gban-edge with the arguments."""
    argv = ["bash", "-c", line, "bash", *program(*arguments)]
    return subprocess.run(argv, capture_output=True, env=environment(**more))


def test_a_full_disk_is_one_line(model, wav):
    for arguments in (("--help",), ("predict", model, wav), ("predict", model, wav, "--json")):
        done = shell('"$@" > /dev/full', *arguments)
        assert done.returncode == 1
        assert done.stderr.endswith(b"No space left on device\n")
        assert done.stderr.count(b"\n") == 1


def test_a_reader_that_went_away_is_no_error(model, wav):
    for arguments in (("predict", "--help"), ("predict", model, wav), ("info",)):
        done = shell('"$@" | true; echo ${PIPESTATUS[0]}', *arguments)
        assert (done.stdout, done.stderr) == (b"0\n", b"")


def test_closed_streams(model, wav):
    done = shell('"$@" <&-', "predict", model, "-")
    assert b"error: standard input: closed" in done.stderr
    assert done.returncode == 1
    done = shell('"$@" >&- 2>&-', "predict", model, wav, "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    done = command("predict", model, "-")
    assert "error: standard input: empty" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_another_encoding(model, wav, encoding):
    done = shell('"$@"', "predict", model, wav, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode(encoding)
    assert r"\u6012\u308a" in shown
    assert ("glücklich" in shown) == (encoding == "latin-1")
    assert set(shown) & set(ASCII.values())
    assert not set(shown) & set(ASCII)
    done = shell('"$@"', "predict", model, wav, "--json", PYTHONIOENCODING=encoding)
    assert list(json.loads(done.stdout)["probabilities"]) == ["怒り", "glücklich"]


def test_names_that_are_no_text(model, wav, tmp_path):
    for name in NAMES:
        (tmp_path / os.fsdecode(name)).write_bytes(wav.read_bytes())
    found = {json.loads(line)["file"] for line in command(
        "predict", model, tmp_path, "--json").stdout.splitlines()}  # fmt: skip
    assert {os.fsencode(file) for file in found} == {
        os.fsencode(tmp_path) + b"/" + n for n in NAMES
    }
    shown = command("predict", model, tmp_path).stdout
    for name in (
        r"\udcff\udcfe.wav",
        "[red]x.wav",
        r"new\nline.wav",
        r"esc\x1b[31m.wav",
        "日本.wav",
    ):
        assert f"{name} " in shown
    assert "\x1b" not in shown
    missing = command("predict", model, os.fsdecode(b"no\xff[red]\n\x1b[31mx.wav"))
    assert missing.stderr == ("error: sound file no\\udcff[red] \\x1b[31mx.wav does not exist\n")


def test_no_colour_where_none_is_wanted(model, tmp_path):
    """On a terminal, as script(1) has one; TERM=dumb draws no bar either."""
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        read, write = os.openpty()
        settings = {**environment(), "TERM": "xterm", name: value}
        done = subprocess.run(
            program("predict", model, "x.wav", "y.wav"), stderr=write, stdout=subprocess.PIPE,
            env=settings, cwd=tmp_path,
        )  # fmt: skip
        os.close(write)
        said = os.read(read, 65536).decode()
        os.close(read)
        assert done.returncode == 1
        assert "error: sound file x.wav does not exist" in said
        assert "\x1b[31m" not in said
        assert ("hearing" in said) == (name == "NO_COLOR")


def test_output_that_cannot_be_written_is_told_before_it_hears(model, wav, tmp_path):
    for path, says in (
        (tmp_path, "must be a file"), (wav / "x.csv", "Not a directory"),
        ("/proc/x.csv", "cannot be written"),
    ):  # fmt: skip
        done = command("predict", "no.safetensors", wav, "--csv", "-o", path)
        assert done.returncode == 1
        assert says in done.stderr
        assert "no.safetensors" not in done.stderr


def test_ctrl_c_while_it_is_imported():
    hook = """if True:
        import os, signal, sys
        class Finder:
            def find_spec(self, name, *_):
                if name == "gban_edge.commands":
                    os.kill(os.getpid(), signal.SIGINT)
    """
    run = "import sys; sys.meta_path.insert(0, Finder())\nfrom gban_edge.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", hook + "\n" + run, "info"], capture_output=True,
                          env=environment())  # fmt: skip
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, b"")


def test_raw_pcm_and_pipes(model, wav):
    pcm = wav.read_bytes()[44:]
    expected = EmotionRecognizer.from_pretrained(model)(wav).probabilities
    done = command("predict", model, "-", "--raw", "16000", "--json", stdin=pcm)
    assert json.loads(done.stdout)["probabilities"] == expected
    done = command("predict", model, "-", "--raw", "16000", stdin=pcm[:-1])
    assert "no whole number of 16-bit samples" in done.stderr
    done = shell(f'"$@" --json <(cat {wav})', "predict", model)
    assert json.loads(done.stdout)["probabilities"] == expected
    assert "no file but a device" in command("predict", model, "/dev/null").stderr


def test_words_for_people(tmp_path):
    assert printable("tab\there") == r"tab\there"
    assert sentence(FileNotFoundError(2, "No such file", "x.wav")) == "x.wav: No such file"
    assert sentence(ValueError("two\n  lines")) == "two lines"
    check_folder(tmp_path / "to" / "be" / "made", "x")
    assert list(tmp_path.iterdir()) == []
    ascii_only = io.TextIOWrapper(io.BytesIO(), "ascii", errors="gban_edge_ascii")
    ascii_only.write("▁█ é")
    ascii_only.flush()
    assert ascii_only.buffer.getvalue() == rb"_# \xe9"
