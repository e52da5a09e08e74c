"""How a turn of the built-in corpus sounds: its prosody, its microphone and its noise."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np

from train.turns import Turn


def prosody(turn: Turn, rng: np.random.Generator) -> str:
    """The SSML of a turn: arousal over the whole, emphasis on the deciding clause.

    The deciding adjective is slower, higher and louder; in a contrast its clause is a little
    higher and louder too, and the other clause's adjective is passed over quickly.
    """
    if turn.high:
        rate, pitch, spread = rng.uniform(112, 135), rng.uniform(20, 40), rng.uniform(40, 90)
        volume = rng.uniform(50, 65)
    else:
        rate, pitch, spread = rng.uniform(75, 95), rng.uniform(-35, -10), rng.uniform(-70, -30)
        volume = rng.uniform(30, 42)
    pitch += turn.pitch
    stress = rng.uniform(50, 80)
    contrast = len(turn.sentence.clauses) > 1
    parts = []
    for place, clause in enumerate(turn.sentence.clauses):
        opening, word = escape(clause.opening), escape(clause.adjective)
        if place == turn.sentence.emphasised:
            word = _spoken(word, rate * 0.65, pitch + stress, volume * 1.9)
            if contrast:
                opening = _spoken(opening, rate, pitch + 0.4 * stress, volume * 1.4)
        else:
            word = _spoken(word, rate * 1.15, pitch - 15, volume * 0.8)
        parts.append(f"{opening} {word}")
    sentence = f", {turn.sentence.joint} ".join(parts) + "."
    return f"<speak>{_spoken(sentence, rate, pitch, volume, spread)}</speak>"


def _spoken(
    text: str, rate: float, pitch: float, volume: float, spread: float | None = None
) -> str:
    """An SSML prosody element; percentages of the voice's own values, pitch as a difference."""
    width = "" if spread is None else f' range="{spread:+.0f}%"'
    values = f'rate="{rate:.0f}%" pitch="{pitch:+.0f}%" volume="{volume:.0f}"{width}'
    return f"<prosody {values}>{text}</prosody>"


def record(clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put a microphone's gain (+-3 dB) and noise (18-30 dB below the speech) on clean speech."""
    level = float(np.sqrt(np.mean(clean**2)))
    noise = rng.standard_normal(len(clean))
    colour = rng.uniform(0.0, 0.9)  # white to low-pass
    for _ in range(2):
        noise = noise + colour * np.concatenate([[0.0], noise[:-1]])
    noise *= level * 10 ** (-rng.uniform(18, 30) / 20) / np.sqrt(np.mean(noise**2))
    return np.clip((clean + noise) * 10 ** (rng.uniform(-3, 3) / 20), -1.0, 1.0)
