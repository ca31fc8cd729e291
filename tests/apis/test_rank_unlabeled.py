import csv
import shutil

import pytest
from mmseg.registry import DATASETS
from PIL import Image

from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
from simeps_mmseg.datasets import UnlabeledFolderDataset
from simeps_mmseg.datasets.splits import read_split, write_split
from simeps_mmseg.datasets.synthetic import SyntheticDefectDataset
from simeps_mmseg.evaluation.uncertainty import ImageUncertainty
from simeps_mmseg.inference.ranking import many_files, write_new_split, write_ranking
from simeps_mmseg.inference.ranking.order import RankedImage
from simeps_mmseg.utils import UserError


@pytest.fixture
def pool(synthetic_root, tmp_path):
    """A folder as ``data_prefix.img_path`` has it: six images, one of them twice, and a split of five and one."""
    files = sorted((synthetic_root / 'synthetic/images').rglob('*.png'))[:5]
    (tmp_path / 'images/training').mkdir(parents=True)
    for index, file in enumerate([*files, files[1]]):
        shutil.copy(file, tmp_path / f'images/training/{index}.png')
    (tmp_path / 'in_labeled.txt').write_text('training/0\n')
    (tmp_path / 'in_unlabeled.txt').write_text(''.join(f'training/{index}\n' for index in range(1, 6)))
    return tmp_path


