"""The paper's numbers, held against what they must satisfy if they were copied without a slip."""

import pytest

from train import paper
from train.corpus import IEMOCAP_TABLE

BY_FOLD = paper.TABLE_1 | paper.TABLE_2
SIZES = (942, 813, 1000, 793, 942)


def test_test_sets_are_those_behind_the_tables():
    assert tuple(sum(IEMOCAP_TABLE[fold].values()) for fold in paper.FOLDS) == SIZES


@pytest.mark.parametrize("model", BY_FOLD)
def test_every_cell_is_a_count_of_right_answers(model):
    folds, average = BY_FOLD[model]
    for wa, size in zip(folds, SIZES, strict=True):
        assert f"{round(wa * size) / size:.4f}" == f"{wa:.4f}"
    assert sum(folds) / 5 == pytest.approx(average, abs=6e-5)


def test_table_3_repeats_table_2():
    for model in ("concat_1", "tfl", "gmu", "gban"):
        assert paper.TABLE_3[model][0] == paper.average(model, "wa") == BY_FOLD[model][1]
    assert paper.average("gban", "ua") == 0.7008
    assert paper.average("cnn_att", "ua") is None
    assert paper.average("mdre", "wa") is None
    assert paper.average("h_s", "ua") is None
    assert paper.wa_by_fold("att_lstm") is None


def test_figure_2_is_read_in_groups_that_sum_to_one():
    for speech, text in (("a_s", "a_t"), ("h_s", "h_t")):
        low, high = paper.FIGURE_2[speech]
        assert paper.FIGURE_2[text] == pytest.approx((1 - high, 1 - low))


def test_every_system_is_described_and_has_a_table():
    assert len(paper.SYSTEMS) == 15
    assert set(paper.SYSTEMS) == set(paper.TABLE_1) | set(paper.TABLE_2) | set(paper.TABLE_3)
    assert {name for name in paper.SYSTEMS if paper.SYSTEMS[name].given != "both"} == set(
        paper.UNIMODAL
    )
    assert [paper.title("gban", 2), paper.title("gban"), paper.title("new")] == [
        "GGF", "GBAN", "new",
    ]  # fmt: skip


def test_ratio_of_test_to_training_set():
    # Fold 2: 813 of 4490; 95% of the other 3677 are trained on.
    folds = [n / (0.95 * (4490 - n)) for n in SIZES]
    assert folds[1] == pytest.approx(813 / 3493.15)
    assert paper.test_to_train() == pytest.approx(sum(folds) / 5)
