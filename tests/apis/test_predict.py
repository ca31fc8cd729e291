import csv
import json
import shutil
import sys
from copy import deepcopy

import cv2
import numpy as np
import pytest
from PIL import Image

from simeps_mmseg.apis.predict import predict
from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
from simeps_mmseg.inference import segmenting as module
from simeps_mmseg.inference.ranking import Assessments
from simeps_mmseg.utils import UserError


@pytest.fixture
def images(synthetic_root, tmp_path):
    """Nested folders, two files that differ in their suffix only, a grey one, another size, and two broken files."""
    files = sorted((synthetic_root / 'synthetic/images').rglob('*.png'))[:4]
    folder = tmp_path / 'parts'
    (folder / 'line 2').mkdir(parents=True)
    shutil.copy(files[0], folder / 'a.png')
    Image.open(files[1]).save(folder / 'a.jpg', quality=95)
    Image.open(files[2]).convert('L').save(folder / 'line 2/grey.png')
    Image.open(files[3]).resize((48, 24)).save(folder / 'line 2/wide.bmp')
    (folder / 'line 2/cut.jpg').write_bytes((folder / 'a.jpg').read_bytes()[:-200])
    (folder / 'zero.png').touch()
    (folder / 'notes.txt').write_text('no image')
    return folder


def lines(folder):
    return [json.loads(line) for line in (folder / 'records.jsonl').read_text().splitlines()]


def test_an_image_that_the_pipeline_does_not_take_is_not_the_end(trained, images, tmp_path):
    """Of 5000 x 1 pixels nothing is left at a width of 128."""
    cfg = deepcopy(trained.cfg)
    cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(128, 128), keep_ratio=True))
    cfg.dump(tmp_path / 'config.py')
    Image.new('L', (5000, 1)).save(images / 'line 2/thin.png')
    arguments = (str(tmp_path / 'config.py'), trained.checkpoint, str(images), str(tmp_path / 'out'))
    with pytest.raises(UserError, match=r'3 of 7 inputs .*\n(.*\n)*.*thin.png: the test pipeline refuses it: OpenCV'):
        predict(*arguments)
    assert len(lines(tmp_path / 'out')) == 4
    with pytest.raises(
        UserError, match=r'3 images could not be read; .*\n(.*\n)*.*thin.png: the test pipeline refuses'
    ):
        rank_unlabeled(*arguments, sheet=0)
    assert len((tmp_path / 'out/ranking.csv').read_text().splitlines()) == 1 + 4