def test_moves_the_first_ones(trained, pool):
    ranking = rank_unlabeled(
        trained.config,
        trained.checkpoint,
        str(pool / 'images'),
        str(pool / 'out'),
        count=3,
        similarity=0.999999,
        split_in=str(pool / 'in'),
        split_out=str(pool / 'next/round1'),
        sheet=3,
    )
    with (pool / 'out/ranking.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['image'] for row in rows] == [image.name for image in ranking]
    assert {row['image'] for row in rows} == {f'training/{index}' for index in range(1, 6)}
    scores: dict[str, list[float]] = {}
    for row in rows[:4]:
        scores.setdefault(row['likeliest'], []).append(float(row['score']))
    assert set(scores) <= set(SyntheticDefectDataset.METAINFO['classes'][1:])
    assert all(own == sorted(own, reverse=True) for own in scores.values())
    assert {rows[4]['image'], rows[4]['near_duplicate_of']} == {'training/1', 'training/5'}
    chosen = [row['image'] for row in rows[:3]]
    assert read_split(pool / 'next/round1_labeled.txt') == sorted(['training/0', *chosen])
    rest = read_split(pool / 'next/round1_unlabeled.txt')
    assert len(rest) == 2
    assert not set(rest) & set(chosen)
    with Image.open(pool / 'out/contact_sheet.png') as sheet:
        assert sheet.width > sheet.height > 100


def test_no_class_is_a_formula(tmp_path):
    image = RankedImage('a.png', ImageUncertainty(0.5, 0.5, 0.5, 0.5, likeliest=1))
    write_ranking(tmp_path / 'ranking.csv', [image], ['ok', '=HYPERLINK("x")'])
    with (tmp_path / 'ranking.csv').open() as file:
        assert [row['likeliest'] for row in csv.DictReader(file)] == ['\'=HYPERLINK("x")']


def test_a_folder_without_a_split_gets_one_for_the_next_round(trained, pool, capsys):
    """What is written is read again, and finds the images where the labelled data set looks for them."""
    rounds = [str(pool / f'next/round{index}') for index in (1, 2)]
    arguments = dict(folder=str(pool / 'images'), out=str(pool / 'out'), count=2, similarity=1, sheet=0)
    ranking = rank_unlabeled(trained.config, trained.checkpoint, split_out=rounds[0], **arguments)
    chosen = {image.name.removesuffix('.png') for image in ranking[:2]}
    everything = {f'training/{index}' for index in range(6)}
    assert read_split(f'{rounds[0]}_labeled.txt') == sorted(chosen)
    assert set(read_split(f'{rounds[0]}_unlabeled.txt')) == everything - chosen
    prefix = dict(img_path=str(pool / 'images'))
    labeled = DATASETS.build(
        dict(type='SyntheticDefectDataset', data_prefix=prefix, ann_file=f'{rounds[0]}_labeled.txt')
    )
    assert {labeled.get_data_info(i)['img_path'] for i in range(2)} == {f'{pool}/images/{name}.png' for name in chosen}
    assert len(UnlabeledFolderDataset(str(pool / 'images'), ann_file=f'{rounds[0]}_unlabeled.txt')) == 4
    rank_unlabeled(trained.config, trained.checkpoint, split_in=rounds[0], split_out=rounds[1], **arguments)
    second = set(read_split(f'{rounds[1]}_labeled.txt'))
    assert second > chosen
    assert len(second) == 4
    assert 'do not end in' not in capsys.readouterr().out


def test_a_list_with_suffixes_gets_labelled_names_without(tmp_path, capsys):
    split_in, split_out = str(tmp_path / 'in'), str(tmp_path / 'out')
    write_split(f'{split_in}_labeled.txt', ['a'])
    write_split(f'{split_in}_unlabeled.txt', ['b.png', 'c.1.png', 'd.png'])
    names = {'c.1.png': 'c.1', 'b.png': 'b'}
    write_new_split(split_in, split_out, ['c.1.png', 'b.png'], names, count=3, fresh=2)  # d could not be read
    assert read_split(f'{split_out}_labeled.txt') == ['a', 'b', 'c.1']
    assert read_split(f'{split_out}_unlabeled.txt') == ['d.png']
    assert 'near-duplicates' not in capsys.readouterr().out


def test_suffixes_longer_than_that_of_the_file(trained, pool):
    """Cityscapes' lists name ``aachen_0`` what the file calls ``aachen_0_leftImg8bit.png``."""
    for file in list((pool / 'images/training').iterdir()):
        file.rename(file.with_name(f'{file.stem}_leftImg8bit.png'))
    options = ["train_dataloader.dataset.labeled.img_suffix='_leftImg8bit.png'"]
    arguments = dict(out=str(pool / 'out'), count=1, sheet=0, options=options)
    for split_in in (None, str(pool / 'in')):
        out = str(pool / f'next/{bool(split_in)}')
        rank_unlabeled(
            trained.config,
            trained.checkpoint,
            str(pool / 'images'),
            split_in=split_in,
            split_out=out,
            **arguments,
        )
        names = read_split(f'{out}_labeled.txt') + read_split(f'{out}_unlabeled.txt')
        assert sorted(names) == [f'training/{index}' for index in range(6)]
    listed = dict(ann_file=f'{out}_unlabeled.txt', suffixes=['_leftImg8bit.png'])
    assert len(UnlabeledFolderDataset(str(pool / 'images'), **listed)) == 4


def test_images_that_the_data_set_would_not_find_are_named(trained, pool, capsys):
    for file in list((pool / 'images/training').iterdir()):
        file.rename(file.with_suffix('.bmp'))
    arguments = (trained.config, trained.checkpoint, str(pool / 'images'), str(pool / 'out'))
    rank_unlabeled(*arguments, count=2, split_out=str(pool / 'next'), sheet=0)
    assert '2 of the images to label, such as' in (printed := capsys.readouterr().out)
    assert '.bmp, do not end in .png: set img_suffix' in printed


def test_images_in_use_are_not_ranked(trained, synthetic_root, tmp_path, capsys):
    """The config's own folder: what it labels, validates or tests on needs no label; its masks are no images."""
    ranking = rank_unlabeled(
        trained.config, trained.checkpoint, str(synthetic_root / 'synthetic'), str(tmp_path), sheet=0
    )
    used = set()
    labeled = trained.cfg.train_dataloader.dataset.labeled
    for config in (labeled, trained.cfg.val_dataloader.dataset, trained.cfg.test_dataloader.dataset):
        dataset = DATASETS.build({**config, 'pipeline': []})
        used |= {dataset.get_data_info(i)['img_path'] for i in range(len(dataset))}
    names = {str(synthetic_root / 'synthetic' / image.name) for image in ranking}
    assert names
    assert not names & used
    assert all(image.name.startswith('images/training/') for image in ranking)
    assert 'files are left out: the config labels, validates or tests on them' in capsys.readouterr().out


def test_data_that_is_not_there_leaves_all_images(trained, pool, capsys):
    gone = [f'{loader}_dataloader.dataset.data_root=gone' for loader in ('val', 'test')]
    images = str(pool / 'images')
    ranking = rank_unlabeled(trained.config, trained.checkpoint, images, str(pool / 'out'), sheet=0, options=gone)
    assert len(ranking) == 6
    assert 'val_dataloader.dataset cannot be listed' in capsys.readouterr().out


def test_a_folder_with_an_unreadable_image(trained, pool):
    (pool / 'images/training/9.png').write_bytes(b'\x89PNG')
    with pytest.raises(UserError, match=r'1 image could not be read; the others are ranked:\n.*9.png'):
        rank_unlabeled(trained.config, trained.checkpoint, str(pool / 'images'), str(pool / 'out'), sheet=0)
    assert len((pool / 'out/ranking.csv').read_text().splitlines()) == 7
    assert not (pool / 'out/contact_sheet.png').exists()


def test_goes_on_where_it_stopped_and_processes_rank_as_one_does(trained, pool, monkeypatch):
    arguments = (trained.config, trained.checkpoint, str(pool / 'images'))
    expected = rank_unlabeled(*arguments, str(pool / 'whole'), sheet=0)
    real, seen = many_files.assess, []

    def stops_at_the_third(model, prepare, file):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(file)
        return real(model, prepare, file)

    monkeypatch.setattr(many_files, 'assess', stops_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        rank_unlabeled(*arguments, str(pool / 'out'), sheet=0)
    assert len((pool / 'out/assessed/images.jsonl').read_text().splitlines()) == 2
    monkeypatch.setattr(many_files, 'assess', lambda *_: pytest.fail('the other processes do this'))
    assert rank_unlabeled(*arguments, str(pool / 'out'), sheet=0, workers=2) == expected
    assert (pool / 'out/ranking.csv').read_text() == (pool / 'whole/ranking.csv').read_text()
    assert sorted(path.name for path in (pool / 'out').iterdir()) == ['ranking.csv']


class TestErrors:
    def run(self, trained, pool, **changes):
        arguments = dict(folder=str(pool / 'images'), out=str(pool / 'out'), split_in=str(pool / 'in'))
        return rank_unlabeled(trained.config, trained.checkpoint, **{**arguments, **changes})

    def test_a_single_network(self, trained_plain, pool):
        with pytest.raises(UserError, match='is of a single network; images are ranked by the disagreement'):
            self.run(trained_plain, pool)

    def test_names_from_another_folder(self, trained, pool):
        with pytest.raises(UserError, match=r'5 images of .*in_unlabeled.txt are not below .*, such as training/1;'):
            self.run(trained, pool, folder=str(pool / 'images/training'))

    def test_too_many(self, trained, pool):
        with pytest.raises(UserError, match='--count must be from 1 to the 5 images that are ranked, got 6'):
            self.run(trained, pool, count=6, split_out='x')

    def test_split_out_alone(self, trained, pool):
        for half in (dict(split_out='x'), dict(count=1)):
            with pytest.raises(UserError, match='--split-out and --count go together'):
                self.run(trained, pool, **half)

    def test_split_out_over_another_split(self, trained, pool):
        with pytest.raises(UserError, match=r'in_labeled.txt is there already; give --split-out another name'):
            self.run(trained, pool, count=1, split_out=str(pool / 'in'))

    def test_missing_split(self, trained, pool):
        with pytest.raises(UserError, match=r'none_unlabeled.txt is not there; --split-in is what'):
            self.run(trained, pool, split_in='none')

    def test_masks_beside_images(self, trained, pool):
        Image.new('L', (4, 4)).save(pool / 'images/training/3.bmp')
        with pytest.raises(UserError, match=r'training/3 of .* is .*3\.bmp and .*3\.png \(1 such names\)'):
            self.run(trained, pool, split_in=str(pool / 'in'))

    def test_two_files_of_one_name_in_a_new_split(self, trained, pool):
        Image.new('L', (4, 4)).save(pool / 'images/training/3.bmp')
        with pytest.raises(UserError, match=r'3\.bmp and training/3\.png would both be training/3 in a split'):
            self.run(trained, pool, split_in=None, split_out=str(pool / 'next'), count=1)

    def test_missing_folder(self, trained, pool):
        with pytest.raises(UserError, match='none is no folder with images'):
            self.run(trained, pool, folder='none')
