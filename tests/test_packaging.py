"""What is installed, and what the documents promise of it."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from itertools import accumulate
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.main import get_command

import napari_hep2 as plugin
import training
from training.cli import app
from training.config import (
    ExtractionSettings,
    SegmentationSettings,
    SimulationSettings,
    VerdictSettings,
    parse_together,
)
from training.runs.experiments import configure
from training.studies.reproduction.study import plan_study

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ROOT / "docs" / "commands.md"
"""Written by a tool, from the commands."""
FINDINGS = ROOT / "findings" / "README.md"
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    FINDINGS,
    *sorted(set(ROOT.glob("docs/**/*.md")) - {COMMANDS}),
]
SOURCES = [*ROOT.glob("training/**/*.py"), *ROOT.glob("napari_hep2/**/*.py")]
PROMPT = "hep2 "
WINDOW = ("napari", "qtpy", "PyQt5", "PyQt6", "superqt", "psygnal", "napari_hep2")


@pytest.fixture(scope="module")
def project():
    with (ROOT / "pyproject.toml").open("rb") as stream:
        return tomllib.load(stream)["project"]


# --- the packages ---------------------------------------------------------------


def test_both_packages_come_from_one_distribution():
    """`training` is a name that others may install too."""
    homes = {Path(str(package.__file__)).parents[1] for package in (training, plugin)}
    assert len(homes) == 1


def _imported(body):
    """Yield the imports that happen when a module is read, not in its functions."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If | ast.Try):
            is_typing = "TYPE_CHECKING" in ast.dump(getattr(node, "test", node))
            yield from () if is_typing else _imported(node.body)


