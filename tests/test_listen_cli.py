"""gban-edge listen: files as processes, the microphone through a stand-in for sounddevice."""

import json
import signal
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from command_process import command, environment, program, refused, small_model, write_wav
from helpers import assert_clean_error, speech_like
from rich.console import Console

from gban_edge import EmotionRecognizer
from gban_edge.listen_panel import View
from gban_edge.listen_run import follow
from gban_edge.microphone import File, Microphone, list_devices, load_sounddevice, parse_device
from gban_edge.stream import Level, SpeechEnded, UtteranceStream


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model") / "m.safetensors")


@pytest.fixture(scope="module")
def speech(smoke_corpus, tmp_path_factory):
    """Two synthesised utterances with 1.5 s of faint noise around them; where they lie, seconds."""
    folder = smoke_corpus / "Session1" / "sentences" / "wav"
    wavs = [p for p in sorted(folder.rglob("*.wav")) if not p.name.startswith(".")][:2]
    pause, parts, spans = np.zeros(24000), [np.zeros(24000)], []
    for wav in wavs:
        start = sum(map(len, parts)) / 16000
        parts += [soundfile.read(wav)[0], pause]
        spans.append((start, sum(map(len, parts)) / 16000 - 1.5))
    pcm = np.concatenate(parts)
    pcm = pcm + 1e-4 * np.random.default_rng(0).standard_normal(len(pcm))
    return write_wav(tmp_path_factory.mktemp("speech") / "two.wav", pcm), spans


