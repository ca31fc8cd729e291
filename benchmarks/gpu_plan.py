"""How many iterations of the paper's protocol fit into the seconds that are left, from the times of steps just measured.

    python benchmarks/gpu_plan.py --lines lines.jsonl --seconds 420

Prints the number of iterations and the precision: float32 unless bfloat16 is much faster, as it costs points. Both tables,
from nothing and from the network on labels alone, are to be finished, one as long as the other's share of it.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.gpu_steps import METHODS, NETWORKS

CHOICES = (48000, 24000, 12000, 8000, 6000, 5000, 4000, 3000, 2000, 1500, 1000)
SHARE = 3  # from the network on labels alone, one step for so many of the table from nothing
OVERLAP = (
    1.4  # so much less do runs at a time take than one after the other, their start and validation included (H200)
)
MUCH_FASTER = 1.25
UNKNOWN = (12000, 'auto')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--lines', type=Path, required=True, help='file that gpu_steps.py wrote')
    parser.add_argument('--seconds', type=float, required=True, help='for training')
    args = parser.parse_args()
    print(*plan(map(json.loads, args.lines.read_text().splitlines()), args.seconds))


def plan(lines: Iterable[dict], seconds: float) -> tuple[int, str]:
    """Iterations from nothing, and the precision. The fewest there are to choose from where none fits."""
    network, size, _ = NETWORKS[0]
    took = {
        (line['precision'], line['method']): line['seconds']
        for line in lines
        if line.get('what') == 'step' and 'seconds' in line
        if (line['network'], line['size'], line['compiled']) == (network, size, False)
    }
    totals = {}
    for precision in ('float32', 'bfloat16'):
        if all((precision, method) in took for method in METHODS):
            totals[precision] = sum(took[precision, method] for method in METHODS)
    if not totals:
        return UNKNOWN
    fastest = min(totals, key=totals.__getitem__)
    precision = 'float32' if totals.get('float32', float('inf')) <= MUCH_FASTER * totals[fastest] else fastest
    fitting = seconds * OVERLAP / (totals[precision] * (1 + 1 / SHARE))
    return next((count for count in CHOICES if count <= fitting), CHOICES[-1]), precision


if __name__ == '__main__':
    main()
