"""A semi-supervised config turned into one that MMSegmentation reads without this package."""

import copy
import inspect
from collections.abc import Mapping, Sequence

from mmengine.config import Config, ConfigDict
from mmengine.visualization import LocalVisBackend
from mmseg.evaluation import IoUMetric
from mmseg.visualization import SegLocalVisualizer

from ..datasets.defaults import default_argument
from ..models.segmentors import OWN_TEST_OPTIONS, BaseSemiSegmentor
from ..models.utils import merge_preprocessors, replace_sync_bn
from ..utils import UserError
from ..utils.config_tree import type_name, walk_dicts
from ..utils.configs import test_pipeline
from ..utils.own_types import PACKAGE, classes_of, inherits, is_own
from .stock_data import label_maps, renumber, stock_data

STOCK_LOSS = dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)
# What prediction and test need; the rest of a config is about training.
KEPT = ('default_scope', 'env_cfg', 'vis_backends', 'visualizer', 'log_processor', 'log_level', 'tta_model')


def number_of_branches(model: Mapping) -> int:
    """How many networks the config of a semi-supervised model comes to; 0 for other models."""
    if not inherits(model.get('type'), BaseSemiSegmentor):
        return 0
    count = model.get('num_branches') or default_argument(next(classes_of(model['type'])), 'num_branches')
    return len(model.get('branches') or ()) or (count if isinstance(count, int) else 1)  # None: a method of one network


def branch_configs(model: ConfigDict) -> list[ConfigDict]:
    """The configs of the networks in a model config, one per branch; a plain segmentor is its only one."""
    count = number_of_branches(model)
    return list(model.get('branches') or [model.branch] * count) if count else [model]


def branch_model(cfg: Config, branch: int) -> ConfigDict:
    """The model config of one network as it stands alone: a segmentor with its own preprocessor and test options.

    Args:
        cfg: A whole config, semi-supervised or plain.
        branch: Which network; of a plain config there is only 0.

    Raises:
        UserError: If there is no such branch.
    """
    model = cfg.model
    configs = branch_configs(model)
    shared = model.get('data_preprocessor') or cfg.get('data_preprocessor')
    if inherits(model.get('type'), BaseSemiSegmentor):
        options = {key: value for key, value in (model.get('test_cfg') or {}).items() if key not in OWN_TEST_OPTIONS}
        # One preprocessor serves all: that of the whole, which the first branch's completes or overrides.
        preprocessor = merge_preprocessors(shared, configs[0].get('data_preprocessor'))
    else:
        options, preprocessor = {}, shared
    if not 0 <= branch < len(configs):
        raise UserError(f'--branch {branch}: the model has {_listed(len(configs))}')
    network = ConfigDict(copy.deepcopy(configs[branch]))
    if preprocessor:
        network.data_preprocessor = copy.deepcopy(preprocessor)
    network.test_cfg = {**(network.get('test_cfg') or {}), **options}
    network.train_cfg = {}
    replace_sync_bn(network)
    return network


def _stock_visualizer(visualizer: Mapping) -> dict:
    stock_options = inspect.signature(SegLocalVisualizer.__init__).parameters
    kept = {key: value for key, value in visualizer.items() if key in stock_options}
    return {**kept, 'type': 'SegLocalVisualizer'}


def _use_stock_backends(node: Mapping | Sequence) -> None:
    for _, backend in list(walk_dicts(node)):
        if is_own(backend.get('type')) and inherits(backend['type'], LocalVisBackend):
            backend['type'] = 'LocalVisBackend'


def _listed(count: int) -> str:
    return 'one network' if count == 1 else f'branches 0 to {count - 1}'


def own_model_types(model: Mapping) -> list[str]:
    """Dotted key and name of what a model config has from this package, its losses apart."""
    return [
        f'{key}.type={type_name(node["type"])}'
        for key, node in walk_dicts(model, 'model')
        if is_own(node.get('type')) and not _is_loss(key)
    ]


def _stock_hook(hook: Mapping) -> dict:
    """The hook of a training, or mmengine's where this package put its own in the place of that one."""
    stock = copy.deepcopy(dict(hook))
    return {**stock, 'type': 'LoggerHook'} if type_name(stock.get('type', '')) == 'ValidJsonLoggerHook' else stock


