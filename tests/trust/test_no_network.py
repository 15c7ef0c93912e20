"""Nothing reaches another machine: watched in every process, and with no network."""

import os
import subprocess
import sys
from pathlib import Path

import promises
import pytest
from planted import commands_done

HERE = Path(__file__).parent
AT_ONCE = ("-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider")


def watched(notes):
    paths = [str(HERE / "audited"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "HEP2_CONNECTS": str(notes),
        "OMP_NUM_THREADS": "1",
    }


@pytest.mark.promise("network")
def test_the_main_commands_reach_no_other_machine(promise):
    done = commands_done()
    promise.reached(
        f"{done.commands} commands, watched: {done.watched}: {len(done.reached)} "
        f"connects outside of the loopback {done.reached[:3] or ''}".strip(),
        met=not done.reached,
    )


def test_the_watch_notes_what_leaves_and_leaves_the_loopback_alone(tmp_path):
    words = (
        "import socket, subprocess, sys, contextlib\n"
        "def reach(host):\n"
        "    with contextlib.suppress(OSError), socket.socket() as one:\n"
        "        one.settimeout(0.01); one.connect((host, 9))\n"
        "reach('127.0.0.1'); reach('192.0.2.1')\n"
        "with contextlib.suppress(OSError): socket.getaddrinfo('a.invalid', 80)\n"
        "if len(sys.argv) < 2:\n"
        "    subprocess.run([sys.executable, *sys.orig_argv[1:], 'again'])\n"
    )
    notes = tmp_path / "notes.txt"
    subprocess.run([sys.executable, "-c", words], env=watched(notes), check=True)
    lines = notes.read_text().splitlines()
    assert lines.count("started") == 2
    assert len(lines) == 2 + 4
    assert not any("127.0.0.1" in line for line in lines)


@pytest.mark.promise("network")
@pytest.mark.timeout(1500)
@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root of Linux can leave the network",
)
@pytest.mark.skipif("not config.getoption('--long')", reason="takes minutes: --long")
def test_the_whole_suite_passes_without_a_network(promise, tmp_path):
    notes = tmp_path / "notes.txt"
    # The loopback of the new namespace is down until someone takes it up.
    script = 'ip link set lo up 2>/dev/null || true; exec "$@"'
    apart = ["unshare", "--net", "sh", "-c", script, "sh"]
    words = [sys.executable, "-m", "pytest", "-q", "--ignore=tests/trust", *AT_ONCE]
    done = subprocess.run(
        [*apart, *words],
        cwd=promises.ROOT,
        env=watched(notes),
        capture_output=True,
        text=True,
        timeout=1400,
        check=False,
    )
    lines = notes.read_text().splitlines()
    reached = [line for line in lines if line != "started"]
    last = done.stdout.strip().splitlines()[-1]
    promise.reached(
        f"the suite without a network: {last}; {lines.count('started')} processes, "
        f"{len(reached)} connects outside of the loopback {reached[:3]}",
        met=done.returncode == 0 and not reached,
    )