def test_all_but_the_broken_ones(trained, images, tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(UserError) as caught:
        predict(trained.config, trained.checkpoint, str(images), str(out), min_area=4)
    message = str(caught.value)
    assert '2 of 6 inputs could not be segmented to their end, all else is done' in message
    assert 'line 2/cut.jpg: ' in message
    assert 'zero.png: the file is empty' in message
    records = {record['input']: record for record in lines(out)}
    assert set(records) == {'a.jpg', 'a.png', 'line 2/grey.png', 'line 2/wide.bmp'}
    assert records['a.jpg']['mask'] == 'masks/a.jpg.png'
    assert records['line 2/grey.png']['mask'] == 'masks/line 2/grey.png'
    assert (records['line 2/wide.bmp']['height'], records['line 2/wide.bmp']['width']) == (24, 48)
    for record in records.values():
        with Image.open(out / record['mask']) as mask:
            assert mask.mode == 'P'
            assert mask.getpalette()[:6] == [0, 0, 0, 230, 159, 0]
            labels = np.asarray(mask)
        with Image.open(out / record['overlay']) as overlay:
            assert overlay.size == (record['width'], record['height'])
        assert labels.shape == (record['height'], record['width'])
        for index, name in enumerate(('background', 'scratch', 'patch', 'pit')):
            assert record['area_pixels'][name] == (labels == index).sum()
            assert record['area_percent'][name] == pytest.approx(100 * (labels == index).mean(), abs=1e-4)
        assert all(defect['area'] >= 4 for defect in record['defects'])
        assert sum(record['defect_count'].values()) == len(record['defects'])
        assert 0.25 <= record['confidence'] <= 1
        assert 0 <= record['disagreement'] <= 1
    with (out / 'records.csv').open() as file:
        rows = {row['input']: row for row in csv.DictReader(file)}
    assert set(rows) == set(records)
    assert rows['a.png']['area_pixels.scratch'] == str(records['a.png']['area_pixels']['scratch'])
    boxes = [defect['box'] for defect in records['a.png']['defects'] if defect['class'] == 'pit']
    assert json.loads(rows['a.png']['boxes.pit']) == boxes
    assert float(rows['a.png']['disagreement']) == records['a.png']['disagreement']


def links_that_lead_nowhere(images):
    """Four whole images and two links; the broken files are gone."""
    for name in ('zero.png', 'line 2/cut.jpg'):
        (images / name).unlink()
    (images / 'odd').mkdir()
    for name in ('odd/dangling.png', 'a belt.mp4'):
        (images / name).symlink_to('nowhere')


@pytest.mark.parametrize('source', ['', '**/*'])
def test_a_link_that_leads_nowhere_is_one_of_those_that_cannot_be_read(trained, images, tmp_path, source):
    links_that_lead_nowhere(images)
    with pytest.raises(UserError) as caught:
        predict(trained.config, trained.checkpoint, f'{images}/{source}', str(tmp_path / 'out'), overlays=False)
    assert '2 of 6 inputs could not be segmented to their end, all else is done' in str(caught.value)
    assert 'odd/dangling.png: [Errno 2] No such file' in str(caught.value)
    assert 'a belt.mp4: no frame can be decoded' in str(caught.value)
    assert len(lines(tmp_path / 'out')) == 4


def test_a_file_that_is_removed_meanwhile_is_one_too(trained, images, tmp_path, monkeypatch):
    links_that_lead_nowhere(images)
    real = module.predict_image

    def removes_one(model, data):
        (images / 'line 2/wide.bmp').unlink(missing_ok=True)  # not read yet
        (images / 'a.jpg').unlink(missing_ok=True)  # read, and not recorded yet
        return real(model, data)

    monkeypatch.setattr(module, 'predict_image', removes_one)
    arguments = (trained.config, trained.checkpoint, str(images), str(tmp_path / 'out'))
    with pytest.raises(
        UserError, match=r'4 of 6 inputs .*\n(.*\n)*.*a\.jpg: .*No such file.*\n(.*\n)*.*wide\.bmp: .*No such'
    ):
        predict(*arguments, overlays=False)
    assert {record['input'] for record in lines(tmp_path / 'out')} == {'a.png', 'line 2/grey.png'}


def test_images_that_vanish_while_they_are_ranked(trained, images, tmp_path, monkeypatch):
    links_that_lead_nowhere(images)
    arguments = (trained.config, trained.checkpoint, str(images), str(tmp_path / 'out'))
    monkeypatch.setattr(
        sys.modules[rank_unlabeled.__module__], 'write_ranking', lambda *args: (images / 'a.jpg').unlink()
    )
    monkeypatch.setattr(Assessments, 'remove', lambda self: None)  # as if it were interrupted
    with pytest.raises(UserError, match=r'1 image could not be read; the others are ranked:\n.*dangling\.png'):
        rank_unlabeled(*arguments)
    assert (tmp_path / 'out/contact_sheet.png').is_file()
    monkeypatch.undo()
    (images / 'a.jpg').symlink_to('nowhere')  # known, and listed again
    with pytest.raises(UserError, match=r'2 images could not be read.*\n.*a\.jpg: .*No such file.*\n.*dangling\.png'):
        rank_unlabeled(*arguments)
    assert len((tmp_path / 'out/ranking.csv').read_text().splitlines()) == 1 + 3


def test_goes_on_where_it_stopped(trained, images, tmp_path, monkeypatch):
    (images / 'zero.png').unlink()
    (images / 'line 2/cut.jpg').unlink()
    out = tmp_path / 'out'
    real, seen = module.predict_image, []

    def stops_at_the_third(model, data):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(data)
        return real(model, data)

    monkeypatch.setattr(module, 'predict_image', stops_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        predict(trained.config, trained.checkpoint, str(images), str(out))
    first = lines(out)
    assert len(first) == 2
    # The process died while it wrote a third line.
    with (out / 'records.jsonl').open('a') as file:
        file.write('{"input": "line 2/gr')
    seen.clear()
    monkeypatch.setattr(module, 'predict_image', lambda model, data: seen.append(data) or real(model, data))
    predict(trained.config, trained.checkpoint, str(images), str(out))
    assert len(seen) == 2
    assert lines(out)[:2] == first
    assert len({record['input'] for record in lines(out)}) == 4
    assert not [path for path in out.rglob('*') if 'partial' in path.name]
    with pytest.raises(UserError, match='holds results made with another min_area; give another -o'):
        predict(trained.config, trained.checkpoint, str(images), str(out), min_area=9)


def test_processes_find_what_one_does(trained, images, tmp_path):
    results = []
    for workers in (1, 2):
        out = tmp_path / f'out{workers}'
        with pytest.raises(UserError, match=r'2 of 6 inputs .*\n.*cut.jpg: .*\n.*zero.png: the file is empty'):
            predict(trained.config, trained.checkpoint, str(images), str(out), workers=workers)
        masks = {path.name: path.read_bytes() for path in sorted((out / 'masks').rglob('*.png'))}
        results.append((lines(out), masks, (out / 'records.csv').read_text()))
    assert results[0] == results[1]
    assert len(results[0][0]) == len(results[0][1]) == 4
    with pytest.raises(UserError, match='--workers is a number of processes, 1 or more, got 0'):
        predict(trained.config, trained.checkpoint, str(images), str(out), workers=0)


def test_a_plain_checkpoint_and_a_pattern(trained_plain, images, tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(UserError, match=r'zero.png: the file is empty'):
        predict(trained_plain.config, trained_plain.checkpoint, str(images / '**/*.png'), str(out), overlays=False)
    assert [record['input'] for record in lines(out)] == ['a.png', 'line 2/grey.png']
    assert {record['disagreement'] for record in lines(out)} == {None}
    assert not (out / 'overlays').exists()
    with (out / 'records.csv').open() as file:
        assert {row['disagreement'] for row in csv.DictReader(file)} == {''}


def test_frames_of_a_video(trained, tmp_path):
    path = tmp_path / 'line.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (32, 32))
    for value in range(6):
        writer.write(np.full((32, 32, 3), 40 * value, np.uint8))
    writer.release()
    predict(trained.config, trained.checkpoint, str(path), str(tmp_path / 'out'), every=2)
    records = lines(tmp_path / 'out')
    assert [(record['input'], record['frame']) for record in records] == [
        ('line.avi', 0),
        ('line.avi', 2),
        ('line.avi', 4),
    ]
    assert records[1]['mask'] == 'masks/line.avi/000002.png'
    with Image.open(tmp_path / 'out' / records[2]['overlay']) as overlay:
        assert overlay.size == (32, 32)
    predict(trained.config, trained.checkpoint, str(path), str(tmp_path / 'out'), every=2)
    assert lines(tmp_path / 'out') == records
    broken = tmp_path / 'broken.avi'
    broken.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match='no frame can be decoded'):
        predict(trained.config, trained.checkpoint, str(broken), str(tmp_path / 'other'))


def test_what_is_no_input(trained, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError, match='empty holds no image'):
        predict(trained.config, trained.checkpoint, str(tmp_path / 'empty'), str(tmp_path / 'out'))
    with pytest.raises(UserError, match='is not there, or as a pattern matches no image'):
        predict(trained.config, trained.checkpoint, str(tmp_path / 'none.png'), str(tmp_path / 'out'))
    with pytest.raises(UserError, match='--min-area and --every are 1 or more'):
        predict(trained.config, trained.checkpoint, str(tmp_path), str(tmp_path / 'out'), min_area=0)


def test_results_of_another_folder_are_not_taken_for_these(trained, synthetic_root, tmp_path):
    for day, file in zip(('day1', 'day2'), sorted((synthetic_root / 'synthetic/images').rglob('*.png'))):
        (tmp_path / day).mkdir()
        shutil.copy(file, tmp_path / day / '0001.png')
    predict(trained.config, trained.checkpoint, str(tmp_path / 'day1'), str(tmp_path / 'out'))
    before = (tmp_path / 'out/masks/0001.png').read_bytes()
    with pytest.raises(UserError, match='results made with another source; give another -o'):
        predict(trained.config, trained.checkpoint, str(tmp_path / 'day2'), str(tmp_path / 'out'))
    assert (tmp_path / 'out/masks/0001.png').read_bytes() == before


def test_a_file_that_has_changed_is_done_again(trained, synthetic_root, tmp_path):
    first, second, *_ = sorted((synthetic_root / 'synthetic/images').rglob('*.png'))
    (tmp_path / 'parts').mkdir()
    for name in ('a.png', 'b.png'):
        shutil.copy(first, tmp_path / 'parts' / name)
    results = [predict(trained.config, trained.checkpoint, str(tmp_path / 'parts'), str(tmp_path / 'out'))]
    shutil.copy(second, tmp_path / 'parts/b.png')
    results.append(predict(trained.config, trained.checkpoint, str(tmp_path / 'parts'), str(tmp_path / 'out')))
    assert [[record['input'] for record in records] for records in results] == [['a.png', 'b.png']] * 2
    assert results[1][0] == results[0][0]
    assert results[1][1] != results[0][1]
    assert lines(tmp_path / 'out') == results[1]


@pytest.mark.parametrize('out', ['parts', 'parts/out', 'parts/other'])
def test_results_inside_the_input_folder_are_no_input(trained, synthetic_root, tmp_path, out):
    (tmp_path / 'parts').mkdir()
    shutil.copy(sorted((synthetic_root / 'synthetic/images').rglob('*.png'))[0], tmp_path / 'parts/a.png')
    for folder in ('parts/out', out):
        records = predict(trained.config, trained.checkpoint, str(tmp_path / 'parts'), str(tmp_path / folder))
        assert [record['input'] for record in records] == ['a.png']


def test_a_second_call_keeps_what_another_file_of_the_same_stem_got(trained, images, tmp_path):
    out = str(tmp_path / 'out')
    (first,) = predict(trained.config, trained.checkpoint, str(images / 'a.jpg'), out)
    before = (tmp_path / 'out' / first['mask']).read_bytes()
    records = predict(trained.config, trained.checkpoint, str(images / 'a.png'), out)
    assert [(one['input'], one['mask']) for one in records] == [('a.jpg', 'masks/a.png'), ('a.png', 'masks/a.png.png')]
    assert (tmp_path / 'out/masks/a.png').read_bytes() == before
    assert predict(trained.config, trained.checkpoint, str(images / 'a.png'), out) == records


def test_masks_of_others_are_not_overwritten(trained, synthetic_root, tmp_path):
    (tmp_path / 'masks').mkdir()
    (tmp_path / 'masks/a.png').write_bytes(b'ground truth')
    shutil.copy(sorted((synthetic_root / 'synthetic/images').rglob('*.png'))[0], tmp_path / 'a.png')
    with pytest.raises(
        UserError, match='masks is there and holds nothing that was written by predict; give another -o'
    ):
        predict(trained.config, trained.checkpoint, str(tmp_path / 'a.png'), str(tmp_path))
    assert (tmp_path / 'masks/a.png').read_bytes() == b'ground truth'


def test_results_that_are_gone_are_made_again(trained, synthetic_root, tmp_path):
    (tmp_path / 'parts').mkdir()
    for name, file in zip(('a.png', 'b.png'), sorted((synthetic_root / 'synthetic/images').rglob('*.png'))):
        shutil.copy(file, tmp_path / 'parts' / name)
    arguments = (trained.config, trained.checkpoint, str(tmp_path / 'parts'), str(tmp_path / 'out'))
    first = predict(*arguments, overlays=False)
    assert not (tmp_path / 'out/overlays').exists()
    (tmp_path / 'out/masks/a.png').unlink()
    assert sorted(record['input'] for record in predict(*arguments, overlays=False)) == ['a.png', 'b.png']
    assert (tmp_path / 'out/masks/a.png').exists()
    second = predict(*arguments)
    assert [record['mask'] for record in second] == [record['mask'] for record in first]
    assert all((tmp_path / 'out' / record['overlay']).exists() for record in second)
    (tmp_path / 'parts/a.png').unlink()
    shutil.rmtree(tmp_path / 'out/overlays')
    assert {record['input'] for record in predict(*arguments)} == {'a.png', 'b.png'}
    assert lines(tmp_path / 'out')[0] == second[0]  # what is known of a file that is no longer there stays


@pytest.mark.parametrize('error', [cv2.error('no such size'), MemoryError('1 TB')])
def test_whatever_a_reader_raises_ends_one_file_only(trained, images, tmp_path, monkeypatch, error):
    (images / 'zero.png').unlink()
    (images / 'line 2/cut.jpg').unlink()
    read = module.Preparation.__call__

    def failing(self, source):
        if str(source).endswith('grey.png'):
            self._load_file = lambda info: (_ for _ in ()).throw(error)
        return read(self, source)

    monkeypatch.setattr(module.Preparation, '__call__', failing)
    with pytest.raises(UserError, match=r'1 of 4 inputs could not be segmented|2 of 4'):
        predict(trained.config, trained.checkpoint, str(images), str(tmp_path / 'out'))
