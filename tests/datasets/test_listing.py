"""Lists of many images: what is in them is what a list of text would hold, and it stays small."""

import os
import threading
from functools import wraps
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.datasets import BaseSegDataset

from simeps_mmseg.apis import check_dataset, train
from simeps_mmseg.datasets import SyntheticDefectDataset, UnlabeledFolderDataset, unlabeled_folder
from simeps_mmseg.datasets.labeled_unlabeled import LabeledUnlabeledDataset
from simeps_mmseg.datasets.listing import (
    FolderContents,
    PathTable,
    RealPaths,
    SampleList,
    are_there,
    build_dataset,
    find_files,
    folders,
    image_paths,
    listings_kept,
    paths,
    real_keys,
    shared,
    shared_images,
    shared_positions,
)
from simeps_mmseg.datasets.splits import find_listed
from simeps_mmseg.utils import UserError, images, processes
from simeps_mmseg.utils.images import list_images
from simeps_mmseg.utils.paths import real_path
from tests.faults import small_set

NAMES = ['a.png', 'b/ä.png', '', 'b/not utf-8 \udcff.png', 'c' * 300]


def touch(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


class TestPathTable:
    @pytest.mark.parametrize('block', [1, 2, 5, 100])
    def test_gives_back_what_it_was_made_of(self, monkeypatch, block):
        monkeypatch.setattr(paths, 'BLOCK', block)
        table = PathTable.from_paths(iter(NAMES))
        assert list(table) == [table[i] for i in range(len(table))] == NAMES
        assert table[-1] == NAMES[-1]
        assert list(table[1:4]) == NAMES[1:4]
        assert list(table.take([4, 0, 0, 2])) == [NAMES[4], NAMES[0], NAMES[0], NAMES[2]]

    def test_of_nothing(self):
        table = PathTable.from_paths([])
        assert len(table) == 0
        assert list(table) == list(table.take([])) == []
        with pytest.raises(IndexError):
            table[0]

    def test_through_a_file(self, tmp_path):
        PathTable.from_paths(NAMES).save(tmp_path / 'list.npy')
        loaded = PathTable.load(tmp_path / 'list.npy')
        assert list(loaded) == NAMES
        assert isinstance(loaded.content, np.memmap)

    def test_takes_the_bytes_of_the_names_and_nine_each(self):
        table = PathTable.from_paths(f'camera/{index:09d}.png' for index in range(1000))
        assert table.content.nbytes + table.ends.nbytes == 1000 * (20 + 9)


@given(
    st.lists(st.sampled_from(['a', 'b', 'a.png', 'a_x.png', 'b.jpg', 'a_x', 'c', 'd/a']), max_size=8),
    st.lists(st.sampled_from(['a.png', 'a.jpg', 'a_x.png', 'b.jpg', 'd/a.png', 'c']), unique=True, max_size=6),
    st.sampled_from([(), ('_x.png', '.png'), ('.jpg',)]),
)
def test_lines_mean_what_a_dict_of_names_says(lines, files, suffixes):
    meant, missing, twice = find_listed(lines, files, suffixes)
    found = find_files(PathTable.from_paths(lines), PathTable.from_paths(files), suffixes)
    assert list(found.files) == list(meant.values())
    assert found.missing == list(dict.fromkeys(missing))
    assert found.ambiguous == twice


def test_folders_are_walked_in_the_order_of_the_sorted_paths(tmp_path):
    files = ['d-1.png', 'd/z.png', 'd/e/f.PNG', 'd.png', 'd/e.png', 'd0.png', 'é/ü.png', 'd/e-/x.png']
    touch(tmp_path, [*files, 'd/notes.txt', '.hidden/x.png', 'd/.x.png'])
    assert list_images(tmp_path) == sorted(files)


def test_a_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    for name in ('a/1.png', 'b/2.png'):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    scandir, said = os.scandir, []

    def refused(place):
        if str(place).endswith('/b'):
            raise PermissionError(13, 'Permission denied')
        return scandir(place)

    monkeypatch.setattr(os, 'scandir', refused)
    monkeypatch.setattr(images, 'print_log', lambda text, *args: said.append(text))
    assert list_images(tmp_path) == ['a/1.png']
    assert said == [f'{tmp_path}/b cannot be read (Permission denied): no image of it is taken']


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path):
        touch(tmp_path, ['images/a.png', 'images/b.png', 'other/c.png'])
        (tmp_path / 'images/to_c.png').symlink_to(tmp_path / 'other/c.png')
        (tmp_path / 'again').symlink_to(tmp_path / 'images')
        return tmp_path

    def test_links_are_followed(self, folder, monkeypatch):
        names = ['images/a.png', 'again/a.png', 'again/to_c.png', 'images/to_c.png', 'other/c.png', 'none/x.png']
        every = [str(folder / name) for name in names]
        real = RealPaths()
        assert [real(path) for path in every] == [real_path(path) for path in every]
        monkeypatch.chdir(folder)
        assert [real(path) for path in [*names, 'x.png']] == [real_path(path) for path in [*names, 'x.png']]
        keys = real_keys(every)
        assert keys[0] == keys[1]
        assert len({*keys[2:5].tolist()}) == 1
        assert len({*keys.tolist()}) == 3

    def test_each_folder_is_resolved_once_and_no_file(self, folder, monkeypatch):
        asked = []
        realpath = os.path.realpath
        monkeypatch.setattr(os.path, 'realpath', lambda path: asked.append(path) or realpath(path))
        real_keys([str(folder / f'images/{index}.png') for index in range(100)])
        assert len(asked) == 1

    def test_what_is_there(self, folder):
        names = ['images/a.png', 'other/a.png', 'none/a.png', 'other/c.png', 'images/c.png', 'images/to_c.png']
        assert are_there(str(folder / name) for name in names).tolist() == [True, False, False, True, False, True]
        assert are_there([]).tolist() == []

    def test_a_folder_that_changed_is_read_anew(self, folder):
        path = str(folder / 'images/new.png')
        assert not are_there([path])[0]
        Path(path).touch()
        assert are_there([path])[0]
        os.utime(folder / 'images', ns=(0, 0))  # long ago: what is read is kept
        assert FolderContents.of(f'{folder}/images') is FolderContents.of(f'{folder}/images')
        os.utime(folder / 'images', ns=(0, 1))
        Path(path).unlink()
        assert not are_there([path])[0]

    @given(st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 9), max_size=12))
    def test_shared_positions(self, first, second):
        found = shared_positions(np.array(first, np.int64), np.array(second, np.int64))
        assert found[0] == [i for i, key in enumerate(first) if key in second]
        assert found[1] == [i for i, key in enumerate(second) if key in first]

    def test_images_that_two_data_sets_share(self, folder):
        one, two = UnlabeledFolderDataset(str(folder / 'images')), UnlabeledFolderDataset(str(folder / 'other'))
        assert shared_images(one, two) == {real_path(folder / 'other/c.png')}
        (folder / 'third').mkdir()
        touch(folder, ['third/a.png'])
        assert shared_images(two, UnlabeledFolderDataset(str(folder / 'third'))) == set()


