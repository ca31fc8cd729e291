"""The report on tiny trainings: finished, labels-only, crashed, moved; and in a real browser."""

import json
import re
import shutil
import sys
from copy import deepcopy
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from simeps_mmseg.apis.report import report
from simeps_mmseg.inference.evaluation_images import EvaluationImages
from simeps_mmseg.report.model_name import method_name
from simeps_mmseg.report.scored_images import ScoredImage, by_quality
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.configs import load_config

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
ARGUMENTS = (
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)


def sections(html: str) -> list[str]:
    return re.findall(r'<h2 id="[^"]*">(.*?)</h2>', html)


def copied(trained, folder: Path) -> Path:
    """The work folder of a training, to be changed."""
    target = folder / 'work'
    shutil.copytree(Path(trained.config).parent, target)
    return target


@pytest.fixture(scope='module')
def finished(trained, tmp_path_factory) -> Path:
    from mmengine.registry import init_default_scope

    init_default_scope('mmseg')
    return report(Path(trained.config).parent, tmp_path_factory.mktemp('report') / 'semi.html', unlabeled=3)


@pytest.fixture(scope='module')
def labels_only(trained_plain, tmp_path_factory) -> Path:
    from mmengine.registry import init_default_scope

    init_default_scope('mmseg')
    return report(Path(trained_plain.config).parent, tmp_path_factory.mktemp('report') / 'plain.html')


@pytest.fixture(scope='module')
def crashed(trained, tmp_path_factory) -> Path:
    """Killed while it wrote a line, before its first checkpoint and its first validation."""
    folder = tmp_path_factory.mktemp('crashed')
    work_dir = copied(trained, folder)
    for file in work_dir.glob('*.pth'):
        file.unlink()
    (work_dir / 'last_checkpoint').write_text('')
    for log in work_dir.glob('*/vis_data/*.json'):
        lines = [line for line in log.read_text().splitlines() if '"loss"' in line]
        log.write_text(lines[0] + '\n' + lines[1][:30])
    return report(work_dir, folder / 'crashed.html')


class TestContent:
    def test_of_a_semi_supervised_training(self, finished):
        html = finished.read_text()
        assert sections(html) == [
            'What to know',
            'Missed defects and rejected good parts',
            'Validation scores',
            'Scores on the validation images',
            'Best, median and worst images',
            'Similarity maps',
            'What to label next',
            'Health of the pseudo-labels',
            'Losses',
            'Course of the training',
            'Data',
            'Environment and config',
        ]
        for shown in ('branch 2 alone, last', 'scratch', 'PyTorch', 'TriBranchSemiSegmentor', '2 of 2'):
            assert shown in html
        assert finished.stat().st_size < 10e6

    def test_whole_parts_are_decided_as_the_config_says(self, trained, tmp_path):
        def of(area: int) -> str:
            options = [f'val_evaluator.min_area={area}']
            file = report(Path(trained.config).parent, tmp_path / f'{area}.html', options=options, unlabeled=0)
            return file.read_text().partition('id="findings"')[0] + file.read_text().partition('<section>')[2]

        # No region is as large as that, so every defective part is missed and no good one rejected.
        html = of(10**6)
        defective = int(re.search(r'Defective parts missed</dt><dd>\d+ of (\d+) ', html)[1])
        assert f'<dd>{defective} of {defective} (100.0 %)</dd>' in html
        assert f'{defective} of {defective} defective parts missed' in html
        assert '(regions of at least 1,000,000 pixels count)' in html
        assert '<td>1,000,000 px</td>' in html
        assert '<td>10 px</td>' in html
        assert '(regions of at least 1 pixel count)' in of(1)

    def test_counts_of_the_data(self, finished):
        rows = re.findall(r'<tr><td>(\w+)</td><td>([\d,]+)</td>', finished.read_text())
        counts = dict(rows)
        assert int(counts['labelled']) + int(counts['unlabelled']) + int(counts['validation']) == 40
        assert counts['test'] == '6'

    def test_of_labels_only(self, labels_only):
        html = labels_only.read_text()
        assert {'Similarity maps', 'What to label next', 'Health of the pseudo-labels'}.isdisjoint(sections(html))
        assert {'Scores on the validation images', 'Losses', 'Data'} <= set(sections(html))
        assert 'ensemble' not in html.partition('<body>')[2]

    def test_of_a_run_that_crashed(self, crashed):
        html = crashed.read_text()
        assert 'The log ends at iteration 1 of 2' in html
        assert '--resume' not in html.partition('<section>')[0]
        assert 'There is no checkpoint' in html
        assert 'The training log has no validation' in html
        assert 'Losses' in sections(html)

    @pytest.mark.parametrize(
        ('options', 'is_said'),
        [
            ([], True),
            (['custom_hooks.0.starving=0.1'], False),
            (['custom_hooks.0.starving_after_share=0.99'], False),
        ],
    )
    def test_a_class_starves_by_the_rule_of_the_training(self, options, is_said, trained, tmp_path):
        work_dir = copied(trained, tmp_path)
        for file in [*work_dir.glob('*.pth'), work_dir / 'last_checkpoint']:
            file.unlink()
        shares = {'pseudo_share.pit': 0.002, 'label_share.pit': 0.01}
        for log in work_dir.glob('*/vis_data/*.json'):
            log.write_text(''.join(json.dumps({'step': step, 'loss': 1.0, **shares}) + '\n' for step in range(1, 11)))
        page = report(work_dir, tmp_path / 'page.html', options=['train_cfg.max_iters=10', *options])
        assert ('pit stands at a fifth of its labelled share' in page.read_text()) == is_said

    def test_a_damaged_checkpoint_gives_way_to_a_whole_one(self, trained, tmp_path):
        work_dir = copied(trained, tmp_path)
        (work_dir / 'best_mIoU_iter_2.pth').write_bytes((work_dir / 'iter_2.pth').read_bytes()[:1000])
        html = report(work_dir, images=1, unlabeled=0).read_text()
        assert 'best_mIoU_iter_2.pth cannot be loaded' in html.partition('<section>')[0]
        assert '<dd>iter_2.pth</dd>' in html
        assert 'What is taken for what' in html

    def test_data_that_has_moved(self, trained, tmp_path):
        gone = 'val_dataloader.dataset.data_root=/nowhere'
        html = report(Path(trained.config).parent, tmp_path / 'a.html', options=[gone]).read_text()
        assert 'No images were scored. The validation images could not be looked at' in html.partition('<section>')[0]
        assert 'What to label next' in sections(html)
        assert '/nowhere' in html
        assert 'Losses' in sections(html)

    def test_a_damaged_image_is_named_and_the_rest_is_scored(self, trained, tmp_path, synthetic_root):
        data = tmp_path / 'synthetic'
        shutil.copytree(synthetic_root / 'synthetic', data)
        option = f'val_dataloader.dataset.data_root={data}'
        cfg = deepcopy(trained.cfg)
        cfg.val_dataloader.dataset.data_root = str(data)
        broken = EvaluationImages(cfg, 'val').paths[0]
        broken.write_bytes(broken.read_bytes()[:60])
        html = report(Path(trained.config).parent, tmp_path / 'a.html', options=[option], unlabeled=0).read_text()
        assert 'Of the images 1 could not be scored' in html
        assert broken.name in html
        assert 'What is taken for what' in html


