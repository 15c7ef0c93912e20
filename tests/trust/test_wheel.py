"""The wheel installed in an empty environment, and used outside of the checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASK_NAPARI = """
import json, npe2, napari_hep2, training
pm = npe2.PluginManager.instance()
pm.discover()
mf = pm.get_manifest("napari-hep2")
widgets = mf.contributions.widgets
for widget in widgets:
    assert widget.get_callable()
homes = [napari_hep2.__file__, training.__file__]
print(json.dumps({"widgets": [w.display_name for w in widgets], "homes": homes}))
"""


def _run(*words, **options):
    return subprocess.run(
        [str(word) for word in words],
        check=True,
        capture_output=True,
        text=True,
        timeout=1200,
        **options,
    )


def _empty_home(folder):
    """An environment in which nothing points at the checkout."""
    kept = ("PATH", "DISPLAY", "LANG", "PIP_INDEX_URL", "PIP_FIND_LINKS")
    return {
        **{key: os.environ[key] for key in kept if key in os.environ},
        "HOME": str(folder),
        "HEP2_CACHE": str(folder / "cache"),
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    _run(sys.executable, *build)
    (made,) = out.glob("*.whl")
    return made


def test_the_wheel_holds_all_it_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "napari_hep2/napari.yaml",
        "napari_hep2/py.typed",
        "napari_hep2/sample_data/model/simulated.json",
        "napari_hep2/sample_data/model/simulated.safetensors",
        "napari_hep2/sample_data/specimens/gt_train.csv",
        "training/py.typed",
        "training/reports/templates/report.html",
    ):
        assert name in names
    tops = ("training", "napari_hep2")
    sources = [path for top in tops for path in ROOT.glob(f"{top}/**/*.py")]
    assert {path.relative_to(ROOT).as_posix() for path in sources} <= names
    found = {name.split("/")[0] for name in names}
    assert {top for top in found if not top.endswith(".dist-info")} == set(tops)
    assert not any(name.endswith((".sqlite", ".part")) for name in names)


def _unpacked(wheel, folder, tmp_path):
    """The wheel alone, beside the packages of this environment, quickly."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as held:
        held.extractall(site)
    return {**_empty_home(folder), "PYTHONPATH": str(site)}, Path(sys.executable), site


def _installed(wheel, folder, tmp_path):
    """An empty environment with the wheel and what it asks for."""
    venv = tmp_path / "venv"
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (torch,) = [line for line in pins if line.startswith("torch==")]
    _run(
        "sh",
        ROOT / "tools" / "installed-wheel.sh",
        wheel.parent,
        venv,
        cwd=ROOT,
        env={**os.environ, "TORCH": torch},
    )
    (site,) = venv.glob("lib/*/site-packages")
    return _empty_home(folder), venv / "bin" / "python", site


def _demo(python, home, env):
    """Do the demo's job; return how many files it wrote, its verdict among them."""
    job = (python, "-m", "napari_hep2.demo", "--picture", "--out", "demo")
    _run("xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *job, cwd=home, env=env)
    (verdict,) = (home / "demo").glob("*_verdict.json")
    assert "pattern" in json.loads(verdict.read_text(encoding="utf-8"))
    return len(list((home / "demo").iterdir()))


@pytest.mark.promise("wheel")
@pytest.mark.timeout(2400)
@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="needs xvfb-run")
def test_the_wheel_works_on_its_own(wheel, tmp_path, promise, times):
    """Quick, it is unpacked beside its packages and asked for its widgets alone."""
    is_long = times(False, True)
    home = tmp_path / "home"
    home.mkdir()
    place = _installed if is_long else _unpacked
    env, python, site = place(wheel, home, tmp_path)
    asked = json.loads(
        _run(python, "-c", ASK_NAPARI, cwd=home, env=env).stdout.splitlines()[-1]
    )
    outside = [one for one in asked["homes"] if not Path(one).is_relative_to(site)]
    words = f"used in another folder: {len(asked['widgets'])} widgets found by napari"
    is_met = len(asked["widgets"]) == 4 and not outside
    if not is_long:
        promise.reached(f"unpacked beside its packages, {words}", is_met)
        return
    written = _demo(python, home, env)
    promise.reached(
        f"installed in an empty environment, {words}, {written} files of the demo "
        "written",
        is_met and written == 4,
    )
