"""`fit-nuclei` writes a network with its card, and says what is on it."""

import json

from typer.testing import CliRunner

from training.cli import app
from training.models.nuclei import making


def test_a_network_is_fitted_and_its_card_returned(tmp_path, monkeypatch):
    given = {}

    def fit(fields, out, settings, origin, command):
        given.update(settings=settings, origin=origin, command=command)
        out.with_suffix(".json").write_text('{"weights": 3}')
        return iter(())

    monkeypatch.setattr(making, "fit_nuclei", fit)
    out = tmp_path / "n.safetensors"
    words = ["fit-nuclei", str(tmp_path / "fields"), "--out", str(out)]
    words += ["--origin", "drawn here", "--set", "steps=7", "--json"]
    done = CliRunner().invoke(app, words)
    assert json.loads(done.stdout) == {"weights": 3}
    assert (given["settings"].steps, given["origin"]) == (7, "drawn here")
    assert given["command"] == (
        "hep2 fit-nuclei fields --out n.safetensors --origin 'drawn here' --set steps=7"
    )