class TestSamples:
    @pytest.mark.parametrize('prefix', [dict(img_path='images', seg_map_path='masks'), dict(img_path='images')])
    @pytest.mark.parametrize('lines', ['a\nb/c \n', 'a\n\nb', '/elsewhere/a\nb\n', 'a\r\nb\r\n'])
    @pytest.mark.parametrize('kind', [BaseSegDataset, SyntheticDefectDataset])
    def test_are_those_of_mmseg(self, tmp_path, prefix, lines, kind):
        init_default_scope('mmseg')
        (tmp_path / 'list.txt').write_bytes(lines.encode())
        config = dict(type=kind, data_root=str(tmp_path), ann_file='list.txt', data_prefix=prefix, pipeline=[])
        dataset = build_dataset(config)
        assert isinstance(dataset.data_list, SampleList)
        expected = BaseSegDataset.load_data_list(dataset)
        assert [*dataset.data_list] == [dataset.data_list[i] for i in range(len(dataset))] == expected
        assert list(image_paths(dataset)) == [info['img_path'] for info in expected]
        assert dataset.get_data_info(1) == {**expected[1], 'sample_idx': 1}

    def test_subsets_of_mmengine(self, tmp_path):
        (tmp_path / 'list.txt').write_text('a\nb\nc\n')
        config = dict(type=BaseSegDataset, data_root=str(tmp_path), ann_file='list.txt', data_prefix=dict(img_path=''))
        for indices, expected in ((2, 'ab'), (-1, 'c'), ([2, 0], 'ca')):
            dataset = build_dataset({**config, 'indices': indices})
            assert [Path(path).stem for path in image_paths(dataset)] == list(expected)

    def test_one_sample_does_not_share_its_fields_with_another(self):
        samples = SampleList(PathTable.from_paths('ab'), dict(img_path=('', '')), {})
        samples[0]['seg_fields'].append('gt_seg_map')
        assert samples[0]['seg_fields'] == samples[1]['seg_fields'] == []

    def test_a_data_set_of_its_own_kind_keeps_its_own_list(self, tmp_path):
        class Own(BaseSegDataset):
            def load_data_list(self):
                return [dict(img_path='own')]

        (tmp_path / 'list.txt').write_text('a\n')
        dataset = build_dataset(dict(type=Own, data_root=str(tmp_path), ann_file='list.txt'))
        assert list(image_paths(dataset)) == ['own']


