"""The command ``gban-edge train``; needs typer."""

from __future__ import annotations

from typing import Any

import typer

from gban_edge.checkout import TRAINING, find_checkout, hand_over, require
from gban_edge.told import told

# All options are those of run_folds.py, --help too.
CONTEXT: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
EPILOG = (
    "Exit status: that of train/run_folds.py (0 done; 1 failed; 2 wrong usage; 130 interrupted by "
    "Ctrl-C); 1 where it is not here or cannot run."
)


@told
def train(context: typer.Context) -> None:
    """Train models and cross-validate them: hands over to train/run_folds.py of a checkout."""
    script = find_checkout() / "train" / "run_folds.py"
    require(TRAINING, "training")
    hand_over(script, context.args)