def test_every_module_can_be_the_first_to_be_imported():
    """With a module its packages are read; import-linter does not follow these."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in SOURCES
    }
    files = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph = {
        name: {
            package
            for found in _imported(ast.parse(path.read_text()).body)
            for package in accumulate(found.split("."), "{}.{}".format)
            if package in files and not f"{name}.".startswith(f"{package}.")
        }
        for name, path in files.items()
    }
    TopologicalSorter(graph).prepare()


def test_no_module_of_training_loads_what_a_window_needs():
    """import-linter does not see what is imported by name."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in SOURCES
        if path.is_relative_to(ROOT / "training") and path.stem != "__main__"
    ]
    code = (
        f"import importlib, sys; [importlib.import_module(m) for m in {modules!r}];"
        f"print([m for m in sys.modules if m.split('.')[0] in {WINDOW!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert len(modules) > 40


def test_qt_is_never_more_than_an_extra(project):
    names = {Requirement(text).name.lower() for text in project["dependencies"]}
    assert not names & {"pyqt5", "pyqt6", "pyside6", "qtpy", "napari", "superqt"}
    gui = {
        Requirement(text).name.lower()
        for text in project["optional-dependencies"]["gui"]
    }
    assert not gui & {"pyqt5", "pyqt6", "pyside6"}


def what_could_run(source):
    """Return what in a module reads a file in a way that could run code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [n.name for n in names if n.name.split(".")[0] in PICKLES]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in PICKLES:
                found.append(module)
            case ast.Attribute(value=ast.Name(id="torch"), attr="load" | "save"):
                found.append(f"torch.{node.attr}")
            case ast.Attribute(value=ast.Name(id="yaml"), attr="load" | "unsafe_load"):
                found.append(f"yaml.{node.attr}")
            case ast.keyword(arg="allow_pickle", value=value):
                found += [] if ast.unparse(value) == "False" else ["allow_pickle"]
            case ast.Call(func=ast.Name(id="eval" | "exec" as name)):
                found.append(name)
    return found


PICKLES = {"pickle", "joblib", "dill", "shelve", "marshal", "cloudpickle"}


def test_nothing_that_is_read_can_be_run():
    found = {
        path.name: held
        for path in SOURCES
        if (held := what_could_run(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)",
        "import pickle",
        "from joblib import load",
        "np.load(path, allow_pickle=True)",
        "yaml.load(stream, Loader=yaml.Loader)",
        "eval(text)",
    ],
)
def test_what_could_be_run_is_found(line):
    assert what_could_run(line)


# --- the documents --------------------------------------------------------------


def read(document):
    return document.read_text(encoding="utf-8")


def anchor(heading):
    """Return the anchor that GitHub gives a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return plain.strip().replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_links_to_is_there(document):
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", read(document)):
        name, _, place = target.partition("#")
        if target.startswith(("http://", "https://")):
            continue
        path = document.parent / name if name else document
        if not path.exists():
            missing.append(target)
        elif place:
            headings = re.findall(r"^#+ (.+)$", read(path), re.MULTILINE)
            missing += [] if place in map(anchor, headings) else [target]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(document):
    """Paths from the root, in backticks; a star stands for any word."""
    tops = "training|napari_hep2|tests|tools|docs|sample_data"
    named = re.findall(rf"`((?:{tops})/[\w./*-]*)`", read(document))
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/")))] == []


def test_every_finding_has_its_line():
    lines = re.findall(r"^\| \[([\w-]+)\]\(\1\.sh\) \|", read(FINDINGS), re.MULTILINE)
    assert lines == sorted(path.stem for path in FINDINGS.parent.glob("*.sh"))
    assert lines


def code_of(text):
    """Return what stands in blocks and spans of code, joined where a line goes on."""
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    prose = re.sub(r"^```\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in (*lines, *indented, *spans)]


def printed_commands():
    return [
        line.removeprefix(PROMPT)
        for document in DOCUMENTS
        for line in code_of(read(document))
        if line.startswith(PROMPT)
    ]


def parsed(line):
    """Parse a command as the shell and the command line would; run nothing."""
    words = shlex.split(line)
    group = get_command(app)
    if words[0].startswith("-"):
        names = {name for option in group.params for name in option.opts}
        assert set(words) <= names | {"--help"}
        return words[0], {}
    command = group.commands[words[0]]
    with command.make_context(words[0], words[1:]) as context:
        return words[0], context.params


def check_settings(name, values):
    given = dict(pair.split("=", 1) for pair in values.get("changes") or ())
    if name in ("run", "fit"):
        extra = str(values["extra"] or "")
        configure(values["experiment"], "DATA", extra=extra, changes=given)
    elif name == "reproduce":
        only = tuple(values["only"] or ())
        plan_study("DATA", "MORE", changes=given, only=only)
    elif name == "simulate":
        SimulationSettings.parse(given)
    elif name == "verdicts":
        parse_together(given, VerdictSettings())
    elif given:
        parse_together(given, ExtractionSettings(), SegmentationSettings())


@pytest.mark.parametrize("line", sorted(set(printed_commands())))
def test_a_printed_command_is_one(line):
    check_settings(*parsed(line))


def test_the_reference_of_the_commands_is_of_the_commands_as_they_are(tmp_path):
    written = tmp_path / "commands.md"
    words = ("--name", PROMPT.strip(), "--title", "Commands", "--output", str(written))
    typer = (sys.executable, "-m", "typer", "training.cli", "utils", "docs", *words)
    subprocess.run(typer, check=True, capture_output=True, cwd=ROOT)
    assert read(written) == read(COMMANDS), "make site writes it anew"


def test_commands_are_found_and_all_of_them_are_shown():
    shown = {line.split()[0] for line in printed_commands()}
    assert set(get_command(app).commands) <= shown


@pytest.mark.parametrize(
    "line", ["run set-1 --data D --fold 3", "run set-1 --data D --protocol lo"]
)
def test_a_command_that_is_none_is_refused(line):
    with pytest.raises(Exception, match=r"(?i)no such option|is not one of"):
        parsed(line)


def printed_targets():
    words = " ".join(line for d in DOCUMENTS for line in code_of(read(d)))
    return sorted(set(re.findall(r"(?<![\w-])make ([a-z][\w-]*)(?!=)", words)))


@pytest.mark.parametrize("target", printed_targets())
def test_a_printed_target_of_make_is_one(target):
    done = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_two_commands_of_the_readme_are_printed():
    assert {"demo", "test"} <= set(printed_targets())


def said_in_sources():
    """Return the sources as words: strings in pieces are joined, values are dots."""
    text = "\n".join(read(path) for path in SOURCES)
    text += read(ROOT / "tools" / "environment.sh")
    joined = re.sub(r'"\s*\n\s*f?"', "", text)
    return re.sub(r"\{[^{}]*\}", "...", joined)


def quoted_faults():
    """Return what is quoted at the start of an entry of the troubleshooting guide."""
    faults = []
    text = read(ROOT / "docs" / "troubleshooting.md")
    for entry in re.findall(r"^(?:\* |\*\*)((?:`[^`]+`(?:, )?)+)", text, re.MULTILINE):
        faults += [" ".join(q.split()) for q in re.findall(r"`([^`]+)`", entry)]
    return faults


@pytest.mark.parametrize("fault", quoted_faults())
def test_a_quoted_fault_is_one_that_is_raised(fault):
    said = said_in_sources()
    for part in filter(None, (part.strip(" .():") for part in fault.split("..."))):
        assert part in said
