"""Is the crate faster than PyTorch?

    python benches/compare.py --python torch-env/bin/python [--suite neb|regions|attacks] [--rounds 5] [--threads 2] [--fused] [part of a case's name]

Runs `benches/peers/torch_ops.py` (or that of another suite) with the Python given, which needs torch, and
`cargo bench --profile dev --bench ops`, in turn, and prints a table of the medians over the rounds: milliseconds of both and of
the composite (not with `--fused`), and PyTorch's divided by ours, higher is better; of convolutions also against PyTorch's
channels-last layout; of attacks the robust accuracies, PyTorch's first. On an idle machine; a ratio of one run holds though the machine drifts. ISOPATH_SIMD chooses our
instruction set.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def lines(command, environment):
    """The JSON lines that a command prints, by case; the fields of equal cases together."""
    result = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    cases = {}
    for line in result.stdout.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            cases.setdefault(row.pop("case"), {}).update(row)
    return cases


def median(rounds, case, field):
    values = [cases[case][field] for cases in rounds if cases.get(case, {}).get(field) is not None]
    return statistics.median(values) if values else None


def number(value, digits=3):
    return "" if value is None else f"{value:.{digits}f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="?", default="", help="part of a case's name; all without it")
    parser.add_argument("--suite", default="ops", choices=["ops", "neb", "regions", "attacks"])
    parser.add_argument("--python", required=True, help="a Python that has torch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fused", action="store_true", help="without the composites, which take long")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()

    threads = str(options.threads)
    environment = {**os.environ, "RAYON_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    peer = [options.python, str(ROOT / f"benches/peers/torch_{options.suite}.py"), options.case]
    build = ["cargo", "bench", "--quiet", "--profile", "dev", "--bench", options.suite]
    bench = [*build, "--", *(["--fused"] if options.fused else []), options.case]
    # Compiles, so that the first round finds an idle machine.
    subprocess.run([*build, "--no-run"], cwd=ROOT, env=environment, check=True)
    if options.suite == "attacks":
        # Both attack the same trained network.
        subprocess.run([*build, "--", "--prepare"], cwd=ROOT, env=environment, check=True)
    ours, theirs = [], []
    for _ in range(options.rounds):
        theirs.append(lines(peer, environment))
        ours.append(lines(bench, environment))

    header = ["PyTorch ms", "ours ms", "composite", "ratio", "last ms", "ratio", "peak MB", "robust"]
    print(f"{'case':<55}" + "".join(f"{name:>11}" for name in header))
    ratios = []
    for case in ours[0]:
        first, last, own = median(theirs, case, "ms"), median(theirs, case, "channels_last_ms"), median(ours, case, "ms")
        ratio = first / own if first and own else None
        ratios += [ratio] if ratio else []
        composite, peak = median(ours, case, "composite_ms"), median(ours, case, "peak_mb")
        robust = "/".join(number(median(side, case, "robust_accuracy"), 3) for side in [theirs, ours]).strip("/")
        of_last = last / own if last and own else None
        fields = [number(first), number(own), number(composite), number(ratio, 2), number(last), number(of_last, 2)]
        print(f"{case:<55}" + "".join(f"{field:>11}" for field in [*fields, number(peak, 1), robust]))
    if ratios:
        print(f"geometric mean of the ratios: {statistics.geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
