"""What the tests of pictures share: results of small random networks, and what is drawn of them."""

from __future__ import annotations

import itertools
import warnings
from io import BytesIO

import matplotlib
import matplotlib.image
from helpers import SMALL
from runtime_models import make_model

from gban_edge import EmotionRecognizer
from gban_edge.config import GBANConfig

WORDS = "w2 w3 w4 w5 w6"
# The speech encoder's layers are the authors', the rest is small.
AUTHORS = GBANConfig.from_dict({**SMALL.to_dict(), "conv_filters": [6, 7, 8, 9]})


def recognizer_of(folder, config, name="gban", **options):
    model = make_model(folder / f"{name}.safetensors", config, name)
    return EmotionRecognizer.from_pretrained(model.path, backend="cpu", **options)


def drawn(figure):
    """The picture as float [height, width, 3]; a letter that no font has is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        file = BytesIO()
        figure.savefig(file, format="png", dpi=60)
    file.seek(0)
    picture = matplotlib.image.imread(file)[..., :3]
    assert picture.std() > 0.02
    return picture


def ticks(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def panels(figure):
    """The heat map, what its rows counted, the speech bars and the scale."""
    heat, counted, speech, scale = figure.axes[-4:]
    return heat, counted, speech, scale


def assert_nothing_overlaps(figure):
    """All that is written lies in the picture, and no text on another."""
    figure.draw_without_rendering()
    written = [*figure.texts]
    for axes in (inner for outer in figure.axes for inner in (outer, *outer.child_axes)):
        written += [*axes.texts, axes.title, axes._left_title]
        if axes.axison:
            written += [axes.xaxis.label, axes.yaxis.label]
            written += [tick.label1 for axis in (axes.xaxis, axes.yaxis) for tick in
                        axis._update_ticks()]  # fmt: skip
    boxes = [
        text.get_window_extent() for text in written
        if text.get_visible() and text.get_text().strip()
    ]  # fmt: skip
    assert len(boxes) > 8
    width, height = figure.bbox.width, figure.bbox.height
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    for one, other in itertools.combinations(boxes, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        along = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across <= 1 or along <= 1