def events(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_results(found, spans):
    """An utterance a span, each where it lies but for 0.6 s."""
    results = [event for event in found if event["type"] == "result"]
    assert len(results) == len(spans)
    for event, (start, end) in zip(results, spans, strict=True):
        assert abs(event["start"] - start) < 0.6
        assert abs(event["end"] - end) < 0.6
        assert event["latency"] > 0
        assert sum(event["result"]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    return results


def test_a_file_as_json(model, speech):
    wav, spans = speech
    done = command("listen", model, "--file", wav, "--fast", "--json", "--vad", "energy")
    assert done.returncode == 0, done.stderr
    found = events(done)
    assert found[0]["type"] == "ready"
    assert found[0]["labels"] == ["ang", "hap", "neu", "sad"]
    results = check_results(found, spans)
    recognizer, pcm = EmotionRecognizer.from_pretrained(model), soundfile.read(wav)[0]
    for event in results:
        first, last = round(event["start"] * 16000), round(event["end"] * 16000)
        expected = recognizer(pcm[first:last].astype(np.float32))
        assert event["result"]["label"] == expected.label
        assert event["result"]["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    levels = [event for event in found if event["type"] == "level"]
    assert [event["time"] for event in levels] == pytest.approx(
        [0.1 * (i + 1) for i in range(len(levels))]
    )
    speaking = {event["speaking"] for event in levels}
    assert speaking == {True, False}


def test_a_file_at_another_rate_as_lines_with_words(model, speech, tmp_path):
    pytest.importorskip("pocketsphinx")
    wav, spans = speech
    pcm = soundfile.read(wav)[0][: round(16000 * (spans[0][1] + 1.4))]  # the first of them
    double = np.interp(np.arange(2 * len(pcm)) / 2, np.arange(len(pcm)), pcm)
    high = write_wav(tmp_path / "high.wav", double, 32000)
    done = command("listen", model, "--file", high, "--fast", "--asr", "pocketsphinx")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert any(f"  {label} " in line for label in ("ang", "hap", "neu", "sad")), line
    assert len(line.split('"')[1].split()) >= 2  # words were heard
    assert "latency " in line


def test_labels_of_a_stranger_s_model_do_not_drive_the_terminal(tmp_path):
    labels = tuple(f"{kind}\x1b[31m\n" for kind in "abcd")
    model = small_model(tmp_path / "strange.safetensors", labels)
    sound = write_wav(tmp_path / "x.wav", speech_like(np.random.default_rng(1), 32000))
    done = command("listen", model, "--file", sound, "--fast", "--vad", "energy")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert all("latency" in line for line in done.stdout.splitlines())
    assert done.stdout


def test_ctrl_c_ends_it_quietly(model, tmp_path):
    long = write_wav(tmp_path / "long.wav", np.zeros(16000 * 600))
    with subprocess.Popen(
        program("listen", model, "--file", long, "--json"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert json.loads(process.stdout.readline())["type"] == "ready"
        assert json.loads(process.stdout.readline())["type"] == "level"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err) == (0, b"")


def test_a_file_is_heard_in_real_time_unless_fast(tmp_path):
    wav = write_wav(tmp_path / "x.wav", np.zeros(16000))
    clock = SimpleNamespace(now=50.0)

    def sleep(seconds):
        clock.now += seconds

    with File(wav, fast=False, sleep=sleep, clock=lambda: clock.now) as source:
        times = [clock.now - 50.0 for _ in source]
    assert times == pytest.approx([min(0.032 * (i + 1), 1.0) for i in range(32)])
    with File(wav, fast=True, sleep=lambda _: pytest.fail("it waited")) as source:
        assert sum(map(len, source)) == 16000


class PortAudioError(Exception):
    pass


class FakeSounddevice:
    """sounddevice with one microphone of one rate, which hears what ``record`` is given."""

    PortAudioError = PortAudioError
    active, trouble = False, None

    def __init__(self, rate=16000, devices=True):
        self.rate, self.opened, self.callback = rate, None, None
        self.default = SimpleNamespace(device=(1, 0))
        self.devices = [
            {"name": "HDMI", "max_input_channels": 0, "default_samplerate": 44100.0},
            {"name": "USB mic", "max_input_channels": 1, "default_samplerate": float(rate)},
        ][: 2 if devices else 1]

    def query_devices(self, device=None, kind=None):
        if kind is None:
            return self.devices
        if device not in (None, 1, "USB") or len(self.devices) < 2:
            raise PortAudioError("Error querying device -1")
        return self.devices[1]

    def check_input_settings(self, *, samplerate, **_):
        if samplerate != self.rate:
            raise PortAudioError("Invalid sample rate")

    def InputStream(self, *, samplerate, callback, **settings):  # noqa: N802
        assert samplerate == self.rate
        self.opened, self.callback = settings, callback
        return SimpleNamespace(start=self.start, close=self.close, active=self.active)

    def start(self):
        if self.trouble is not None:
            raise self.trouble

    def close(self):
        raise PortAudioError("as of one that is unplugged")

    def record(self, block):
        self.callback(block[:, None], len(block), None, None)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_microphone(model, speech, rate):
    wav, spans = speech
    pcm = np.repeat(soundfile.read(wav, dtype="float32")[0], rate // 16000)
    fake = FakeSounddevice(rate)
    microphone = Microphone("USB", fake)
    assert (microphone.name, microphone.rate) == ("USB mic", rate)
    assert (fake.opened["channels"], fake.opened["device"]) == (1, "USB")
    stream = UtteranceStream(
        EmotionRecognizer.from_pretrained(model), vad="energy", sample_rate=rate
    )
    found = []
    with microphone:
        blocks, size = iter(microphone), fake.opened["blocksize"]
        assert size == 512 * rate // 16000
        for first in range(0, len(pcm), size):
            fake.record(pcm[first : first + size])
            found += stream.push(next(blocks))
    found += stream.finish()
    ended = [event for event in found if isinstance(event, SpeechEnded)]
    assert len(ended) == len(spans)
    assert microphone.lost == 0


def test_sound_that_nobody_fetches_is_lost_and_counted():
    fake = FakeSounddevice()
    with Microphone(None, fake) as microphone:
        for _ in range(310):
            fake.record(np.zeros(512, np.float32))
        assert microphone.lost == 10
        assert len(next(iter(microphone))) == 512


def test_a_microphone_that_stops(monkeypatch):
    monkeypatch.setattr("gban_edge.microphone.PATIENCE", 0.01)
    fake = FakeSounddevice()
    with (
        Microphone(None, fake) as microphone,
        pytest.raises(RuntimeError, match=r"'USB mic' stopped: unplugged.*--list-devices"),
    ):
        list(microphone)
    fake.active = True  # of a driver that never says that its device is gone
    with Microphone(None, fake) as microphone, pytest.raises(RuntimeError, match="unplugged"):
        list(microphone)


def test_a_microphone_that_does_not_start():
    fake = FakeSounddevice()
    fake.trouble = PortAudioError("Device unavailable")
    with (
        pytest.raises(RuntimeError, match=r"'USB mic' does not start .Device unavailable"),
        Microphone(None, fake),
    ):
        pass


def test_no_microphone_lists_what_there_is():
    with pytest.raises(RuntimeError) as error:
        Microphone(None, FakeSounddevice(devices=False))
    for part in ("no microphone", "0 HDMI (0 in, 44100 Hz)", "--device", "--file"):
        assert part in str(error.value)
    with pytest.raises(RuntimeError, match="device 'Headset' cannot be used"):
        Microphone("Headset", FakeSounddevice())


def test_devices_are_listed_with_the_default_marked():
    assert list_devices(FakeSounddevice()) == [
        "   0  HDMI  (0 in, 44100 Hz)", "*  1  USB mic  (1 in, 16000 Hz)"
    ]  # fmt: skip


def test_what_is_not_installed(model, monkeypatch):
    done = command("listen", model, missing=["sounddevice"])
    assert_clean_error(done, "error: ", 'pip install "gban-edge[listen]"')
    assert done.returncode == 1

    def no_library(name):
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("gban_edge.microphone.import_module", no_library)
    with pytest.raises(RuntimeError, match="sudo apt install libportaudio2"):
        load_sounddevice()


def test_what_a_person_gets_wrong(model, speech, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    for status, says, arguments in (
        (1, "missing.wav does not exist", (model, "--file", tmp_path / "missing.wav")),
        (1, "text.wav", (model, "--file", text)),
        (1, "does not exist", (tmp_path / "none.safetensors", "--file", speech[0])),
        (2, "must be one of auto, silero", (model, "--file", speech[0], "--vad", "loud")),
        (2, "give a model file", ()),
        (2, "one speed", (model, "--fast")),
        (2, "exclude each other", (model, "--file", text, "--device", "1")),
        (2, "pocketsphinx or sherpa:FOLDER", (model, "--asr", "sherpa")),
    ):
        assert says in refused(status, "listen", *arguments)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_panel(model, speech, width):
    recognizer = EmotionRecognizer.from_pretrained(model)
    stream = UtteranceStream(recognizer, vad="energy", words=lambda pcm, rate: "w3 [w4]")
    view = View("USB mic", recognizer.backend, stream.vad.name, "given")
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(view)
    assert "quiet" in (before := console.export_text())
    assert "say something" in before
    last = None
    with File(speech[0], fast=True) as source:
        for block in source:
            for event in stream.push(block):
                view.take(event)
                last = event.result if isinstance(event, SpeechEnded) else last
    console.print(view)
    after = console.export_text()
    assert last is not None
    assert f"{last.label} {100 * last.confidence:.0f} %" in after
    for part in ("w3 [w4]", "a_s", "h_s", "latency", "Emotion is being estimated", "USB mic"):
        assert part in after
    assert "say something" not in after
    sound = round(100 * last.contributions["h_s"])
    assert f"sound {sound} : {100 - sound}" in after
    assert all(len(line) <= width for line in (before + after).splitlines())
    view.take(Level(99.0, 0.0316, True))
    view.lost = 3
    console.print(view)
    loud = console.export_text()
    assert "speech" in loud
    half = "█" * (10 if width >= 60 else 5)
    assert f"▕{half}{' ' * len(half)}▏" in loud  # half of 60 dB, half of the bar
    assert "3 blocks of sound lost" in loud


def test_on_a_terminal_there_is_a_panel(model, speech, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    recognizer = EmotionRecognizer.from_pretrained(model)
    stream = UtteranceStream(recognizer, vad="energy")
    view = View("two.wav", recognizer.backend, "energy", "")
    follow(File(speech[0], fast=True), stream, view, as_json=False)
    assert "none: by sound alone" in capsys.readouterr().out
    assert view.utterances == 2


def test_a_device_is_a_number_or_a_name():
    assert parse_device("3") == 3
    for name in ("USB", "\u00b2", None):
        assert parse_device(name) == name
