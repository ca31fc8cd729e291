"""What prediction costs after export, as ratios within one run.

    python benchmarks/export_speed.py work_dirs/simeps/unet_neu_10pct/iter_20000.pth
    python benchmarks/export_speed.py --size 128 --batch 1           # untrained U-Nets: the time is the same
    python benchmarks/export_speed.py --update                       # the table of docs/deploy.md

Compared over the same images, from pixels to logits:

* ``stock``: the segmentor that the config names as its branch, built by MMSeg's registry, with that branch's weights;
* ``branch``: the branch exported with ``--format pth`` and read by ``init_model``;
* ``ensemble``: all branches inside the semi-supervised segmentor;
* ``branch`` and ``ensemble`` as TorchScript, and as ONNX in onnxruntime where that is installed.

Times are medians over rounds in which each takes its turn, so that other work on the machine hits all alike. One JSON line.
"""

import argparse
import copy
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from benchmarks.measuring import device_name
from benchmarks.pages import ResultsTable
from benchmarks.results import append
from simeps_mmseg.apis.export import export, source_config
from simeps_mmseg.deploy import network_states, read_checkpoint
from simeps_mmseg.deploy.graph import run_onnx, run_torchscript
from simeps_mmseg.inference.loading import load_model
from simeps_mmseg.models.utils import replace_sync_bn
from simeps_mmseg.models.utils.pretrained import remove_pretrained
from simeps_mmseg.utils.configs import load_config

CONFIG = 'simeps/unet_neu_10pct.py'
PAUSE = 0.1  # seconds, until the threads of the runtime before let go of the cores
TITLES = {
    'stock': 'stock `EncoderDecoder`',
    'branch': 'exported branch, `pth`',
    'ensemble': 'ensemble in MMSegmentation',
    'branch.pt': 'branch, `torchscript`',
    'ensemble.pt': 'ensemble, `torchscript`',
    'branch.onnx': 'branch, `onnx` in onnxruntime',
    'ensemble.onnx': 'ensemble, `onnx` in onnxruntime',
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', nargs='?', help=f'default: an untrained model of {CONFIG}')
    parser.add_argument('--branch', default='0')
    parser.add_argument('--size', type=int, default=256, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=21)
    return TABLE.parse(parser)


def main() -> None:
    args = parse_args()
    init_default_scope('mmseg')
    with tempfile.TemporaryDirectory() as folder:
        runs = prepare(args, Path(folder))
        images = torch.randint(0, 256, (args.batch, 3, args.size, args.size), dtype=torch.uint8)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(args.rounds + 2):
            for name, run in runs.items():
                time.sleep(PAUSE)
                start = time.perf_counter()
                run(images)
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values[2:]) for name, values in times.items()}  # two rounds to warm up
    result = dict(
        network=Path(args.checkpoint or CONFIG).name.partition('.')[0],
        size=args.size,
        batch=args.batch,
        device=device_name('cpu'),
        rounds=args.rounds,
        milliseconds={name: round(1000 * value, 2) for name, value in medians.items()},
        ratio={name: round(value / medians['stock'], 3) for name, value in medians.items()},
    )
    append(args.results, result)
    print(json.dumps(result))


def prepare(args: argparse.Namespace, folder: Path) -> dict[str, Callable[[torch.Tensor], object]]:
    """Everything that is timed, by name: functions from uint8 images (b, 3, h, w) to logits."""
    from mmseg.apis import init_model  # before simeps_mmseg it cannot be imported beside a CPU-only PyTorch

    checkpoint = args.checkpoint or untrained(folder / 'untrained.pth')
    content = read_checkpoint(checkpoint)
    cfg = source_config(content, Path(checkpoint))
    remove_pretrained(cfg)
    model = load_model(cfg, content, 'cpu')
    stock = stock_branch(cfg, content, int(args.branch))
    size = (args.size, args.size)
    pair = export(checkpoint, branch=args.branch, out=str(folder / 'branch.pth'))
    runs = {
        'stock': by_mmseg(stock),
        'branch': by_mmseg(init_model(str(pair.with_suffix('.py')), str(pair), device='cpu')),
        'ensemble': by_mmseg(model),
    }
    formats = {'.pt': run_torchscript, **({'.onnx': run_onnx} if find_spec('onnxruntime') else {})}
    for suffix, run in formats.items():
        for name, branch in (('branch', args.branch), ('ensemble', 'ensemble')):
            file = export(checkpoint, branch=branch, out=str(folder / f'{name}{suffix}'), size=size)
            runs[f'{name}{suffix}'] = run(file)
    return runs


def stock_branch(cfg: Config, content: Mapping, branch: int) -> torch.nn.Module:
    """A branch as MMSeg has it without this package's way to export: its config as it stands, and its weights."""
    network = copy.deepcopy((cfg.model.get('branches') or [cfg.model.branch] * (branch + 1))[branch])
    network.setdefault('data_preprocessor', cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor'))
    replace_sync_bn(network)  # one process: both compute the same
    stock = MODELS.build(network)
    stock.load_state_dict(network_states(content['state_dict'])[branch])
    return stock.eval()


def untrained(path: Path) -> str:
    """A checkpoint of the shipped config with random weights."""
    cfg = load_config(CONFIG)
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=['a', 'b', 'c', 'd'], palette=[[0, 0, 0]] * 4))
    torch.manual_seed(0)
    torch.save(dict(meta=meta, state_dict=MODELS.build(cfg.model).state_dict()), path)
    return str(path)


def by_mmseg(model: torch.nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Preprocessor and network of an MMSeg segmentor."""

    @torch.no_grad()
    def run(images: torch.Tensor) -> torch.Tensor:
        size = tuple(images.shape[2:])
        samples = [SegDataSample(metainfo=dict(ori_shape=size, img_shape=size, pad_shape=size)) for _ in images]
        data = model.data_preprocessor(dict(inputs=list(images), data_samples=samples), False)
        return model.inference(data['inputs'], [sample.metainfo for sample in data['data_samples']])

    return run


def markdown(lines: Sequence[dict]) -> str:
    """One column per network, size, batch and device, of the last line of each: times beside those of the stock model."""
    newest = {tuple(line[key] for key in ('network', 'size', 'batch', 'device')): line for line in lines}
    heads = [
        f'`{network}`, {batch} image{"s" if batch > 1 else ""} of {size} x {size}, {device}'
        for network, size, batch, device in newest
    ]
    rows = [f'| | {" | ".join(heads)} |', f'|---{"|---" * len(newest)}|']
    for name, title in TITLES.items():
        cells = [
            f'{line["ratio"][name]:.2f}' + (f' ({line["milliseconds"][name]:.0f} ms)' if name == 'stock' else '')
            if name in line['ratio']
            else ''
            for line in newest.values()
        ]
        rows.append(f'| {title} | {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n'


TABLE = ResultsTable('export_speed', 'deploy.md', markdown)

if __name__ == '__main__':
    main()
