import pytest

from gban_edge.config import GBANConfig


def test_defaults_are_the_authors_sizes():
    config = GBANConfig(vocabulary=100)
    assert config.states == 256
    assert config.receptive_field == 61
    # 750 frames (7.5 s at a 10 ms hop) are 44 steps in the authors' code.
    assert config.speech_steps(750) == 44
    assert config.speech_steps(747) == 43
    assert [config.speech_steps(n) for n in (0, 60, 61, 62)] == [1, 1, 1, 1]
    assert [config.text_steps(n) for n in (0, 1, 2, 3, 20)] == [1, 1, 1, 2, 10]


def test_receptive_field_is_the_least_that_gives_a_step():
    for filters in ((4,), (4, 4), (4, 4, 4), (4,) * 5):
        for kernel in (2, 3, 5):
            config = GBANConfig(vocabulary=9, conv_filters=filters, conv_kernel=kernel)
            steps = {}
            for frames in range(1, config.receptive_field + 1):
                left = frames
                for _ in filters:
                    left = max(0, left - kernel + 1) // 2
                steps[frames] = left
            assert steps[config.receptive_field] == 1
            assert steps[config.receptive_field - 1] == 0


def test_round_trip():
    config = GBANConfig(vocabulary=7, conv_filters=(3, 5), dropout=0.25, lstm_layers=2)
    assert GBANConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocabulary", 1),
        ("vocabulary", 10.0),
        ("classes", 0),
        ("hidden", True),
        ("hidden", -3),
        ("conv_filters", ()),
        ("conv_filters", 12),
        ("conv_filters", (12, 0)),
        ("text_kernels", (2, "3")),
        ("hidden", 2**24 + 1),
        ("lstm_layers", 17),
        ("conv_filters", (1,) * 17),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", "half"),
    ],
)
def test_bad_values_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        GBANConfig(**{"vocabulary": 10, name: value})


@pytest.mark.parametrize("values", [{"vocabulary": 5, "colour": 1}, {}, [1], None])
def test_from_dict_refuses(values):
    with pytest.raises(ValueError, match="config"):
        GBANConfig.from_dict(values)
