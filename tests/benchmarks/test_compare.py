"""The grid, the config of a run, where and how it is trained, and the driver."""

import json

import pytest

from benchmarks import compare, results
from benchmarks.one_run import computes_bfloat16, config_hash, experiment, settle, use_precision
from benchmarks.place import FAILED, UNFINISHED, Place
from benchmarks.protocols import FIELDS, PROTOCOLS, expand, find_leaf, identity, name_of, protocol_of
from simeps_mmseg.datasets.labeled_unlabeled import parts_of
from simeps_mmseg.datasets.splits import read_split
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.config_tree import walk_dicts
from tests.conftest import ROOT

OLD_RUN = dict(
    method='supervised', model='unet', dataset='neu', percent=10, seed=0, split_seed=0, iters=1500, size=128, batch=8,
    flips=False, options=[],
)  # fmt: skip


def run_of(**changes):
    return identity({**OLD_RUN, 'iters': 8, **changes})


def splits_of(cfg):
    dataset = cfg.train_dataloader.dataset
    return [part['ann_file'] for part in parts_of(dataset) or (dataset,)]


def test_the_grid_has_every_combination_and_all_labels_for_labels_only():
    args = compare.parse_args(
        [
            '--methods',
            'supervised',
            'simeps',
            '--fractions',
            '10',
            '100',
            '--seeds',
            '0',
            '1',
            '--split-seeds',
            '0',
            '3',
        ]
    )
    runs = compare.grid_of(args)
    assert len({name_of(run) for run in runs}) == len(runs) == 2 * 2 * 3
    assert [run['method'] for run in runs if run['percent'] == 100] == ['supervised'] * 4
    # Seed by seed, so that what is there when time is over can be compared.
    assert [run['seed'] for run in runs] == [0] * 6 + [1] * 6
    assert all(protocol_of(run) == 'short' for run in runs)


def test_single_values_override_the_protocol_and_then_it_is_no_longer_that_one():
    args = compare.parse_args(['--protocol', 'paper', '--iters', '20', '--no-flips', '--precision', 'float32'])
    run = compare.grid_of(args)[0]
    assert (run['model'], run['size'], run['iters'], run['flips']) == ('dropout_unet', 256, 20, False)
    assert protocol_of(run) == '256x256, 16 per step, 20 steps, no flips, float32'


@pytest.mark.parametrize(
    'argv',
    [
        ['--jobs', '0'],
        ['--fractions', '0'],
        ['--fractions', '101'],
        ['--iters', '0'],
        ['--starts', '0', '--protocol', 'warm'],
        ['--starts', '3'],  # of no network
        ['--start', '-1'],
    ],
)
def test_wrong_numbers_are_refused_before_anything_starts(argv, capsys):
    with pytest.raises(SystemExit):
        compare.parse_args(argv)
    assert argv[0] in capsys.readouterr().err


def test_a_run_of_the_first_version_is_the_same_run_today():
    today = next(expand(PROTOCOLS['short'], ['supervised'], ['neu'], [10.0], [0]))
    assert name_of(OLD_RUN) == name_of(today) == 'supervised_unet_neu_10pct_seed0_2ecdb73f'
    assert [*identity(OLD_RUN)] == [name for name in FIELDS if name != 'starts']
    for change in (
        dict(options=['a=1']),
        dict(precision='float32'),
        dict(seed=1),
        dict(split_seed=1),
        dict(flips=True),
    ):
        assert name_of({**OLD_RUN, **change}) != name_of(OLD_RUN)


def test_one_leaf_is_enough_for_all_percentages(tmp_path):
    (tmp_path / 'cps').mkdir()
    ten = tmp_path / 'cps/unet_neu_10pct.py'
    ten.write_text('')
    (tmp_path / 'cps/unet_neu_10pct_paper.py').write_text('')
    assert find_leaf(tmp_path, 'cps', 'unet', 'neu') == ten
    with pytest.raises(FileNotFoundError, match='cps has unet_neu_10pct, unet_neu_10pct_paper; choose with --model'):
        find_leaf(tmp_path, 'cps', 'dropout_unet', 'neu')
    with pytest.raises(FileNotFoundError, match='no such --methods'):
        find_leaf(tmp_path, 'spc', 'unet', 'neu')


