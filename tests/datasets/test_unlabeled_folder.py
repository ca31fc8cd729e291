"""A folder of images without masks, of any kind and depth."""

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

from simeps_mmseg.datasets import SyntheticDefectDataset, UnlabeledFolderDataset
from simeps_mmseg.datasets.transforms import to_uint8
from simeps_mmseg.utils import UserError
from tests.helpers import save

PIPELINE = [dict(type='LoadImageAsUint8'), dict(type='Resize', scale=(16, 16)), dict(type='PackSegInputs')]
GREY = np.arange(24 * 20).reshape(24, 20) % 256
COLOR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2).astype(np.uint8)
DEEP = (GREY * 257).astype(np.uint16)
FILES = {
    'a/grey.PNG': GREY.astype(np.uint8),
    'a/b/colour.jpeg': COLOR,
    'a/b/colour.bmp': COLOR,
    'deep.png': DEEP,
    'deep.TIFF': DEEP,
    'float.tif': (GREY / 255).astype(np.float32),
    'transparent.png': np.concatenate([COLOR, np.full((24, 20, 1), 128, np.uint8)], axis=2),
    'small.jpg': COLOR[:9, :7],
}


@pytest.fixture
def folder(tmp_path):
    for name, array in FILES.items():
        save(tmp_path / 'images' / name, array)
    (tmp_path / 'images/notes.txt').write_text('no image')
    (tmp_path / 'images/.hidden').mkdir()
    save(tmp_path / 'images/.hidden/x.png', COLOR)
    save(tmp_path / 'images/._mac.png', COLOR)
    return tmp_path / 'images'


def load(path, **options):
    return TRANSFORMS.build(dict(type='LoadImageAsUint8', **options))(dict(img_path=str(path)))['img']


class TestFolder:
    def test_finds_every_image_and_gives_samples_without_masks(self, folder):
        dataset = DATASETS.build(dict(type='UnlabeledFolderDataset', data_root=str(folder), pipeline=PIPELINE))
        names = [dataset.get_data_info(i)['img_path'].removeprefix(f'{folder}/') for i in range(len(dataset))]
        assert names == sorted(FILES)
        for index in range(len(dataset)):
            assert 'seg_map_path' not in dataset.get_data_info(index)
            sample = dataset[index]
            assert sample['inputs'].shape == (3, 16, 16)
            assert 'gt_sem_seg' not in sample['data_samples']

    def test_beside_a_labeled_set_whose_classes_count(self, folder, synthetic_root):
        root = synthetic_root / 'synthetic'
        prefix = dict(img_path='images', seg_map_path='annotations')
        labeled = SyntheticDefectDataset(data_root=str(root), ann_file='splits/test.txt', data_prefix=prefix)
        unlabeled = UnlabeledFolderDataset(str(folder))
        both = ConcatDataset([labeled, unlabeled], ignore_keys=['classes', 'palette', 'label_map', 'reduce_zero_label'])
        assert both.metainfo == labeled.metainfo
        own = UnlabeledFolderDataset(str(folder), metainfo={k: labeled.metainfo[k] for k in ('classes', 'palette')})
        assert ConcatDataset([labeled, own]).metainfo['classes'] == labeled.metainfo['classes']

    def test_a_list_with_and_without_suffixes(self, folder):
        (folder / 'list.txt').write_text('small\na/grey.PNG\n')
        dataset = UnlabeledFolderDataset(str(folder), ann_file='list.txt')
        assert [dataset.get_data_info(i)['img_path'] for i in range(2)] == [
            f'{folder}/small.jpg',
            f'{folder}/a/grey.PNG',
        ]
        (folder / 'list.txt').write_text('smal\n')
        with pytest.raises(UserError, match=r'names 1 image\(s\) that are not in .*such as smal'):
            UnlabeledFolderDataset(str(folder), ann_file='list.txt')
        (folder / 'list.txt').write_text('\n')
        with pytest.raises(UserError, match=r'list.txt \(ann_file of UnlabeledFolderDataset\) is empty; leave it out'):
            UnlabeledFolderDataset(str(folder), ann_file='list.txt')

    def test_a_list_that_could_mean_several_files_is_refused(self, folder):
        """Not the last of them, which may be the mask."""
        (folder / 'list.txt').write_text('a/b/colour\n')
        with pytest.raises(UserError, match=r'a/b/colour in .*list.txt is a/b/colour.bmp and a/b/colour.jpeg in'):
            UnlabeledFolderDataset(str(folder), ann_file='list.txt')
        dataset = UnlabeledFolderDataset(str(folder), ann_file='list.txt', suffixes=['.jpeg'])
        assert dataset.get_data_info(0)['img_path'] == f'{folder}/a/b/colour.jpeg'
        (folder / 'list.txt').write_text('a/b/colour.bmp\n')
        dataset = UnlabeledFolderDataset(str(folder), ann_file='list.txt')
        assert dataset.get_data_info(0)['img_path'] == f'{folder}/a/b/colour.bmp'

    def test_images_of_other_sets_are_left_out(self, folder):
        others = dict(type='BaseSegDataset', data_prefix=dict(img_path=str(folder / 'a')), img_suffix='.jpeg')
        wrapped = dict(type='RepeatDataset', times=2, dataset=others)
        dataset = UnlabeledFolderDataset(str(folder), exclude=[wrapped])
        assert len(dataset) == len(FILES) - 1
        assert not any('colour.jpeg' in dataset.get_data_info(i)['img_path'] for i in range(len(dataset)))

    def test_masks_of_other_sets_are_left_out(self, tmp_path):
        for name in (
            'images/a.png',
            'masks/a.png',
            'masks/of_no_image.png',
            'beside/b.png',
            'beside/b_mask.png',
            'new/c.png',
        ):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name)
        apart = dict(type='BaseSegDataset', img_suffix='.png', data_root=str(tmp_path))
        apart['data_prefix'] = dict(img_path='images', seg_map_path='masks')
        beside = {**apart, 'seg_map_suffix': '_mask.png', 'ann_file': 'beside/b.txt'}
        beside['data_prefix'] = dict(img_path='beside', seg_map_path='beside')
        (tmp_path / 'beside/b.txt').write_text('b\n')
        dataset = UnlabeledFolderDataset(str(tmp_path), exclude=[apart, beside])
        assert [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))] == [f'{tmp_path}/new/c.png']

    def test_links_that_lead_back_end(self, folder):
        (folder / 'a/loop').symlink_to(folder)
        assert len(UnlabeledFolderDataset(str(folder))) == len(FILES)

    def test_what_is_missing_is_named(self, tmp_path):
        with pytest.raises(UserError, match=r'nowhere .*is not a folder'):
            UnlabeledFolderDataset(str(tmp_path / 'nowhere'))
        with pytest.raises(UserError, match=r'holds no image: looked for \.png, \.jpg'):
            UnlabeledFolderDataset(str(tmp_path))


