"""The picture with all that is known of an image, and the visualiser that hands it out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmengine.visualization import MLflowVisBackend
from mmengine.visualization.vis_backend import BaseVisBackend
from mmseg.registry import VISBACKENDS, VISUALIZERS
from mmseg.structures import SegDataSample
from PIL import Image

from simeps_mmseg.visualization import Layer, SemiSegLocalVisualizer, Style, layer_grid, layers_of, legend, paint_layer
from simeps_mmseg.visualization.layer_grid import legend_entries
from simeps_mmseg.visualization.text import shorten, text_strip, text_width

CLASSES = ('background', 'scratch', 'patch', 'pit')
STYLE = Style(CLASSES, [[0, 0, 0], [230, 159, 0], [86, 180, 233], [0, 158, 115]], panel=64)
META = dict(classes=CLASSES, palette=[[0, 0, 0], [9, 9, 9], [8, 8, 8], [7, 7, 7]])


@VISBACKENDS.register_module()
class RecordingBackend(BaseVisBackend):
    """Keeps what a TensorBoard would be sent."""

    seen: list = []

    def __init__(self, save_dir=None):
        super().__init__(save_dir)

    @property
    def experiment(self):
        return self

    def _init_env(self):
        pass

    def add_image(self, name, image, step=0, **kwargs):
        self.seen.append((name, image.shape, image.dtype, step))


def maps(size=(20, 20)):
    target = np.zeros(size, np.int64)
    target[5:9, 5:15] = 1
    branches = np.stack([target, np.roll(target, 1, axis=0), np.zeros(size, np.int64)])
    return dict(target=target, prediction=branches[1], branches=branches)


def make_sample(**changes):
    made = SegDataSample()
    arrays = maps()
    named = dict(gt_sem_seg=arrays['target'][None], pred_sem_seg=arrays['prediction'][None])
    named.update(pred_sem_seg_branches=arrays['branches'])
    named.update(changes)
    made.set_data({key: PixelData(data=torch.as_tensor(v)) for key, v in named.items() if v is not None})
    return made


def image(size=(20, 20)):
    return np.full((*size, 3), 90, np.uint8)


class TestLayers:
    def test_all(self):
        titles = [layer.title for layer in layers_of(image(), **maps())]
        assert titles == [
            'image',
            'ground truth',
            'ensemble',
            'branch 0',
            'branch 1',
            'branch 2',
            'disagreement',
            'errors',
        ]

    def test_one_network(self):
        arrays = maps()
        layers = layers_of(image(), arrays['target'], arrays['prediction'], captions={'prediction': 'mIoU 60 %'})
        assert [layer.title for layer in layers] == ['image', 'ground truth', 'prediction', 'errors']
        assert layers[2].caption == 'mIoU 60 %'

    def test_no_ground_truth(self):
        pseudo = np.stack([np.zeros((20, 20)), np.ones((20, 20))]).astype(np.int64)
        layers = layers_of(image(), prediction=maps()['prediction'], pseudo_labels=pseudo)
        assert [layer.title for layer in layers] == ['image', 'prediction', 'pseudo-label of 0', 'pseudo-label of 1']
        same = layers_of(image(), pseudo_labels=pseudo[[0, 0]])
        assert [layer.title for layer in same] == ['image', 'pseudo-label']

    def test_values(self):
        layers = {layer.title: layer.values for layer in layers_of(image(), **maps())}
        assert set(np.unique(layers['disagreement'])) == {0, 67}
        assert (layers['errors'][5, 5:15] == 1).all()  # missed: the prediction lies one row lower
        assert (layers['errors'][9, 5:15] == 2).all()  # false alarm

    def test_legend_names_what_is_shown(self):
        layers = layers_of(image(), **maps())
        names = [name.strip() for name, color in legend_entries(layers, STYLE) if color is not None]
        assert names == [
            'scratch',
            'patch',
            'pit',
            'missed',
            'false alarm',
            'wrong class',
            'one branch differs',
            'all branches differ',
        ]
        assert legend_entries(layers[:1], STYLE) == []


def test_panels_show_what_their_layer_holds():
    layers = {layer.title: layer for layer in layers_of(image(), **maps())}
    painted = paint_layer(layers['ground truth'], image(), STYLE)
    assert painted.shape == (64, 64, 3)
    assert (painted[17, 17:47] == STYLE.palette[1]).all()  # the upper contour
    assert (painted[:12] == 90).all()
    heat = paint_layer(layers['disagreement'], image(), STYLE)
    assert (heat[:12] == 54).all()
    assert len(np.unique(heat.reshape(-1, 3), axis=0)) == 2


def test_large_images_are_reduced_and_thin_defects_are_kept():
    labels = np.zeros((1024, 2048), np.int64)
    labels[:, 1000] = 1
    panel = paint_layer(Layer('ground truth', 'classes', labels), image((1024, 2048)), STYLE)
    assert panel.shape == (45, 91, 3)
    assert (panel == STYLE.palette[1]).all(axis=2).any(axis=1).all()  # in every row


def test_what_does_not_count_is_not_enlarged():
    labels = np.zeros((20, 20), np.int64)
    labels[:4, :4] = 9
    layers = [Layer('image', 'image', image()), Layer('ground truth', 'classes', labels)]
    assert len(layer_grid(layers, STYLE)) > len(layer_grid(layers, replace(STYLE, ignore_index=9)))


def test_grid_has_a_column_per_layer_and_a_row_per_zoom():
    layers = layers_of(image(), **maps())
    whole = layer_grid(layers, STYLE, zooms=0, with_legend=False)
    assert whole.shape[1] == 8 * (64 + 6) + 6
    zoomed = layer_grid(layers, STYLE, zooms=2, with_legend=False)
    assert zoomed.shape[0] == whole.shape[0] + 64 + 6  # there is one defect
    titled = layer_grid(layers, STYLE, zooms=2, title='a title')
    assert titled.shape[0] > zoomed.shape[0]
    assert titled.dtype == np.uint8


class TestText:
    def test_what_is_too_long_loses_its_middle(self):
        assert shorten('scratch', 500, 14) == 'scratch'
        short = shorten('surface_0001_defect_0002', 90, 14)
        assert short.startswith('surf')
        assert short.endswith('02')
        assert '…' in short
        assert text_width(short, 14) <= 90
        assert shorten('scratch', 3, 14) == '…'

    def test_strip_and_legend_are_as_wide_as_asked(self):
        assert text_strip(['one', 'two'], 100).shape[1] == 100
        entries = [(f'class {k}', (255, 0, 0)) for k in range(10)]
        narrow, wide = legend(entries, 200), legend(entries, 2000)
        assert (narrow.shape[1], wide.shape[1]) == (200, 2000)
        assert narrow.shape[0] > wide.shape[0]
        red = (narrow == (255, 0, 0)).all(axis=2)
        assert red.sum() == 10 * (14 - 2) ** 2  # ten swatches, each with a frame


class TestVisualizer:
    def build(self, **changes):
        visualizer = SemiSegLocalVisualizer(panel=64, **changes)
        visualizer.dataset_meta = META
        return visualizer

    def test_is_registered_and_feeds_the_back_ends(self):
        RecordingBackend.seen.clear()
        config = dict(type='SemiSegLocalVisualizer', name='recorded', vis_backends=[dict(type='RecordingBackend')])
        visualizer = VISUALIZERS.build(config)
        visualizer.dataset_meta = META
        visualizer.add_datasample('val_1', image(), make_sample(), step=7)
        ((name, shape, dtype, step),) = RecordingBackend.seen
        assert (name, dtype, step) == ('val_1', np.uint8, 7)
        assert shape[1] == 8 * (256 + 6) + 6

    def test_mlflow_gets_the_name_of_a_file(self):
        sent = []

        class Recording(MLflowVisBackend):
            def __init__(self):
                pass  # no server

            def add_image(self, name, image, step=0):
                sent.append(name)

        visualizer = self.build(name='to mlflow')
        visualizer._vis_backends = dict(mlflow=Recording())
        visualizer.add_datasample('val_1', image(), make_sample(), step=7)
        assert sent == ['val_1_7.png']

    def test_out_file(self, tmp_path):
        self.build().add_datasample('a', image(), make_sample(), out_file=str(tmp_path / 'a.png'))
        with Image.open(tmp_path / 'a.png') as written:
            colors = {color for _, color in written.convert('RGB').getcolors(maxcolors=1 << 16)}
        assert (230, 159, 0) in colors  # the safe palette, as RGB
        self.build(colors='dataset').add_datasample('a', image(), make_sample(), out_file=str(tmp_path / 'b.png'))
        with Image.open(tmp_path / 'b.png') as written:
            colors = {color for _, color in written.convert('RGB').getcolors(maxcolors=1 << 16)}
        assert (230, 159, 0) not in colors
        assert (9, 9, 9) in colors

    def test_columns(self):
        def columns(data_sample, **kwargs):
            return (self.build(zooms=0).draw(image(), data_sample, **kwargs).shape[1] - 6) / (64 + 6)

        assert columns(make_sample()) == 8
        assert columns(make_sample(pred_sem_seg_branches=None)) == 4
        assert columns(make_sample(gt_sem_seg=None)) == 6
        assert columns(make_sample(pseudo_sem_seg=maps()['branches'])) == 11
        assert columns(make_sample(), draw_pred=False) == 2
        assert columns(None) == 1

    def test_maps_of_another_size_are_brought_to_that_of_the_image(self):
        picture = self.build().draw(image((40, 40)), make_sample())
        assert picture.shape[1] == 8 * (64 + 6) + 6

    def test_images_without_defects_and_without_background(self):
        blank = torch.zeros(1, 20, 20, dtype=torch.long)
        data_sample = make_sample(gt_sem_seg=blank, pred_sem_seg=blank, pred_sem_seg_branches=blank.repeat(3, 1, 1))
        assert self.build().draw(image(), data_sample).shape[1] == 8 * (64 + 6) + 6
        assert self.build(background=None).draw(image(), make_sample()).shape[1] == 8 * (64 + 6) + 6

    @pytest.mark.parametrize(
        ('changes', 'message'),
        [(dict(colors='nice'), "one of .* got 'nice'"), (dict(opacity=2.0), r'opacity is in \[0, 1\].* got 2.0')],
    )
    def test_wrong_arguments(self, changes, message):
        with pytest.raises(ValueError, match=message):
            SemiSegLocalVisualizer(**changes)