def test_methods_get_the_same_labels_steps_and_labelled_images():
    ours, base = (experiment(run_of(method=method, split_seed=3)) for method in ('simeps', 'supervised'))
    assert splits_of(ours) == ['splits/seed3/10pct_labeled.txt', 'splits/seed3/10pct_unlabeled.txt']
    assert splits_of(base) == splits_of(ours)[:1]
    assert ours.train_dataloader.sampler.num_labeled == base.train_dataloader.batch_size == 8
    assert ours.train_dataloader.batch_size == 16
    for cfg in (ours, base):
        assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].end == 8
        assert cfg.train_cfg.val_interval == 2
        assert cfg.default_hooks.checkpoint.save_best == 'mIoU_fg'
        assert cfg.val_dataloader.dataset.ann_file == 'splits/seed3/val.txt'
        assert cfg.test_dataloader.dataset.ann_file == 'splits/test.txt'
        steps = [step for _, node in walk_dicts(cfg.train_dataloader) for step in node.get('pipeline', [])]
        assert next(step['scale'] for step in steps if step['type'] == 'Resize') == (128, 128)
        assert not [step for step in steps if step['type'] == 'RandomFlip']


@pytest.mark.parametrize('percent', [1, 2.5, 50, 100])
def test_the_percentage_is_in_the_split_files_whichever_leaf_there_is(percent):
    expected = 'train.txt' if percent == 100 else f'{percent}pct_labeled.txt'
    assert splits_of(experiment(run_of(percent=percent))) == [f'splits/seed0/{expected}']


def test_all_labels_are_those_of_the_labelled_and_the_unlabelled_images(synthetic_root):
    folder = synthetic_root / 'synthetic/splits/seed0'
    parts = [read_split(folder / f'25pct_{part}.txt') for part in ('labeled', 'unlabeled')]
    assert sorted(parts[0] + parts[1]) == read_split(folder / 'train.txt')
    with pytest.raises(UserError, match='leave no unlabelled images for simeps'):
        experiment(run_of(method='simeps', percent=100))


def test_the_hash_is_of_the_experiment_and_not_of_the_place(synthetic_root, tmp_path):
    run = run_of(model='unet', dataset='synthetic', percent=25)
    cfg = experiment(run)
    digest = config_hash(cfg)
    settle(cfg, run, Place(data_root=str(synthetic_root), work_dir=str(tmp_path)))
    assert config_hash(experiment(run)) == digest
    for option in ('model.decode_head.dropout_ratio=0.5', 'optim_wrapper.optimizer.lr=0.5', 'randomness.seed=7'):
        assert config_hash(experiment({**run, 'options': [option]})) != digest, option
    faster = ('optim_wrapper.optimizer.fused=True', 'val_dataloader.batch_size=3', 'test_dataloader.batch_size=3')
    for option in ('default_hooks.logger.interval=7', 'visualizer.alpha=0.1', 'log_level=DEBUG', *faster):
        assert config_hash(experiment({**run, 'options': [option]})) == digest, option
    assert cfg.test_dataloader.dataset.data_root == str(synthetic_root / 'synthetic')


def test_bfloat16_is_for_processors_that_have_it():
    assert computes_bfloat16('model name : x\nflags\t\t: fpu avx512_bf16 sse\n')
    assert not computes_bfloat16('flags\t\t: fpu avx2 avx512_vbmi\n')
    assert not computes_bfloat16('')


def test_precision_changes_a_plain_optimiser_wrapper_only():
    cfg = experiment(run_of())
    use_precision(cfg, 'float32', on_gpu=True)
    assert cfg.optim_wrapper.type == 'OptimWrapper'
    use_precision(cfg, 'bfloat16', on_gpu=False)
    assert cfg.optim_wrapper.type == 'BFloat16OptimWrapper'
    with pytest.raises(UserError, match='the config has BFloat16OptimWrapper'):
        use_precision(cfg, 'bfloat16', on_gpu=False)
    cfg = experiment(run_of())
    use_precision(cfg, 'bfloat16', on_gpu=True)
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.dtype) == ('AmpOptimWrapper', 'bfloat16')


