"""The visualiser that shows all branches, where they disagree and what is wrong."""

from typing import Any

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmengine.structures import PixelData
from mmengine.visualization import MLflowVisBackend
from mmseg.registry import VISUALIZERS
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from ..evaluation import image_scores
from ..utils import UserError
from .layer_grid import Style, layer_grid, layers_of
from .palette import COLORS, choose_colors
from .resize import resize_labels


@VISUALIZERS.register_module()
class SemiSegLocalVisualizer(SegLocalVisualizer):
    """MMSeg's visualiser with a picture made for defects.

    One column each, as far as the sample has it: image, ground truth, prediction (``ensemble`` where there are branches),
    each branch (``pred_sem_seg_branches``), pseudo-labels (``pseudo_sem_seg``), where the branches disagree, the errors of
    the prediction by kind. Below the whole image the thinnest defects four times as large, and a legend. Takes the place
    of ``SegLocalVisualizer``: same arguments, same back ends (local files, TensorBoard, WandB, MLflow, ...).

    Args:
        name: Of the instance, by which mmengine keeps it.
        *args: See ``mmseg.visualization.SegLocalVisualizer``.
        colors: ``'color_blind'``: colours that everybody can tell apart; ``'dataset'``: the data set's own palette.
        opacity: Of the fill within the contours, in [0, 1].
        contour: Width of the contours in pixels of the picture; 0: none.
        zooms: At most so many enlarged parts; 0: none.
        panel: Side of a square with the area of a panel, in pixels.
        background: The class that is no defect. None: every class is painted and every error is a wrong class.
        ignore_index: Label of pixels that do not count.
        **kwargs: See ``mmseg.visualization.SegLocalVisualizer``.

    Raises:
        ValueError: On another value of ``colors``, or a number out of range.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        *args: Any,
        colors: str = 'color_blind',
        opacity: float = 0.4,
        contour: int = 2,
        zooms: int = 2,
        panel: int = 256,
        background: int | None = 0,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, *args, **kwargs)
        if colors not in COLORS:
            raise UserError(f'SemiSegLocalVisualizer.colors must be one of {COLORS}, got {colors!r}')
        if not 0 <= opacity <= 1 or contour < 0 or zooms < 0 or panel < 32:
            raise UserError(
                'SemiSegLocalVisualizer: opacity is in [0, 1], contour and zooms are 0 or more and panel is 32 or more, '
                f'got {opacity}, {contour}, {zooms} and {panel}'
            )
        self.colors = colors
        self.opacity = opacity
        self.contour = contour
        self.zooms = zooms
        self.panel = panel
        self.background = background
        self.ignore_index = ignore_index

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: SegDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        with_labels: bool | None = True,
        with_image: bool | None = True,
    ) -> None:
        """Draw a sample and hand the picture to the window, the file or the back ends.

        Args:
            name: What the back ends call the picture.
            image: Shape (h, w, 3), RGB, uint8.
            data_sample: With any of ``gt_sem_seg``, ``pred_sem_seg``, ``pred_sem_seg_branches``, ``pseudo_sem_seg``.
            draw_gt: Whether to draw the ground truth, and the errors that it shows.
            draw_pred: Whether to draw what was predicted.
            show: Whether to open a window in place of the back ends.
            wait_time: Seconds until the window closes; 0: until a key.
            out_file: A file in place of the back ends.
            step: Iteration, by which the back ends order pictures of one name.
            with_labels: Whether to draw the legend.
            with_image: There for MMSeg's sake; the image always has its column.
        """
        picture = self.draw(image, data_sample, draw_gt, draw_pred, bool(with_labels))
        self.set_image(picture)
        if show:
            self.show(picture, win_name=name, wait_time=wait_time)
        if out_file is not None:
            mmcv.imwrite(mmcv.rgb2bgr(picture), out_file)
        else:
            self.add_image(name, picture, step)

    @master_only
    def add_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
        """Hand a picture to the back ends; MLflow takes the name of a file and knows no step, so its name has both.

        Args:
            name: What the back ends call it.
            image: Shape (h, w, 3), RGB, uint8.
            step: Iteration.
        """
        for backend in self._vis_backends.values():
            files = isinstance(backend, MLflowVisBackend)
            backend.add_image(f'{name}_{step}.png' if files else name, image, step)

    def draw(
        self,
        image: np.ndarray,
        data_sample: SegDataSample | None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        with_legend: bool = True,
    ) -> np.ndarray:
        """The picture alone, shape (h, w, 3), RGB, uint8; see :meth:`add_datasample`."""
        maps: dict[str, np.ndarray | None] = {}
        if draw_gt:
            maps['target'] = self._map(data_sample, 'gt_sem_seg', image)
        if draw_pred:
            maps['prediction'] = self._map(data_sample, 'pred_sem_seg', image)
            maps['branches'] = self._maps(data_sample, 'pred_sem_seg_branches', image)
            maps['pseudo_labels'] = self._maps(data_sample, 'pseudo_sem_seg', image)
        classes = self.dataset_meta['classes']
        palette = choose_colors(self.colors, len(classes), self.dataset_meta.get('palette'), self.background)
        style = Style(classes, palette, self.opacity, self.contour, self.background, self.ignore_index, self.panel)
        layers = layers_of(
            image,
            **maps,
            background=self.background,
            ignore_index=self.ignore_index,
            captions=self._scores(maps, len(classes)),
        )
        return layer_grid(layers, style, self.zooms, with_legend)

    def _scores(self, maps: dict[str, np.ndarray | None], num_classes: int) -> dict[str, str]:
        """The score of the image below the title of each prediction."""
        target, prediction, branches = (maps.get(key) for key in ('target', 'prediction', 'branches'))
        if target is None or prediction is None or self.background != 0:
            return {}
        named = {'prediction': prediction, 'ensemble': prediction}
        named.update({f'branch {k}': labels for k, labels in enumerate(branches if branches is not None else [])})
        scores = {
            key: image_scores(labels, target, num_classes, self.ignore_index).miou for key, labels in named.items()
        }
        return {key: f'mIoU {100 * score:.0f} %' for key, score in scores.items() if score == score}

    def _map(self, sample: SegDataSample | None, key: str, image: np.ndarray) -> np.ndarray | None:
        maps = self._maps(sample, key, image)
        return None if maps is None else maps[0]

    def _maps(self, sample: SegDataSample | None, key: str, image: np.ndarray) -> np.ndarray | None:
        """Label maps (n, h, w) of a sample at the size of the image; None where it has none."""
        if sample is None or key not in sample:
            return None
        return _fitting(sample.get(key), image.shape[:2])


def _fitting(data: PixelData, size: tuple[int, int]) -> np.ndarray:
    values = data.cpu().data
    maps = np.asarray(values).astype(np.int64)
    if maps.ndim == 2:
        maps = maps[None]
    return np.stack([one if one.shape == size else resize_labels(one, size).astype(np.int64) for one in maps])
