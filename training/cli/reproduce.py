"""The command that does every table of the paper again."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.cli.app import app
from training.cli.options import (
    Changes,
    Device,
    DeviceOption,
    EngineOption,
    Epochs,
    Extra,
    Json,
    Layout,
    Protocol,
    Workers,
    pairs,
)
from training.cli.terminal import console, print_results, run_progress, show_line, tell
from training.config.commands import command_line
from training.errors import BadSettingError

if TYPE_CHECKING:
    from training.studies.reproduction.study import Study


@app.command()
def reproduce(
    out: Annotated[
        Path, typer.Option(help="Folder of the study; an existing one is continued.")
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Task-1 folder; default: simulated specimens."),
    ] = None,
    extra: Extra = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Run only this experiment; repeatable. Default: all."),
    ] = None,
    protocol: Annotated[
        Protocol | None, typer.Option(help="How cells are divided into folds.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Number of folds; not for loso.")
    ] = None,
    epochs: Epochs = None,
    specimens: Annotated[
        int, typer.Option(min=12, help="Specimens simulated in place of Task-1.")
    ] = 36,
    extra_specimens: Annotated[
        int, typer.Option(min=12, help="Specimens simulated in place of Task-2.")
    ] = 108,
    device: DeviceOption = Device.auto,
    workers: Workers = 0,
    engine: EngineOption = "local",
    layout: Layout = "auto",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Reproduce every table of the paper, with our figures beside the published ones.

    Without --extra, rows that need Task-2 are left out; without --data, the tables are
    of simulated specimens and marked so. --set NAME=VALUE changes every
    experiment that has the setting, --set EXPERIMENT.NAME=VALUE one. Repeat the
    command to continue a study that was stopped.
    """
    from training.data.simulation import simulated_specimens
    from training.studies.reproduction.page import read_results, write_reproduction
    from training.studies.reproduction.study import (
        plan_study,
        simulate_tasks,
        task_folders,
    )

    options = {"protocol": protocol, "folds": folds, "epochs": epochs}
    given = {key: str(value) for key, value in options.items() if value is not None}
    given |= pairs(changes)
    words = ["--out", str(out)]
    is_simulated = data is None
    if data is not None:
        words += ["--data", str(data), "--layout", layout]
        words += ["--extra", str(extra)] if extra else []
    elif extra is not None:
        raise BadSettingError(
            "--extra", "it goes with --data", "give Task-1 to --data as well"
        )
    else:
        words += ["--specimens", str(specimens)]
        words += ["--extra-specimens", str(extra_specimens)]
        data, extra = task_folders(out)
    study = plan_study(
        str(data),
        str(extra) if extra else "",
        changes=given,
        only=tuple(only or ()),
        layout=layout,
        device=device.value,
        workers=workers,
        engine=engine,
        simulated=is_simulated or simulated_specimens(data) is not None,
    )
    if is_simulated:
        console.print("simulating specimens")
        simulate_tasks(out, specimens, extra_specimens)
    _follow(out, study)
    page = write_reproduction(out, study, _command(words, only or [], given))
    figures = read_results(out)
    if as_json:
        tell({"page": str(page), "results": figures}, as_json)
    else:
        print_results(figures)
        show_line(f"page: {page}")


def _follow(out: Path, study: "Study") -> None:
    """Drain the runs of a study and draw their progress; say what was left out."""
    from training.runs.experiments import EXPERIMENTS
    from training.studies.reproduction.study import run_study

    with run_progress() as show, closing(run_study(out, study)) as events:
        running = ""
        for name, event in events:
            if name != running:
                running = name
                console.print(f"{name}: {EXPERIMENTS[name].title}")
            show(event)
    for name, reason in study.left_out.items():
        console.print(f"{name}: {reason}; it was left out")


def _command(words: list[str], only: list[str], given: dict[str, str]) -> str:
    """Return the command that does a study again, as it may stand on a page."""
    from training.storage.shown_paths import shown_path

    chosen = [word for name in only for word in ("--only", name)]
    shown = map(shown_path, [*words, *chosen])
    return command_line("reproduce", *shown, changed=given)
