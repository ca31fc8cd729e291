"""Tiny folders in the layout of each public set; nothing is downloaded."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image
from scipy.io import savemat

from benchmarks.public_sets import READERS
from benchmarks.public_sets.prepare import prepare_public, smallest_fraction
from benchmarks.public_sets.reader import LONGER_SIDE, draw_groups, shrink
from simeps_mmseg.datasets.preparation import PreparationError
from simeps_mmseg.datasets.splits import read_split
from simeps_mmseg.utils import UserError
from tests.conftest import ROOT
from tests.helpers import save

CONFIGS = sorted((ROOT / 'benchmarks/public_sets/configs').glob('*.py'))
SEEDS = (0, 1)


def photo(seed: int, size: tuple[int, int] = (32, 32), channels: int = 3) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (*size, channels), dtype=np.uint8)
    return noise if channels > 1 else noise[..., 0]


def stripe(value: int = 255, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    """A line of 4 x 20 pixels with an edge of 127, which is still background."""
    mask = np.zeros(size, np.uint8)
    mask[10:14, 5:25] = value
    mask[14, 5:25] = min(127, value - 1)
    return mask


def make_ceramic_cracks(root: Path) -> Path:
    for i in range(20):
        save(root / f'train/image/{i:03d}.png', photo(i, channels=4))
        save(root / f'train/label/{i:03d}.png', np.stack([stripe()] * 3, axis=-1))
        save(root / f'test/{i:03d}.png', photo(100 + i))
    return root


def make_crackforest(root: Path) -> Path:
    segmentation = np.ones((32, 32), np.uint8)
    segmentation[10:14, 5:25], segmentation[20:24, 5:25], segmentation[28, 5:25] = 2, 3, 4
    (root / 'groundTruth').mkdir(parents=True)
    for i in range(30, 50):  # 042 is among them
        save(root / f'image/{i:03d}.jpg', photo(i))
        content = np.array([[(segmentation, segmentation)]], [('Segmentation', 'O'), ('Boundaries', 'O')])
        savemat(root / f'groundTruth/{i:03d}.mat', dict(groundTruth=content))
    save(root / 'image/201.jpg', photo(201))
    return root


def make_leather(root: Path) -> Path:
    for part, number, count in (('Train Images', 1, 6), ('Test Image', 2, 2)):
        folder = root / 'Custom Dataset/Combined' / part
        for kind in ('cut', 'hole', 'line', 'wringle'):
            for i in range(count):
                name = f'{kind}_{i + 10 * number}.png'
                save(folder / f'images{number}' / name, photo(i, channels=4))
                mask = stripe(size=(40, 32) if name == 'hole_18.png' else (32, 32))
                save(folder / f'masks{number}' / name, np.dstack([mask, mask, mask, np.full_like(mask, 255)]))
                save(folder / f'annotated{number}' / name, np.zeros((32, 32), np.uint8))
    return root


def make_masonry(root: Path) -> Path:
    for i in range(24):
        save(root / f'dataset/crack_detection_224_images/a_{i // 3}_{i}.png', photo(i))
        save(root / f'dataset/crack_detection_224_masks/a_{i // 3}_{i}.png', stripe())
    return root


def make_metal_plates(root: Path) -> Path:
    for part, seeds in (
        ('train', [*range(16), 3]),
        ('val', [0, 20]),
        ('test', [30, 31, 32]),
    ):  # 3 and 0 are there twice
        for i, seed in enumerate(seeds):
            name = f'metal_plate/{part}/{{}}/{part}_{i:05d}.png'
            save(root / 'data_supervised' / name.format('images'), photo(seed))
            save(root / 'data_supervised' / name.format('masks'), stripe() if seed % 2 else stripe() * 0)
    return root


def make_uav_cracks(root: Path) -> Path:
    for i in range(20):
        save(root / f'kaggle_release/images/slide{i}.png', photo(i, channels=4 if i == 3 else 3))
        save(root / f'kaggle_release/masks/slide{i}.png', stripe())
    lines = [f'images/slide{i}.png masks/slide{i}.png\n' for i in (2, 3, 5)]
    (root / 'split_manifests').mkdir()
    (root / 'split_manifests/kaggle_test.txt').write_text(''.join(lines))
    return root


def make_welds(root: Path) -> Path:
    for number in range(100, 120):  # 105 is there, and 118 is another name of 31
        for version, part in enumerate(('test', 'train', 'train')):
            size = (600, 800) if number == 101 else (32, 32)
            mask = stripe(value=1) if number != 101 else np.kron(stripe(value=1)[:24], np.ones((25, 25), np.uint8))
            save(root / f'data/{part}/images/{number}_JPG.rf.{version}a{number}.jpg', photo(number, size))
            save(root / f'data/{part}/masks/{number}_JPG.rf.{version}a{number}_mask.png', mask)
    return root


MAKERS = dict(
    ceramic_cracks=make_ceramic_cracks,
    crackforest=make_crackforest,
    leather=make_leather,
    masonry=make_masonry,
    metal_plates=make_metal_plates,
    uav_cracks=make_uav_cracks,
    welds=make_welds,
)
# Images outside and inside the test set.
COUNTS = dict(
    ceramic_cracks=(15, 5),
    crackforest=(14, 5),
    leather=(24, 8),
    masonry=(18, 6),
    metal_plates=(17, 3),
    uav_cracks=(17, 3),
    welds=(14, 5),
)


@pytest.fixture(scope='module')
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('public')
    for name, make in MAKERS.items():
        prepare_public(name, make(root / 'downloads' / name), root / 'data', seeds=SEEDS, allow_other_counts=True)
    return root / 'data'


def mask_of(folder: Path, name: str) -> np.ndarray:
    with Image.open(folder / f'annotations/{name}.png') as mask:
        assert mask.mode == 'L'
        return np.asarray(mask)


def test_each_reader_has_a_folder_to_read():
    assert MAKERS.keys() == COUNTS.keys() == READERS.keys()


@pytest.mark.parametrize('name', MAKERS)
def test_splits_part_the_images(name, data_root):
    folder = data_root / name
    rest, test = COUNTS[name]
    tests = read_split(folder / 'splits/test.txt')
    images = {path.stem for path in (folder / 'images').iterdir()}
    assert len(tests) == test
    assert len(images) == rest + test
    for seed in SEEDS:
        splits = folder / f'splits/seed{seed}'
        train, val = read_split(splits / 'train.txt'), read_split(splits / 'val.txt')
        assert sorted(train + val + tests) == sorted(images)
        assert len(val) == np.ceil(0.15 * rest)
        few, more = (set(read_split(splits / f'{percent}pct_labeled.txt')) for percent in (10, 50))
        assert few < more
        assert sorted(more | set(read_split(splits / '50pct_unlabeled.txt'))) == train


@pytest.mark.parametrize('name', MAKERS)
def test_masks_are_class_indices_of_the_size_of_their_image(name, data_root):
    folder, reader = data_root / name, READERS[name]
    seen = set()
    for path in (folder / 'images').iterdir():
        mask = mask_of(folder, path.stem)
        seen |= set(np.unique(mask).tolist())
        with Image.open(path) as image:
            assert image.size == mask.shape[::-1]
            assert image.mode == 'RGB'
            assert max(image.size) <= LONGER_SIDE
    assert seen == set(range(len(reader.classes)))


def test_grey_edges_are_background(data_root):
    mask = mask_of(data_root / 'masonry', 'a_0_0')
    assert (mask[10:14, 5:25] == 1).all()
    assert mask.sum() == 4 * 20


def test_crackforest_counts_cracks_and_not_what_they_enclose(data_root):
    mask = mask_of(data_root / 'crackforest', '030')
    assert [mask[row, 10] for row in (12, 22, 28, 0)] == [1, 0, 1, 0]
    assert not (data_root / 'crackforest/images/042.jpg').exists()


def test_leather_reads_the_kind_from_the_name_and_stretches_the_two_odd_masks(data_root):
    folder = data_root / 'leather'
    names = ('cut_10', 'hole_10', 'line_10', 'wringle_10')
    assert [mask_of(folder, name).max() for name in names] == [1, 2, 3, 4]
    assert set(read_split(folder / 'splits/test.txt')) == {
        f'{kind}_{i}' for kind in ('cut', 'hole', 'line', 'wringle') for i in (20, 21)
    }


def test_an_odd_leather_mask_is_stretched(tmp_path):
    root = make_leather(tmp_path / 'download')
    folder = root / 'Custom Dataset/Combined/Train Images'
    for kind in ('images1', 'masks1'):
        (folder / kind / 'hole_10.png').rename(folder / kind / 'hole_18.png')
    save(folder / 'masks1/hole_18.png', np.kron(stripe(), np.ones((2, 1), np.uint8)))
    prepared = prepare_public('leather', root, tmp_path / 'data', seeds=[0], allow_other_counts=True)
    assert (mask_of(prepared, 'hole_18') == 2 * (stripe() > 127)).all()


def test_masonry_tests_on_photographs_of_their_own(data_root):
    splits = data_root / 'masonry/splits'
    tested = {name.rpartition('_')[0] for name in read_split(splits / 'test.txt')}
    others = [*read_split(splits / 'seed0/train.txt'), *read_split(splits / 'seed0/val.txt')]
    assert not tested & {name.rpartition('_')[0] for name in others}


def test_metal_plates_keep_clean_images_and_drop_repeated_ones(data_root):
    folder = data_root / 'metal_plates'
    names = {path.stem for path in (folder / 'images').iterdir()}
    assert not names & {'train_00016', 'val_00000'}
    assert sum(not mask_of(folder, name).any() for name in names) == 11


def test_uav_cracks_use_the_list_of_test_images(data_root):
    assert read_split(data_root / 'uav_cracks/splits/test.txt') == ['slide2', 'slide3', 'slide5']


def test_a_listed_test_image_that_is_not_there_is_a_problem(tmp_path):
    root = make_uav_cracks(tmp_path / 'download')
    for kind in ('images', 'masks'):
        (root / f'kaggle_release/{kind}/slide5.png').unlink()
    with pytest.raises(PreparationError, match='names slide5, but there is no such image'):
        prepare_public('uav_cracks', root, tmp_path / 'data', allow_other_counts=True)


def test_welds_keep_one_version_of_a_photograph_and_shrink_it(data_root):
    folder = data_root / 'welds'
    names = {path.stem for path in (folder / 'images').iterdir()}
    assert names == {str(number) for number in range(100, 120)} - {'118'}
    mask = mask_of(folder, '101')
    assert mask.shape == (384, 512)
    assert mask.mean() == pytest.approx(4 * 20 / (24 * 32), rel=0.01)


def test_other_counts_are_refused(tmp_path):
    with pytest.raises(PreparationError, match='training images: found 19, expected 314'):
        prepare_public('welds', make_welds(tmp_path / 'download'), tmp_path / 'data')


def test_a_folder_of_another_set_is_no_set(tmp_path):
    with pytest.raises(PreparationError, match='no file fits'):
        prepare_public('welds', make_masonry(tmp_path / 'download'), tmp_path / 'data')


def test_a_coloured_mask_is_refused(tmp_path):
    root = make_ceramic_cracks(tmp_path / 'download')
    save(root / 'train/label/003.png', photo(3))
    with pytest.raises(PreparationError, match=r'003\.png: expected a grey mask, found colours'):
        prepare_public('ceramic_cracks', root, tmp_path / 'data', allow_other_counts=True)


def test_a_seed_is_needed(tmp_path):
    with pytest.raises(UserError, match='--seeds needs at least one number'):
        prepare_public('masonry', make_masonry(tmp_path / 'download'), tmp_path / 'data', seeds=())


def test_the_smallest_part_has_enough_images_and_every_class(data_root):
    assert smallest_fraction(data_root / 'leather', SEEDS) == 50  # 10 of 20; 30 % are 6
    assert smallest_fraction(data_root / 'uav_cracks', SEEDS) is None


def test_small_images_keep_their_size():
    mask = stripe()
    assert shrink(mask, 0) is mask


def test_groups_are_drawn_whole_and_by_the_seed():
    names = [f'{group}{i}' for group in 'abcdefgh' for i in range(5)]
    drawn = draw_groups(names, lambda name: name[0], 0.25)
    assert len(drawn) == 10
    assert len({name[0] for name in drawn}) == 2
    assert drawn == draw_groups(reversed(names), lambda name: name[0], 0.25)
    assert drawn != draw_groups(names, lambda name: name[0], 0.25, seed=1)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_configs_fit_the_prepared_sets(path, data_root):
    cfg = Config.fromfile(path)
    reader = READERS[path.stem.rpartition('_')[0]]
    parts = [cfg[f'{name}_dataloader'].dataset for name in ('train', 'val', 'test')]
    for part in parts:
        part.data_root = str(data_root / Path(part.data_root).name)
        dataset = DATASETS.build(part)
        assert dataset.metainfo['classes'] == reader.classes
        assert len(dataset.metainfo['palette']) == len(reader.classes)
        sample = dataset[0]
        assert sample['inputs'].shape == (3, 256, 256)
        assert 'gt_sem_seg' in sample['data_samples']


def test_each_set_has_a_config():
    assert [path.stem.rpartition('_')[0] for path in CONFIGS] == sorted(READERS)