class TestConfig:
    @pytest.fixture
    def own_training(self, trained, tmp_path, monkeypatch) -> Path:
        """A work folder whose config imports a package of its user, which registers the optimiser."""
        work_dir = copied(trained, tmp_path)
        (tmp_path / 'package_of_a_user.py').write_text('IMPORTED = True\n')
        monkeypatch.syspath_prepend(tmp_path)
        cfg = deepcopy(trained.cfg)
        cfg.custom_imports.imports.append('package_of_a_user')
        cfg.optim_wrapper.optimizer.type = 'torch.optim.AdamW'
        cfg.dump(work_dir / 'config.py')
        for beside in work_dir.glob('*/vis_data/config.py'):
            cfg.dump(beside)
        yield work_dir
        sys.modules.pop('package_of_a_user', None)

    def test_the_one_beside_the_log_imports_nothing_of_a_user(self, own_training):
        html = unescape(report(own_training, images=1, unlabeled=0).read_text())
        assert "custom_imports='package_of_a_user', a module that would be imported" in html
        assert 'with --config' in html
        assert 'What is taken for what' not in html
        assert 'package_of_a_user' not in sys.modules

    def test_a_file_that_is_named_runs(self, own_training):
        html = report(own_training, images=1, unlabeled=0, config=str(own_training / 'config.py')).read_text()
        assert 'What is taken for what' in html
        assert 'cannot be read' not in html
        assert 'package_of_a_user' in sys.modules

    def test_options_change_the_one_that_is_named(self, own_training):
        arguments = dict(images=1, unlabeled=0, config=str(own_training / 'config.py'))
        html = report(own_training, options=['train_cfg.max_iters=9'], **arguments).read_text()
        assert 'The log ends at iteration 2 of 9' in html

    def test_one_that_is_not_there(self, trained, tmp_path):
        with pytest.raises(UserError, match=r'lost\.py'):
            report(Path(trained.config).parent, tmp_path / 'a.html', config='lost.py')


