"""A trainer that trains nothing but keeps the contract of the run folder.

Run as a script by the tests: fake_trainer.py RUN [--folds N] [--epochs N] [--pause S]
[--stubborn] [--child] [--fail-first].
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from training.storage.locks import own_lock

PATTERNS = ["Homogeneous", "Speckled", "Nucleolar", "Centromere", "NuMem", "Golgi"]


def plan(n_folds: int) -> list[dict]:
    return [
        {
            "name": f"specimen-{i:03d}",
            "specimens": [f"{i:03d}"],
            "patterns": [PATTERNS[i % 6]],
            "n_train": 1000,
            "n_test": 20 + i,
            "done": False,
        }
        for i in range(n_folds)
    ]


def events(n_folds: int, epochs: int, fail_first: bool = False):
    """Yield the events of a whole run, without their times."""
    folds = plan(n_folds)
    yield {
        "kind": "run-started", "experiment": "set-1", "protocol": "loso",
        "leaky": False, "epochs": epochs, "patterns": PATTERNS, "device": "cpu",
        "workers": 1, "resumed": False, "folds": folds,
    }  # fmt: skip
    confusion = [[0] * 6 for _ in range(6)]
    specimens = dict.fromkeys(PATTERNS, 0)
    for i, fold in enumerate(folds):
        yield {"kind": "fold-started", "fold": fold["name"], "epoch": 0}
        if fail_first and i == 0:
            yield {"kind": "fold-failed", "fold": fold["name"], "message": "no memory"}
            continue
        for epoch in range(1, epochs + 1):
            yield {
                "kind": "epoch", "fold": fold["name"], "epoch": epoch,
                "loss": 1.8 / epoch + 0.02 * (i % 5),
                "accuracy": 1 - 0.8 / epoch - 0.01 * (i % 5), "seconds": 0.1,
            }  # fmt: skip
        correct = fold["n_test"] - (i * 7) % 13
        truth = i % 6
        confusion[truth][truth] += correct
        confusion[truth][(truth + 1 + i % 3) % 6] += fold["n_test"] - correct
        specimens[PATTERNS[truth]] += 1
        yield {"kind": "fold-done", "fold": fold["name"], "n": fold["n_test"],
               "correct": correct}  # fmt: skip
        yield metrics(i + 1, n_folds, confusion, specimens)
    yield {"kind": "run-done", "seconds": 1.0}


def metrics(done: int, n_folds: int, confusion: list, specimens: dict) -> dict:
    rates = {
        name: row[k] / sum(row) if sum(row) else None
        for k, (name, row) in enumerate(zip(PATTERNS, confusion, strict=True))
    }
    known = [rate for rate in rates.values() if rate is not None]
    full = len(known) == 6
    mean = sum(known) / 6 if full else None
    return {
        "kind": "metrics", "folds_done": done, "folds": n_folds,
        "n": sum(map(sum, confusion)), "mean_class_accuracy": mean,
        "interval": [mean - 0.05, mean + 0.04] if full else None,
        "rates": rates, "specimens": dict(specimens),
        "confusion": [list(row) for row in confusion],
    }  # fmt: skip


def line(event: dict) -> str:
    return json.dumps({"time": datetime.now(UTC).isoformat(), **event}) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.02)
    for flag in ("--stubborn", "--child", "--fail-first", "--refuse"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args()
    if options.refuse:
        print("data.csv: the file is empty; choose another.", file=sys.stderr)
        return 2
    run = options.run
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.child:
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", code])
        (run / "child").write_text(str(child.pid))
    (run / "lock").write_text(json.dumps(own_lock()))
    with (run / "events.jsonl").open("a", buffering=1) as log:
        for event in events(options.folds, options.epochs, options.fail_first):
            if (run / "stop").exists() and not options.stubborn:
                log.write(line({"kind": "stopped"}))
                (run / "lock").unlink()
                return 3
            log.write(line(event))
            time.sleep(options.pause)
    (run / "lock").unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