class Ranks:
    """Threads that stand for processes: each has its rank, and they gather objects from each other."""

    def __init__(self, count: int, machines: list[str]) -> None:
        self.count, self.machines = count, machines
        self.barrier = threading.Barrier(count, timeout=30)
        self.local = threading.local()
        self.objects: list = [None] * count

    def gather(self, own):
        self.objects[self.local.rank] = own
        self.barrier.wait()
        found = list(self.objects)
        self.barrier.wait()
        return found

    def run(self, work):
        results = [None] * self.count

        def one(rank):
            self.local.rank = rank
            try:
                results[rank] = work(rank)
            except UserError as error:
                results[rank] = str(error)

        threads = [threading.Thread(target=one, args=(rank,)) for rank in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results


class TestListedOnce:
    @pytest.fixture
    def ranks(self, monkeypatch, tmp_path):
        ranks = Ranks(4, ['first', 'first', 'second', 'second'])
        monkeypatch.setattr(shared, 'is_distributed', lambda: True)
        monkeypatch.setattr(shared, 'all_gather_object', ranks.gather)
        monkeypatch.setattr(shared, 'get_rank', lambda: ranks.local.rank)
        monkeypatch.setattr(shared, '_machine', lambda: ranks.machines[ranks.local.rank])
        monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
        return ranks

    def test_one_process_of_each_machine_lists(self, ranks, tmp_path):
        listing = []
        found = ranks.run(
            lambda rank: list(shared.listed_once(lambda: listing.append(rank) or PathTable.from_paths('ab')))
        )
        assert found == [['a', 'b']] * 4
        assert sorted(listing) == [0, 2]
        assert not list(tmp_path.iterdir())

    def test_all_fail_where_one_could_not_list(self, ranks):
        def listing():
            if ranks.local.rank == 2:
                raise UserError('the disk is not there')
            return PathTable.from_paths('ab')

        assert ranks.run(lambda rank: shared.listed_once(listing)) == ['the disk is not there'] * 4

    def test_all_fail_where_a_list_cannot_be_read(self, ranks, tmp_path):
        found = ranks.run(lambda rank: shared.listed_once(lambda: PathTable.from_paths((tmp_path / 'none').open())))
        assert all('No such file' in problem for problem in found)

    def test_a_list_is_read_by_one_process_of_each_machine(self, ranks, tmp_path, monkeypatch):
        (tmp_path / 'list.txt').write_text('a\nb\n')
        config = dict(type=BaseSegDataset, data_root=str(tmp_path), ann_file='list.txt', data_prefix=dict(img_path=''))
        listing = []
        from_paths = PathTable.from_paths
        monkeypatch.setattr(
            PathTable, 'from_paths', lambda paths: listing.append(ranks.local.rank) or from_paths(paths)
        )
        found = ranks.run(lambda rank: [Path(path).name for path in image_paths(build_dataset(config))])
        assert found == [['a.jpg', 'b.jpg']] * 4
        assert sorted(listing) == [0, 2]
        listing.clear()
        ranks.run(lambda rank: build_dataset({**config, 'serialize_data': False}))
        assert sorted(listing) == [0, 1, 2, 3]  # each may do so alone

    def test_one_process_alone_writes_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
        assert list(shared.listed_once(lambda: PathTable.from_paths('ab'))) == ['a', 'b']
        assert not list(tmp_path.iterdir())


class TestKept:
    @pytest.fixture
    def walks(self, monkeypatch):
        """The folders that were walked."""
        walked = []
        walk = unlabeled_folder.walk_images
        monkeypatch.setattr(
            unlabeled_folder, 'walk_images', lambda root, *args: walked.append(root) or walk(root, *args)
        )
        return walked

    def test_a_folder_is_walked_once_for_checks_and_training(self, tmp_path, walks, monkeypatch):
        monkeypatch.setattr(Runner, 'train', lambda runner: None)  # the data set is built by now
        cfg = small_set.config(small_set.make(tmp_path))
        cfg.update(
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=1),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01)),
        )
        for loader in ('val', 'test'):
            cfg.pop(f'{loader}_dataloader')
        cfg.dump(tmp_path / 'config.json')
        train(str(tmp_path / 'config.json'), work_dir=str(tmp_path / 'run'))
        assert walks == [str(tmp_path / 'unlabelled')]

    def test_checks_of_colours_and_views_share_a_data_set_and_all_checks_a_listing(self, tmp_path, walks, monkeypatch):
        monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
        built = []
        build = LabeledUnlabeledDataset.__init__

        @wraps(build)
        def counted(self, **options):
            built.append(self)
            build(self, **options)

        monkeypatch.setattr(LabeledUnlabeledDataset, '__init__', counted)
        cfg = small_set.config(small_set.make(tmp_path))
        cfg.train_dataloader.dataset.labeled.pipeline.insert(2, dict(type='PhotoMetricDistortion'))
        cfg.model.branch.data_preprocessor.update(mean=[127.0] * 3, std=[60.0] * 3)
        cfg.model.view = dict(type='RandomView', transforms=[dict(type='GaussianBlur', kernel_size=3)])
        cfg.dump(tmp_path / 'config.json')
        assert check_dataset(str(tmp_path / 'config.json'), workers=0) == []
        assert len(built) == 1
        assert walks == [str(tmp_path / 'unlabelled')]

    def test_only_the_same_listing_is_kept_and_only_inside(self, tmp_path, walks):
        touch(tmp_path, ['a.png', 'b.jpg'])
        with listings_kept():
            first = UnlabeledFolderDataset(str(tmp_path))
            touch(tmp_path, ['c.png'])
            assert [*image_paths(UnlabeledFolderDataset(str(tmp_path)))] == [*image_paths(first)]
            assert len(UnlabeledFolderDataset(str(tmp_path), suffixes=['.png'])) == 2
        assert len(UnlabeledFolderDataset(str(tmp_path))) == 3
        assert len(walks) == 3


def test_the_first_process_compares_for_all(tmp_path, monkeypatch):
    touch(tmp_path, ['one/a.png', 'two/b.png'])
    data_sets = [UnlabeledFolderDataset(str(tmp_path / name)) for name in ('one', 'two')]

    def answer(objects):
        objects[0] = {'found by the first'}

    monkeypatch.setattr(processes, 'get_rank', lambda: 1)
    monkeypatch.setattr(processes, 'broadcast_object_list', answer)
    monkeypatch.setattr(folders, 'real_keys', lambda paths: pytest.fail('the first process has done that'))
    assert shared_images(*data_sets) == {'found by the first'}