class TestLoading:
    @pytest.mark.parametrize('name', ['a/grey.PNG', 'a/b/colour.jpeg', 'a/b/colour.bmp', 'transparent.png'])
    def test_eight_bits_are_as_with_mmcv(self, folder, name):
        mmcv_image = TRANSFORMS.build(dict(type='LoadImageFromFile'))(dict(img_path=str(folder / name)))['img']
        np.testing.assert_array_equal(load(folder / name), mmcv_image)

    @pytest.mark.parametrize('name', ['deep.png', 'deep.TIFF', 'float.tif'])
    def test_more_bits_come_out_as_the_same_grey(self, folder, name):
        image = load(folder / name)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, np.repeat(GREY[..., None], 3, axis=2))

    def test_twelve_bits(self, tmp_path):
        save(tmp_path / 'x.png', (GREY * 16).astype(np.uint16))
        assert load(tmp_path / 'x.png').max() == 16
        assert load(tmp_path / 'x.png', bit_depth=12).max() == 254
        assert load(tmp_path / 'x.png', percentiles=(0, 100)).max() == 255

    def test_exif_orientation_is_followed(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(COLOR).save(tmp_path / 'x.jpg', exif=exif)
        assert load(tmp_path / 'x.jpg').shape == (20, 24, 3)

    def test_damaged_files_are_named(self, tmp_path):
        (tmp_path / 'x.png').write_bytes(b'')
        with pytest.raises(ValueError, match=r'x\.png: not a readable image'):
            load(tmp_path / 'x.png')

    def test_options_out_of_range(self):
        for options in (dict(bit_depth=8), dict(percentiles=(99, 1)), dict(color_type='grayscale')):
            with pytest.raises(ValueError, match=next(iter(options))):
                load('x', **options)

    def test_scaling_against_exact_arithmetic(self):
        values = np.arange(65536, dtype=np.uint16)
        expected = [(2 * int(v) + 257) // 514 for v in values]  # round half up; no half occurs, 257 is odd
        np.testing.assert_array_equal(to_uint8(values), expected)
        with pytest.raises(ValueError, match=r'expected floats in \[0, 1\], found values from 0 to 300'):
            to_uint8(np.array([0.0, 300.0]))
        with pytest.raises(ValueError, match='found int32'):
            to_uint8(np.array([1], np.int32))
        assert (to_uint8(np.full(4, 7, np.uint16), percentiles=(1, 99)) == 0).all()