def stock_config(cfg: Config, model: Mapping, dataset_meta: Mapping) -> Config:
    """A config for prediction and test that names nothing of this package.

    Losses become cross-entropy, data sets ``BaseSegDataset`` with their classes, metrics ``IoUMetric``, the visualizer
    ``SegLocalVisualizer``; hooks, optimiser, schedule and training data are left out.

    Args:
        cfg: The whole config.
        model: Of the network, from :func:`branch_model`.
        dataset_meta: ``classes`` and ``palette``.

    Raises:
        UserError: If the network or a transform is from this package and there is nothing stock in its place.
    """
    stock = {key: copy.deepcopy(cfg[key]) for key in KEPT if cfg.get(key) is not None}
    stock.setdefault('default_scope', 'mmseg')
    stock['model'] = _stock_model(model)
    if is_own((stock.get('visualizer') or {}).get('type')):
        stock['visualizer'] = _stock_visualizer(stock['visualizer'])
    for key in ('vis_backends', 'visualizer'):
        _use_stock_backends(stock.get(key) or [])
    for part in ('val', 'test'):
        loader, evaluator, loop = f'{part}_dataloader', f'{part}_evaluator', f'{part}_cfg'
        if cfg.get(loader) and cfg.get(evaluator) and cfg.get(loop):  # the runner takes all three or none
            stock[loader] = stock_data(copy.deepcopy(cfg[loader]), dataset_meta)
            stock[evaluator] = _stock_metrics(copy.deepcopy(cfg[evaluator]))
            stock[loop] = copy.deepcopy(cfg[loop])
        elif part == 'test' and 'val_dataloader' in stock:  # MMSegInferencer and test.py look there
            stock |= {f'test_{kind}': copy.deepcopy(stock[f'val_{kind}']) for kind in ('dataloader', 'evaluator')}
            stock['test_cfg'] = dict(type='TestLoop')
    stock['test_pipeline'] = test_pipeline(cfg)
    if cfg.get('tta_pipeline'):
        stock['tta_pipeline'] = copy.deepcopy(cfg.tta_pipeline)
        # MMSegmentation's test.py puts it in the place of the test set's pipeline.
        renumber(stock, 'tta_pipeline', next(label_maps(cfg.get('test_dataloader')), None))
    stock['default_hooks'] = {
        name: _stock_hook(hook)
        for name, hook in (cfg.get('default_hooks') or {}).items()
        if hook and name in ('timer', 'logger', 'visualization') and not is_own(_stock_hook(hook).get('type'))
    }
    stock['default_hooks'].setdefault('visualization', dict(type='SegVisualizationHook'))
    imports = (cfg.get('custom_imports') or {}).get('imports', [])
    imports = [imports] if isinstance(imports, str) else imports
    imports = [name for name in imports if name.split('.')[0] != PACKAGE]
    if imports:
        stock['custom_imports'] = dict(imports=imports, allow_failed_imports=False)
    stock.update(load_from=None, resume=False)
    _drop_scopes(stock)
    _use_stock_loading(stock)
    left = [f'{key}.type={type_name(node["type"])}' for key, node in walk_dicts(stock) if is_own(node.get('type'))]
    if left:
        raise UserError(f'MMSegmentation alone has no {", ".join(left)}; use --format onnx or torchscript')
    return Config(stock)


def _is_loss(key: str) -> bool:
    return any(part.startswith('loss') for part in key.split('.'))


def _stock_model(model: Mapping) -> ConfigDict:
    """The model with stock losses.

    Raises:
        UserError: If a network is from this package.
    """
    own = own_model_types(model)
    if own:
        raise UserError(
            f'MMSegmentation alone has no {", ".join(own)}, so there is no plain checkpoint of this network. '
            'Possible are --format onnx and --format torchscript, which need neither MMSegmentation nor this package.'
        )
    model = ConfigDict(copy.deepcopy(model))
    for _, node in list(walk_dicts(model)):
        for key, value in list(node.items()):
            if key.startswith('loss') and isinstance(value, (dict, list, tuple)):
                node[key] = _stock_losses(value)
    return model


def _stock_losses(losses: dict | list | tuple) -> dict | list:
    """The stock ones among the losses; cross-entropy where there is none."""
    if isinstance(losses, dict):
        return dict(STOCK_LOSS) if is_own(losses.get('type')) else losses
    return [loss for loss in losses if not is_own(loss.get('type'))] or [dict(STOCK_LOSS)]


def _use_stock_loading(stock: Mapping) -> None:
    """``LoadImageAsUint8`` without options is ``LoadImageFromFile`` for files with 8 bits, and within one of 255 for 16."""
    for _, node in list(walk_dicts(stock)):
        if type_name(node.get('type', '')) == 'LoadImageAsUint8' and not scaling_of(node):
            for option in ('bit_depth', 'percentiles'):
                node.pop(option, None)
            node['type'] = 'LoadImageFromFile'


def scaling_of(step: Mapping) -> str:
    """How a step that loads images makes 8 bits of more, where it is told to: such as ``LoadImageAsUint8(bit_depth=12)``."""
    if type_name(step.get('type', '')) != 'LoadImageAsUint8':
        return ''
    options = [f'{key}={step[key]!r}' for key in ('bit_depth', 'percentiles') if step.get(key) is not None]
    return f'LoadImageAsUint8({", ".join(options)})' if options else ''


def _stock_metrics(evaluator: dict | list) -> dict | list:
    for _, node in list(walk_dicts(evaluator)):
        if is_own(node.get('type')) and inherits(node['type'], IoUMetric):
            node['type'] = 'IoUMetric'
            node.pop('min_area', None)  # of DefectIoUMetric alone
    return evaluator


def _drop_scopes(node: dict) -> None:
    """Take out the marks that mmengine leaves in a config that was in use."""
    for _, inner in list(walk_dicts(node)):
        if inner.get('_scope_') == 'mmseg':
            inner.pop('_scope_')
