"""Sound files: every kind that is read, and every one that is refused."""

import struct
import sys
import wave

import numpy as np
import pytest
import soundfile
from helpers import SMALL, speech_like
from runtime_models import make_model
from test_imports import EXTRAS, run_without
from test_runtime import same

from gban_edge import EmotionRecognizer
from gban_edge.runtime.wav import read_file

PCM = speech_like(np.random.default_rng(0), 30000).astype(np.float32)
INT16 = np.round(PCM * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "gban.safetensors", SMALL)


@pytest.fixture(scope="module")
def rec(model):
    return EmotionRecognizer.from_pretrained(model.path, "cpu")


def write_wave(path, channels=1, width=2, rate=16000, data=None):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(INT16.astype("<i2").tobytes() if data is None else data)


def test_a_wav_as_the_standard_library_writes_it(rec, tmp_path):
    path = tmp_path / "x.wav"
    write_wave(path)
    for name in (path, str(path)):
        same(rec(name, "w2"), rec(INT16, "w2"))
        same(rec(name, "w2", sample_rate=16000), rec(INT16, "w2"))
    with pytest.raises(ValueError, match=r"must be 16000, that of .*x\.wav, got 44100; leave it"):
        rec(path, "w2", 44100)
    write_wave(path, rate=48000)
    same(rec(path, "w2"), rec(INT16, "w2", 48000))
    write_wave(path, rate=4000)
    with pytest.raises(
        ValueError, match=r"x\.wav: sample_rate must lie in 8000\.\.192000, got 4000"
    ):
        rec(path, "w2")


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("subtype", "step"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-23),
        ("PCM_32", 2**-24),
        ("FLOAT", 0),
        ("DOUBLE", 0),
        ("ULAW", 0.02),
        ("ALAW", 0.02),
    ],
)
def test_every_kind_of_wav(rec, tmp_path, subtype, step, channels, extensible):
    """Against what libsndfile reads; ULAW and ALAW are read by it here too."""
    path = tmp_path / "x.wav"
    sound = np.stack([PCM, PCM[::-1] / 2][:channels], axis=1)
    soundfile.write(path, sound, 44100, subtype, format="WAVEX" if extensible else "WAV")
    read = read_file(path, 7.5)
    assert (read.rate, read.samples, read.pcm.dtype) == (44100, 30000, np.float32)
    gold = soundfile.read(path, dtype="float64", always_2d=True)[0].mean(axis=1)
    np.testing.assert_allclose(read.pcm, gold, atol=1e-7)
    np.testing.assert_allclose(read.pcm, sound.mean(axis=1), atol=step + 1e-7)
    assert read_file(path, 0.1).pcm.tolist() == read.pcm[:4411].tolist()
    mixed = ("mixed down from 2 channels",) if channels == 2 else ()
    assert rec(path, "w2").notes == (*mixed, "resampled from 44100 Hz")


def test_other_formats_need_soundfile(rec, tmp_path, monkeypatch):
    path = tmp_path / "x.flac"
    soundfile.write(path, INT16, 16000)
    same(rec(path, "w2"), rec(INT16, "w2"))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(RuntimeError, match=r"x\.flac: not a WAV of .* pip install soundfile"):
        rec(path)


def test_a_small_file_that_claims_a_huge_rate_is_not_decoded_whole(rec, tmp_path):
    path = tmp_path / "x.flac"
    soundfile.write(path, np.zeros(3_000_000, np.int16), 655_350)
    assert path.stat().st_size < 50_000
    assert len(read_file(path, 7.5).pcm) == 7.5 * 192_000 + 1
    with pytest.raises(ValueError, match=r"8000\.\.192000, got 655350"):
        rec(path)


def spoiled(path, spoil):
    write_wave(path)
    path.write_bytes(spoil(bytearray(path.read_bytes())))


def put(at, form, value):
    def spoil(data):
        struct.pack_into(form, data, at, value)
        return data

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[:2000], "cut short, 58044 bytes of it are missing"),
        (lambda data: data[:30], "cut short, 6 bytes of it are missing|cut short"),
        (lambda data: data[:36], "cut short, it has no 'data'"),
        (lambda data: data[:12] + data[36:], "damaged, its 'data' comes before its 'fmt '"),
        (put(16, "<I", 8), "damaged, its 'fmt ' has 8 bytes instead of 16"),
        (put(22, "<H", 0), "must be mono or stereo, got 0 channels"),
        (put(22, "<H", 6), "must be mono or stereo, got 6 channels; keep one of them"),
        (put(24, "<I", 0), "damaged, 1 channels of 16 bits at 0 Hz in blocks of 2"),
        (put(32, "<H", 3), "damaged, 1 channels of 16 bits at 16000 Hz in blocks of 3"),
        (lambda data: b"no sound at all", "not a readable sound file"),
        (lambda data: b"", "not a readable sound file"),
    ],
)
def test_damaged_files_are_named(rec, tmp_path, spoil, words):
    path = tmp_path / "x.wav"
    spoiled(path, spoil)
    with pytest.raises(ValueError, match=words) as caught:
        rec(path, "w2")
    assert str(path) in str(caught.value)


