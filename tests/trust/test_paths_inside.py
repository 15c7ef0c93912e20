"""What a table or a manifest names is looked for among the data, and nowhere else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import strange_paths

HERE = Path(__file__).parent


@pytest.mark.promise("paths")
@pytest.mark.skipif(sys.platform != "linux", reason="it has pipes and devices")
def test_no_word_link_pipe_or_device_leads_out_of_the_data(tmp_path, promise):
    done = subprocess.run(
        [sys.executable, HERE / "strange_paths.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    outside = [one["case"] for one in found if one["seen"]]
    stumbled = [one["case"] for one in found if one["said"].startswith("!")]
    places = len(strange_paths.NAMED)
    promise.reached(
        f"{len(found)} cases in {places} kinds of column and as files: "
        f"{len(outside)} read outside, {len(stumbled)} tracebacks or hangs"
        f"{'; '.join(['', *outside, *stumbled])}",
        met=len(found) >= 200 and not outside + stumbled,
    )
