"""Which model families of MMSegmentation train as branches, measured on its own configs.

    python benchmarks/families.py                  # one config of each family: the one with the fewest parameters
    python benchmarks/families.py --only knet beit # some of them
    python benchmarks/families.py --table          # write docs/model_families.md from the results so far

On stock OpenMMLab with compiled operators and mmdet, for the families that need them:

    python benchmarks/families.py --only ccnet mask2former maskformer point_rend psanet

Each model is first trained for a step of SGD and asked for a prediction as MMSegmentation would, then wrapped in the two lines
that the documentation shows and trained for a semi-supervised step. Nothing in the wrapping knows the family. Changed for all:
pretrained weights are left out, SyncBN is BN, images are small; where a model does not take them, larger ones are tried, then
it is built for the small ones (``img_size``: some transformers take one size only). A process per model; lines of finished
ones are in the results file and are passed over.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / 'benchmarks/results/families.jsonl'
TABLE = ROOT / 'docs/model_families.md'
SIZES = (128, 448)  # some heads pool over a fixed window
SECONDS = 900
LEARNING_RATE = 1e-3  # without momentum, so that nothing is kept beside the weights
STACKS = dict(onedl='OneDL without compiled operators', openmmlab='stock OpenMMLab with compiled operators and mmdet')
HEADER = """# Model families

Written by `python benchmarks/families.py`: of each family of MMSegmentation's own configs the model with the fewest
parameters, trained for one step and asked for a prediction, first as it is, then as branches with all three similarity
stages; without pretrained weights, on small images. *Works* means that every trainable parameter of every branch got a finite
gradient and that the prediction has the size of the image. Where the number of branches is given, the optimiser's step (SGD)
was made, too, and the loss behind it was finite; lines without it are older: they end at the gradients, of three branches
unless another number was asked for. *Built for it*: the config's `img_size` was changed to that of the image.
"""
TOTAL = """
Both stacks together: {all} families were tried, MMSegmentation itself can train {able} of them, and {both} of these train as
branches.
"""
COUNT = """
## On {stack}

**{both} of the {able} families that MMSegmentation itself can train here train as branches** ({all} families were tried).

