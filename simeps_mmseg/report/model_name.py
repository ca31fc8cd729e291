"""What people call the method and the network of a config."""

from collections.abc import Mapping, Sequence

from mmengine.config import ConfigDict

from ..deploy.stock_config import branch_configs
from ..utils.config_tree import type_name

SINGLE = dict(MeanTeacherSegmentor='Mean Teacher', FixMatchSegmentor='FixMatch', UniMatchSegmentor='UniMatch')


def method_name(model: Mapping) -> str:
    """What people call the method of a model config."""
    kind = type_name(model['type'])
    if kind in ('MultiBranchSemiSegmentor', 'TriBranchSemiSegmentor'):
        if model.get('similarity'):
            return 'simEps'
        mixed = type_name((model.get('cross_pseudo') or {}).get('type', '')) == 'UncertaintyMixedLoss'
        return 'UAPS' if mixed else 'Cross pseudo supervision'
    if kind in SINGLE:
        return SINGLE[kind]
    return kind if {'branch', 'branches'} & model.keys() else 'Labels only'


def network_name(model: ConfigDict) -> str:
    """Backbone and head of each branch of a model config."""
    named = (' with '.join(filter(None, map(_types, _parts(branch)))) for branch in branch_configs(model))
    return ', '.join(dict.fromkeys(named))


def _parts(branch: Mapping) -> list:
    return [branch.get('backbone') or branch, branch.get('decode_head')]


def _types(part: Mapping | Sequence[Mapping] | None) -> str:
    if not part:
        return ''
    return ' and '.join(type_name(one['type']) for one in ([part] if isinstance(part, Mapping) else part))
