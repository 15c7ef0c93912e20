"""A window's process that starts a trainer and watches it, without the window.

`python window_process.py DATA RUN SETTINGS` starts set-1 with the settings, JSON, polls
as the trainer's panel does, and tells how many epochs it has seen, until it is killed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from napari_hep2.trainer.controllers.controller import RunPlan, TrainerController
from training.runs.experiments import EXPERIMENTS


def main() -> None:
    """Start, watch, tell."""
    data, run, settings = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    controller = TrainerController()
    controller.start(RunPlan(EXPERIMENTS["set-1"], data, run, settings))
    while True:
        if not controller.poll():
            time.sleep(0.05)
        folds = controller.state.folds.values() if controller.state else ()
        print(sum(len(fold.curve) for fold in folds), flush=True)


if __name__ == "__main__":
    main()