class TestErrors:
    def test_a_folder_without_a_log(self, tmp_path):
        with pytest.raises(UserError, match='no log'):
            report(tmp_path)

    def test_a_checkpoint_that_is_not_there(self, trained, tmp_path):
        with pytest.raises(UserError, match=r'lost\.pth is not there'):
            report(Path(trained.config).parent, tmp_path / 'a.html', checkpoint='lost.pth')
        assert not (tmp_path / 'a.html').exists()

    @pytest.mark.parametrize(
        ('changes', 'message'),
        [
            (dict(images=-3), '--images must be 0 or more, got -3'),
            (dict(unlabeled=-1), '--unlabeled must be 0 or more, got -1'),
            (dict(options=['val_dataloader.dataset.pipeline.7.type=x']), 'the config has no such place'),
        ],
    )
    def test_options_out_of_range(self, trained, tmp_path, changes, message):
        with pytest.raises(UserError, match=message):
            report(Path(trained.config).parent, tmp_path / 'a.html', **changes)

    def test_a_place_that_cannot_be_written(self, trained, tmp_path):
        (tmp_path / 'file').touch()
        with pytest.raises(UserError, match='cannot be written'):
            report(Path(trained.config).parent, tmp_path / 'file' / 'a.html')

    def test_a_folder_gets_the_report(self, crashed):
        assert report(crashed.parent / 'work', crashed.parent).name == 'report.html'

    def test_a_file_is_no_work_folder(self, trained, tmp_path):
        log = next(Path(trained.config).parent.glob('*/vis_data/scalars.json'))
        with pytest.raises(UserError, match='typo is not there; give the work folder'):
            report(tmp_path / 'typo')
        assert not (tmp_path / 'typo').exists()
        with pytest.raises(UserError, match='is a file'):
            report(log, tmp_path / 'a.html')


@pytest.mark.parametrize('number', [1, 2, 4, 20])
def test_best_median_and_worst(number):
    scored = [ScoredImage(k, np.zeros((1, 2, 2)), 5.0 * ((7 * k) % number), np.zeros(1)) for k in range(number)]
    chosen = by_quality(scored, 3)
    values = {kind: [one.miou for one in some] for kind, some in chosen.items()}
    everything = [one.index for some in chosen.values() for one in some]
    assert len(set(everything)) == len(everything) == min(number, 9)
    assert values['worst'][0] == 0.0
    if number > 1:
        assert values['best'][0] == 5.0 * (number - 1)
        assert min(values['best']) > max(values['worst'])
    if number == 20:
        assert values == dict(best=[95.0, 90.0, 85.0], median=[55.0, 50.0, 45.0], worst=[0.0, 5.0, 10.0])


@pytest.mark.parametrize(
    ('config', 'name'),
    [
        ('simeps', 'simEps'),
        ('simeps_plus', 'simEps'),
        ('cps', 'Cross pseudo supervision'),
        ('uaps', 'UAPS'),
        ('mean_teacher', 'Mean Teacher'),
        ('fixmatch', 'FixMatch'),
        ('unimatch', 'UniMatch'),
        ('supervised', 'Labels only'),
    ],
)
def test_the_method_has_its_name(config, name):
    assert method_name(load_config(f'{config}/unet_neu_10pct.py').model) == name


@pytest.fixture(scope='module')
def browser():
    """A real Chromium without a window."""
    playwright = pytest.importorskip('playwright.sync_api', reason='playwright is not installed (extra dev)')
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f'none of {", ".join(BROWSERS)} is installed: on Debian, apt-get install chromium')
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.mark.parametrize('width', [1280, 400])
@pytest.mark.parametrize('kind', ['finished', 'labels_only', 'crashed'])
def test_in_a_browser(kind, width, browser, request):
    file = request.getfixturevalue(kind)
    page = browser.new_page(viewport=dict(width=width, height=900))
    requests, problems = [], []
    page.on('request', lambda one: requests.append(one.url))
    page.on('console', lambda one: problems.append(one.text) if one.type in ('error', 'warning') else None)
    page.on('pageerror', lambda one: problems.append(str(one)))
    page.goto(file.as_uri())
    charts = page.locator('img.chart')
    assert not problems
    assert [url for url in requests if not url.startswith('data:')] == [file.as_uri()]
    assert charts.count() == file.read_text().count('class="chart"') > 0
    # Legible: nothing sticks out of the page, charts fill their column, letters are not tiny, pictures can be seen.
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    for box in (charts.nth(k).bounding_box() for k in range(charts.count())):
        assert 250 <= box['width'] <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('p, li, td, dd')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 13
    pictures = page.evaluate('[...document.images].map(i => [i.complete, i.naturalWidth, i.clientWidth])')
    assert all(complete and natural > 0 for complete, natural, _ in pictures)
    photographs = page.evaluate(
        "[...document.querySelectorAll('figure img')].map(i => [i.naturalWidth, i.clientWidth])"
    )
    assert all(shown >= min(natural, 1000) for natural, shown in photographs)
    assert bool(photographs) == (kind != 'crashed')
    page.close()