def test_the_process_of_a_run_has_its_threads_and_no_gpu_that_it_must_not_use():
    assert compare.environment('auto', 3) == dict(OMP_NUM_THREADS='3')
    assert compare.environment('cpu', None) == dict(CUDA_VISIBLE_DEVICES='')


def test_results_go_beside_the_state_and_are_looked_for_everywhere(tmp_path):
    args = compare.parse_args(['--state', str(tmp_path)])
    assert compare.results_file(args) == tmp_path / 'results.jsonl'
    assert compare.files_of(args) == [*results.shipped(), tmp_path / 'results.jsonl']
    args = compare.parse_args(['--state', str(tmp_path), '--results', str(tmp_path / 'mine.jsonl')])
    assert compare.files_of(args) == [tmp_path / 'mine.jsonl']


def test_the_driver_trains_what_is_missing_slice_by_slice(synthetic_root, tmp_path, capfd):
    command = [
        *('--methods', 'supervised', '--datasets', 'synthetic', '--fractions', '25', '--seeds', '0', '--iters', '2'),
        *('--size', '32', '--batch', '2', '--data-root', str(synthetic_root), '--work-dir', str(tmp_path / 'work')),
        *('--state', str(tmp_path / 'state'), '--workers', '0', '--threads', '1'),
    ]
    file = tmp_path / 'state/results.jsonl'
    assert compare.main([*command, '--minutes', '0']) == UNFINISHED
    assert not file.exists()
    assert compare.main([*command, '--jobs', '2']) == 0
    said = capfd.readouterr().out
    assert 'started' in said
    assert 'finished, per-image mIoU' in said
    (line,) = file.read_text().splitlines()
    assert json.loads(line)['run']['seed'] == 0
    assert compare.main(command) == 0
    assert '1 runs, 1 of them done before' in capfd.readouterr().out
    assert len(file.read_text().splitlines()) == 1


# Stands for one_run.py: the seed of a run is its exit code; 0 appends a line. The first two wait for each other, so they
# have to run side by side.
STUB = """
import json, os, pathlib, sys, time
task = json.loads(sys.argv[1])
run, place = task['run'], task['place']
folder = pathlib.Path(place['work_dir'])
(folder / f"seen{run['seed']}").touch()
patience = time.monotonic() + 20
while len(list(folder.glob('seen*'))) < 2 and time.monotonic() < patience:
    time.sleep(0.05)
print(len(list(folder.glob('seen*'))), 'seen with', os.environ['OMP_NUM_THREADS'], 'threads')
if run['seed'] == 0:
    line = dict(run=run, last=dict(test=dict(mIoU_image=51.5)), seconds_per_step=0.25)
    with open(place['results'], 'a') as file:
        file.write(json.dumps(line) + chr(10))
sys.exit(run['seed'])
"""


def test_the_driver_says_what_became_of_each_run(tmp_path, capfd, monkeypatch):
    stub = tmp_path / 'stub.py'
    stub.write_text(STUB)
    monkeypatch.setattr(compare, 'ONE_RUN', stub)
    command = [
        *('--methods', 'supervised', '--fractions', '10', '--work-dir', str(tmp_path / 'work'), '--threads', '3'),
        *('--results', str(tmp_path / 'results.jsonl'), '--jobs', '2', '--seeds'),
    ]
    assert compare.main([*command, '0', '75']) == UNFINISHED
    said = capfd.readouterr().out
    assert 'finished, per-image mIoU 51.5 % on test at the last step, 0.250 s a step' in said
    assert '2 seen with 3 threads, to be continued' in said
    assert compare.main([*command, '0', '76']) == UNFINISHED
    said = capfd.readouterr().out
    assert '2 runs, 1 of them done before' in said
    assert 'left to another process' in said
    assert compare.main([*command, '75', '7']) == FAILED
    said = capfd.readouterr().out
    assert 'FAILED with code 7' in said
    assert 'log.txt' in said


def test_a_method_that_is_not_there_is_found_before_the_first_run():
    with pytest.raises(FileNotFoundError, match='no such --methods'):
        compare.main(['--methods', 'supervised', 'nothing'])
    assert ROOT.joinpath('configs/supervised').is_dir()