def test_files_that_are_none(rec, tmp_path):
    for path in (tmp_path, tmp_path / "no.wav", "a\0b"):
        with pytest.raises(FileNotFoundError, match=r"sound file .* does not exist"):
            rec(path)


def test_a_float_file_s_bad_sample_is_named(rec, tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, np.where(np.arange(30000) == 9, np.nan, PCM), 16000, "FLOAT")
    with pytest.raises(ValueError, match=r"x\.wav: pcm must be finite, got nan at sample 9"):
        rec(path)


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (0xFFFFFFFF, 0xFFFFFFFF),  # ffmpeg
        (0x7FFFF024, 0x7FFFF000),  # sox, espeak
        (0x80000024, 0x80000000),  # arecord
        (0, 0),
        (36, 0),  # Python's wave
        (0xFFFFFFFF, 0),
        (12345, 60000),  # which nobody looks at
    ],
)
def test_a_writer_that_could_not_go_back_leaves_no_size(rec, tmp_path, riff, data):
    path = tmp_path / "x.wav"
    spoiled(path, lambda file: put(4, "<I", riff)(put(40, "<I", data)(file)))
    same(rec(path, "w2"), rec(INT16, "w2"))
    assert read_file(path, 1e9).samples == 30000


def test_a_file_without_samples(rec, tmp_path):
    """What follows its empty 'data' is no sound."""
    path = tmp_path / "x.wav"
    write_wave(path, data=b"")
    assert rec(path, "w2").notes == ("no sound",)
    whole = path.read_bytes() + b"LIST\x04\0\0\0abcd"
    path.write_bytes(whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:])
    assert rec(path, "w2").notes == ("no sound",)


def test_a_file_made_for_more_than_4_gib(rec, tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, INT16, 16000, "PCM_16", format="RF64")
    data = path.read_bytes()
    assert data[:4] == b"RF64"
    same(rec(path, "w2"), rec(INT16, "w2"))
    path.write_bytes(data + b"LIST\x04\0\0\0abcd")
    assert read_file(path, 1e9).samples == 30000
    path.write_bytes(data[:-100])
    with pytest.raises(ValueError, match="cut short, 100 bytes of it are missing"):
        rec(path)


def test_doubles_beyond_single_precision_are_refused(rec, tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(
        path, np.where(np.arange(30000) == 9, 1e300, PCM.astype(float)), 16000, "DOUBLE"
    )
    both = np.stack([np.full(9, np.inf), np.full(9, -np.inf)], axis=1)
    soundfile.write(tmp_path / "both.wav", both, 16000, "FLOAT")
    with pytest.raises(ValueError, match="pcm must be finite, got nan at sample 0"):
        rec(tmp_path / "both.wav")  # without a warning of NumPy's, which is an error here
    with pytest.raises(ValueError, match="pcm must be finite, got inf at sample 9"):
        rec(path)


def test_chunks_that_mean_nothing_are_passed_over(rec, tmp_path):
    path = tmp_path / "x.wav"
    spoiled(path, lambda data: data[:12] + b"LIST\x03\0\0\0abc\0" + data[12:] + b"bext\x02\0\0\0ab")
    same(rec(path, "w2"), rec(INT16, "w2"))


def test_random_damage_never_is_another_kind_of_error(rec, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "x.wav"
    write_wave(path, data=INT16[:2000].tobytes())
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    read = 0
    for _ in range(300):
        data = whole.copy()
        data[rng.integers(0, 44, rng.integers(1, 4))] = rng.integers(0, 256)
        path.write_bytes(data[: rng.integers(0, len(data))] if rng.random() < 0.3 else data)
        try:
            read += rec(path).seconds > 0
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
    assert 0 < read < 300


def test_numpy_is_enough(model, tmp_path):
    write_wave(tmp_path / "x.wav")
    run_without(
        (*EXTRAS, "safetensors"),
        "from gban_edge import EmotionRecognizer\n"
        f"rec = EmotionRecognizer.from_pretrained({str(model.path)!r})\n"
        f"result = rec({str(tmp_path / 'x.wav')!r}, 'w2 w3')\n"
        "assert result.seconds == 1.875 and len(result.alignment) == 2, result\n"
        "import sys\n"
        "assert not {'torch', 'safetensors', 'soundfile'} & set(sys.modules)\n",
    )
