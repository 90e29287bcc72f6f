"""How long a new notebook takes to its first answer, and what its kernel weighs: ours against bare evcxr_jupyter.

    .venv/bin/python benches/kernel.py [--rounds 3]        (after `cargo run -- setup`; a minute a round)

Each round starts both kernels in turn, from warm folders, and runs the same cells: `:dep` of the crate, a first statement, a
value shown; then five more with a value at their end and five without. The same program is both: with
ISOPATH_KERNEL_STOCK=1 it is evcxr_jupyter and nothing else. Prints the medians and their ratios, as JSON. Wanted: a first
answer in a quarter of the time, a third of the memory, no later cell slower.

The limits: of our six seconds two go into loading the standard library and the nine packages that a cell can name, two into
rust-analyzer's first look at them, the rest into compiling two cells; the value's cell is compiled twice, since evcxr first
tries whether it can show itself. With evcxr alone rust-analyzer loads all 390 packages, twice, and cargo looks at each of
them again for every cell.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

from jupyter_client.manager import KernelManager

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIRST = (':dep isopath = { path = ".." }', "use isopath::rng::Rng;\nlet rng = Rng::new(3);", "rng")
LATER = 5


def processes(root):
    """A process and all that it started."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(root)], capture_output=True, text=True).stdout.split()
    return [root, *(process for child in children for process in processes(int(child)))]


def megabytes(process):
    """Its resident memory, pages that it shares with others by their share."""
    try:
        lines = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def run(client, code):
    reply = client.execute_interactive(code, timeout=600, output_hook=lambda message: None)
    if reply["content"]["status"] != "ok":
        raise SystemExit(f"{code!r} failed: {reply['content'].get('evalue')}")


def timed(work):
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def measure(stock):
    environment = {**os.environ, **({"ISOPATH_KERNEL_STOCK": "1"} if stock else {})}
    manager = KernelManager(kernel_name="isopath")
    begin = time.monotonic()
    manager.start_kernel(cwd=str(ROOT / "notebooks"), env=environment, stderr=subprocess.DEVNULL)
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=600)
        for code in FIRST:
            run(client, code)
        first = time.monotonic() - begin
        value = statistics.median(timed(lambda: run(client, f"{number} + 1")) for number in range(LATER))
        plain = statistics.median(timed(lambda: run(client, f"let a{number} = 1;")) for number in range(LATER))
        memory = sum(megabytes(process) for process in processes(manager.provisioner.process.pid))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return {"first_answer_s": first, "value_s": value, "plain_s": plain, "memory_mb": memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    # One of each first: what is kept from start to start is there afterwards.
    measure(stock=True), measure(stock=False)
    measured = [(measure(stock=True), measure(stock=False)) for _ in range(rounds)]
    for name in measured[0][0]:
        stock, ours = (statistics.median(pair[which][name] for pair in measured) for which in (0, 1))
        print(json.dumps({name: {"evcxr_jupyter": round(stock, 2), "isopath": round(ours, 2), "ratio": round(stock / ours, 2)}}))


if __name__ == "__main__":
    main()