| family | config | parameters | image | branches | alone | as branches |
|---|---|---|---|---|---|---|
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='+', metavar='FAMILY', help="folders of MMSegmentation's configs")
    parser.add_argument('--branches', type=int, default=3)
    parser.add_argument('--results', type=Path, default=RESULTS)
    parser.add_argument('--table', action='store_true', help='write the table and do nothing else')
    parser.add_argument('--run', metavar='CONFIG', help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.run:
        print(json.dumps(measure(Path(args.run), args.branches)))
        return
    if not args.table:
        walk(args)
    TABLE.write_text(page(read(args.results)))
    print(f'{TABLE.relative_to(ROOT)} written')


def walk(args: argparse.Namespace) -> None:
    """Measure what the results file does not have yet."""
    register()
    stack = this_stack()
    done = {line['family'] for line in read(args.results) if line['stack'] == stack}
    for family, configs in families().items():
        if family in done or (args.only and family not in args.only):
            continue
        config = smallest(configs)
        print(f'{family}: {config.name} ... ', end='', flush=True)
        line = dict(stack=stack, family=family, config=config.stem, branches=args.branches)
        line |= in_a_process(config, args.branches)
        args.results.parent.mkdir(parents=True, exist_ok=True)
        with args.results.open('a') as file:
            file.write(json.dumps(line) + '\n')
        print(line['semi'], flush=True)


def read(results: Path) -> list[dict]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def this_stack() -> str:
    """Which of ``STACKS`` is installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        version('onedl-mmsegmentation')
    except PackageNotFoundError:
        return 'openmmlab'
    return 'onedl'


def families() -> dict[str, list[Path]]:
    """MMSegmentation's config folders with a model in each file."""
    from mmengine.utils import get_installed_path

    folder = Path(get_installed_path('mmseg')) / '.mim/configs'
    found = {path.name: sorted(path.glob('*.py')) for path in sorted(folder.iterdir()) if path.name[0] != '_'}
    return {name: configs for name, configs in found.items() if configs}


def smallest(configs: list[Path]) -> Path:
    """The config whose model has the fewest parameters; the first one if none can be built."""
    sizes = {config: size for config in configs if (size := parameters(config))}
    return min(sizes, key=sizes.get) if sizes else configs[0]


def parameters(config: Path) -> int | None:
    """Parameters of a config's model, built without memory; None if it cannot be built."""
    import torch
    from mmseg.registry import MODELS
    from torch.overrides import TorchFunctionMode

    class RealNumbers(TorchFunctionMode):
        """Keep out of ``meta`` what backbones read values from while they are built: their rates of drop path."""

        def __torch_function__(self, function, types, args=(), kwargs=None):
            return function(*args, **{**(kwargs or {}), **(dict(device='cpu') if function is torch.linspace else {})})

    try:
        with torch.device('meta'), RealNumbers():
            return sum(p.numel() for p in MODELS.build(stripped_model(config)).parameters())
    except Exception:
        return None


def in_a_process(config: Path, branches: int) -> dict:
    """:func:`measure`, where it can neither leak nor take this process with it."""
    command = [sys.executable, __file__, '--run', str(config), '--branches', str(branches)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return dict(alone=f'not finished after {SECONDS} s', semi='not finished')
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 and lines else dict(alone='process died', semi='process died')


def measure(config: Path, branches: int) -> dict:
    """Outcome of the model alone and as branches: ``'works'``, or what went wrong."""
    register()
    line = dict(parameters=parameters(config))
    for size, fitted in [*((size, False) for size in SIZES), (SIZES[0], True)]:
        line |= dict(alone=outcome(alone, config, size, fitted), size=size)
        if line['alone'] == 'works':
            break
    line['img_size_changed'] = fitted and line['alone'] == 'works'
    start = time.perf_counter()
    line['semi'] = outcome(semi, config, size, fitted, branches)
    line['seconds'] = round(time.perf_counter() - start, 1)
    line['peak_memory_mib'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return line


def register() -> None:
    """Make the components of MMSegmentation and of this package known."""
    from mmengine.registry import init_default_scope

    import simeps_mmseg  # noqa: F401 - registers the components

    init_default_scope('mmseg')


def outcome(step, *args) -> str:
    try:
        step(*args)
    except Exception as error:
        traceback.print_exc()
        return f'{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ""}'
    return 'works'


def stripped_model(config: Path, size: int | None = None, fitted: bool = False) -> dict:
    """A config's model without pretrained weights, with BN for SyncBN, for images of one size; ``fitted``: built for them."""
    from mmengine.config import Config

    from simeps_mmseg.models.utils import replace_sync_bn
    from simeps_mmseg.models.utils.pretrained import remove_pretrained
    from simeps_mmseg.utils.config_tree import walk_dicts

    cfg = Config.fromfile(config)
    remove_pretrained(cfg)
    replace_sync_bn(cfg.model)
    preprocessor = cfg.model.get('data_preprocessor') or {}
    if size and preprocessor.get('size'):  # else small images are padded to the size of the config
        preprocessor.size = (size, size)
    if fitted:
        for _, node in walk_dicts(cfg.model):
            if 'img_size' in node:
                node['img_size'] = (size, size)
    return cfg.model


def alone(config: Path, size: int, fitted: bool) -> None:
    """A training step and a prediction as MMSegmentation makes them."""
    from mmseg.registry import MODELS

    model = MODELS.build(stripped_model(config, size, fitted))
    model.init_weights()
    train_and_predict(model, size, unlabeled=0)


def semi(config: Path, size: int, fitted: bool, branches: int) -> None:
    """A training step and a prediction of the model wrapped into branches."""
    from mmseg.registry import MODELS

    model = MODELS.build(
        dict(
            type='MultiBranchSemiSegmentor',
            num_branches=branches,
            branch=stripped_model(config, size, fitted),
            cross_pseudo=dict(type='CrossPseudoLoss'),
            similarity=dict(type='SimilarityConsistencyLoss', stages=dict(encoder=1.0, decoder=1.0, logits=1.0)),
        )
    )
    model.init_weights()
    train_and_predict(model, size, unlabeled=2)


def train_and_predict(model, size: int, unlabeled: int) -> None:
    """One step of SGD over two labelled images and some unlabelled ones; then their loss again, and a prediction.

    Raises:
        ValueError: If a trainable parameter got no finite gradient, the loss behind the step is not finite, or the
            prediction has another size.
    """
    import torch

    torch.manual_seed(0)
    batch = images(model, size, labeled=2, unlabeled=unlabeled)
    data = model.train().data_preprocessor(batch, training=True)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=LEARNING_RATE)
    total, _ = model.parse_losses(model.loss(data['inputs'], data['data_samples']))
    total.backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and not has_gradient(p)]
    if without:
        raise ValueError(f'{len(without)} parameters without finite gradient, such as {without[0]}')
    optimizer.step()
    with torch.no_grad():
        total, _ = model.parse_losses(model.loss(data['inputs'], data['data_samples']))
    if not total.isfinite():
        raise ValueError(f'the loss behind a step of SGD(lr={LEARNING_RATE}) is {float(total)}')
    data = model.eval().data_preprocessor(images(model, size, labeled=0, unlabeled=1), training=False)
    with torch.no_grad():
        result = model.predict(data['inputs'], data['data_samples'])[0]
    if tuple(result.pred_sem_seg.shape) != (size, size):
        raise ValueError(f'prediction of {tuple(result.pred_sem_seg.shape)} for an image of {(size, size)}')


def has_gradient(parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.isfinite().all())


def images(model, size: int, labeled: int, unlabeled: int) -> dict:
    """Random images as a data loader hands them over; labels with a strip that does not count, and edges."""
    import torch
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    mean = getattr(model.data_preprocessor, 'mean', None)
    channels = 3 if mean is None else len(mean)
    batch: dict[str, list] = dict(inputs=[], data_samples=[])
    for index in range(labeled + unlabeled):
        sample = SegDataSample(metainfo=dict(img_shape=(size, size), ori_shape=(size, size), pad_shape=(size, size)))
        if index < labeled:
            labels = torch.randint(0, model.num_classes, (1, size, size))
            labels[:, : size // 8] = 255
            sample.gt_sem_seg = PixelData(data=labels)
            sample.gt_edge_map = PixelData(data=(labels == 0).long())
        batch['inputs'].append(torch.randint(0, 256, (channels, size, size), dtype=torch.uint8))
        batch['data_samples'].append(sample)
    return batch


def page(lines: list[dict]) -> str:
    """The results in Markdown."""
    alone = {line['family'] for line in lines if line['alone'] == 'works'}
    both = {line['family'] for line in lines if line['alone'] == line['semi'] == 'works'}
    every = {line['family'] for line in lines}
    parts = [HEADER, TOTAL.format(able=len(alone), both=len(both), all=len(every))]
    for stack, title in STACKS.items():
        own = sorted((line for line in lines if line['stack'] == stack), key=lambda line: line['family'])
        if own:
            both = sum(line['alone'] == line['semi'] == 'works' for line in own)
            able = sum(line['alone'] == 'works' for line in own)
            rows = '\n'.join(table_rows(own))
            parts.append(COUNT.format(stack=title, both=both, able=able, all=len(own)) + rows + '\n')
    return ''.join(parts)


def table_rows(lines: list[dict]) -> Iterator[str]:
    for line in lines:
        millions = f'{line["parameters"] / 1e6:.1f} M' if line.get('parameters') else ''
        cells = [
            line['family'],
            f'`{line["config"]}`',
            millions,
            f'{line.get("size", "")}{", built for it" if line.get("img_size_changed") else ""}',
            str(line.get('branches', '')),  # not in older lines
            line['alone'].split('. E.g.')[0],
            line['semi'] if line['alone'] == 'works' else '-',
        ]
        yield f'| {" | ".join(cell.replace("|", "/") for cell in cells)} |'


if __name__ == '__main__':
    main()
