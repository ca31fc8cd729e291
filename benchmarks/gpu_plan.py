"""How many iterations of the paper's protocol fit into the seconds that are left, from the times of steps just measured.

    python benchmarks/gpu_plan.py --lines lines.jsonl --seconds 420

Prints the iterations of the table from nothing, those of the table from its network on labels alone, and the precision:
float32, unless bfloat16, which costs small networks points, is much faster. Both tables are to be finished.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.protocols import GPU_METHODS, GPU_NETWORKS  # and nothing of torch, whose import costs a slice

CHOICES = (48000, 24000, 12000, 8000, 6000, 5000, 4000, 3000, 2000, 1500, 1000, 750, 500)
SHARE = 3  # the table from labels alone has one iteration for so many of the table from nothing
# Runs side by side take so much less than one after the other, starts and validations included, on an H200 and 16 slow cores.
OVERLAP = 1.4
MUCH_FASTER = 1.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--lines', type=Path, required=True, help='file that gpu_steps.py wrote')
    parser.add_argument('--seconds', type=float, required=True, help='for training')
    args = parser.parse_args()
    iterations, precision = plan(map(json.loads, args.lines.read_text().splitlines()), args.seconds)
    print(iterations, iterations // SHARE, precision)


def plan(lines: Iterable[dict], seconds: float) -> tuple[int, str]:
    """Iterations from nothing, and the precision. The fewest there are to choose from where none fits, or nothing is known."""
    network, size, _ = GPU_NETWORKS[0]
    took = {
        (line['precision'], line['method']): line['seconds']
        for line in lines
        if line.get('what') == 'step' and 'seconds' in line
        if (line['network'], line['size'], line['compiled']) == (network, size, False)
    }
    totals = {}
    for precision in ('float32', 'bfloat16'):
        if all((precision, method) in took for method in GPU_METHODS):
            totals[precision] = sum(took[precision, method] for method in GPU_METHODS)
    if not totals:
        return CHOICES[-1], 'auto'
    fastest = min(totals, key=totals.__getitem__)
    precision = 'float32' if totals.get('float32', float('inf')) <= MUCH_FASTER * totals[fastest] else fastest
    fitting = seconds * OVERLAP / (totals[precision] * (1 + 1 / SHARE))
    return next((count for count in CHOICES if count <= fitting), CHOICES[-1]), precision


if __name__ == '__main__':
    main()
