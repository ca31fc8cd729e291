"""Real miniature runs: whole, stopped by the deadline, and carried from one work folder to another."""

import json
import shutil

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from benchmarks import results
from benchmarks.hooks import DeadlineHook, ImageCountHook, per_step, pseudo_to_labels
from benchmarks.one_run import best_of, only_one, train_and_score
from benchmarks.place import Place
from benchmarks.protocols import identity, name_of
from benchmarks.state import halved, latest_checkpoint, load, pack, restored
from simeps_mmseg.deploy import network_states
from simeps_mmseg.engine.hooks.missed_validation import LAST
from simeps_mmseg.utils import UserError

ITERS = 5
TINY_BACKBONE = dict(
    num_stages=2, base_channels=4, strides='(1,1)', enc_num_convs='(1,1)', dec_num_convs='(1,)', downsamples='(True,)',
    enc_dilations='(1,1)', dec_dilations='(1,)',
)  # fmt: skip
TINY_HEAD = dict(in_channels=4, in_index=1, channels=4)
TINY = [
    *(f'model.branch.backbone.{key}={value}' for key, value in TINY_BACKBONE.items()),
    *(f'model.branch.decode_head.{key}={value}' for key, value in TINY_HEAD.items()),
]


def run_of(**changes):
    base = dict(method='simeps', model='unet', dataset='synthetic', percent=25, seed=0, iters=ITERS, size=32, batch=2)
    return identity({**base, 'flips': False, 'precision': 'float32', 'options': TINY, **changes})


def place_of(root, folder, **changes):
    base = dict(data_root=str(root), work_dir=str(folder / 'work'), results=str(folder / 'results.jsonl'), workers=0)
    return Place(**{**base, **changes})


def lines_of(folder):
    file = folder / 'results.jsonl'
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(scope='module', autouse=True)
def _one_thread():
    """Networks this small are trained fastest by one, above all beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def whole(synthetic_root, tmp_path_factory):
    """A run that nobody interrupts: its folder and its line."""
    folder = tmp_path_factory.mktemp('whole')
    train_and_score(run_of(), place_of(synthetic_root, folder, keep_weights=True))
    (line,) = lines_of(folder)
    return folder, line


def test_a_line_says_what_was_trained_and_scored(whole):
    folder, line = whole
    assert line['run'] == run_of()
    assert (line['steps'], line['labeled'], line['unlabeled']) == (ITERS, 8, 26)
    assert line['images_seen'] == dict(labeled=2 * ITERS, unlabeled=2 * ITERS)
    # Three branches see 2 + 2 images each; in the first two of five steps, on labels and where the ramp is zero, 2. Measured.
    assert line['images_per_step'] == dict(grad=9.6, no_grad=0)
    assert sorted(map(int, line['validations'])) == [1, 2, 4, 5]  # 1: the end of the stretch on labels alone
    assert line['last']['iter'] == ITERS
    assert line['best']['iter'] == line['best_iter']
    for which in ('last', 'best'):
        for part in ('val', 'test'):
            scores = line[which][part]
            assert {'mIoU_image', 'mIoU_fg', 'IoU.background', 'branch_2.mIoU_image'} <= scores.keys()
    assert line['best']['val']['mIoU_fg'] == max(line['validations'].values())
    assert line['precision'] == 'float32'
    assert line['seconds'] > 0 < line['peak_memory_mib']
    json.dumps(line, allow_nan=False)
    weights = load(folder / 'work' / name_of(run_of()) / f'{name_of(run_of())}_weights.pth')
    assert 'optimizer' not in weights
    assert {t.dtype for t in weights['state_dict'].values() if t.dim() == 4} == {torch.float16}


def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(whole, synthetic_root, tmp_path):
    _, expected = whole
    stopped = place_of(synthetic_root, tmp_path, end=0.0)
    for step in (1, 2):  # at the second the validation is due
        assert train_and_score(run_of(), stopped) is None
        checkpoint = load(latest_checkpoint(stopped.folder(run_of())))
        assert checkpoint['meta']['iter'] == step
    assert lines_of(tmp_path) == []
    train_and_score(run_of(), place_of(synthetic_root, tmp_path))
    (line,) = lines_of(tmp_path)
    assert line['slices'] == 3
    for key in ('last', 'best', 'validations', 'images_per_step', 'config_hash', 'labeled_checksum'):
        assert line[key] == expected[key], key
    times, _ = load(latest_checkpoint(stopped.folder(run_of())))['message_hub']['log_scalars']['train/time'].data
    assert len(times) == ITERS


def test_a_run_moves_to_a_machine_that_has_its_state_file_only(whole, synthetic_root, tmp_path):
    _, expected = whole
    state = tmp_path / 'state'
    first = place_of(synthetic_root, tmp_path / 'a', state=str(state), end=0.0)
    train_and_score(run_of(), first)
    train_and_score(run_of(), first)
    file = state / f'{name_of(run_of())}.pth'
    assert [file] == list(state.iterdir())
    last = load(file)['last']
    moments = [moment for state in last['optimizer']['state'].values() for moment in state.values()]
    for tensors, dtype in ((last['state_dict'].values(), torch.float16), (moments, torch.bfloat16)):
        assert {tensor.dtype for tensor in tensors if tensor.dim() == 4} == {dtype}
    shutil.rmtree(tmp_path / 'a')
    train_and_score(run_of(), place_of(synthetic_root, tmp_path / 'b', state=str(state)))
    (line,) = lines_of(tmp_path / 'b')
    assert list(state.iterdir()) == []
    assert line['slices'] == 3
    assert line['images_per_step'] == expected['images_per_step']
    assert line['validations']['2'] == expected['validations']['2']
    for step, score in expected['validations'].items():
        assert line['validations'][step] == pytest.approx(score, abs=5)  # weights were rounded on the way


def test_a_validation_that_was_cut_off_is_made_up_for(whole, synthetic_root, tmp_path):
    folder, expected = whole
    place = place_of(synthetic_root, tmp_path)
    shutil.copytree(folder / 'work', tmp_path / 'work')
    work = place.folder(run_of())
    # As after a crash between the checkpoint of the last step and its validation.
    last = work / f'iter_{ITERS}.pth'
    checkpoint = load(last)
    known = checkpoint['message_hub']['runtime_info']
    del known['benchmark']['validations'][str(ITERS)], known[LAST]
    torch.save(checkpoint, last)
    (work / 'last_checkpoint').write_text(str(last))
    train_and_score(run_of(), place)
    assert lines_of(tmp_path)[0]['last'] == expected['last']


def test_a_checkpoint_of_another_config_is_not_continued(whole, synthetic_root, tmp_path):
    folder, _ = whole
    place = place_of(synthetic_root, tmp_path)
    work = place.folder(run_of())
    shutil.copytree(folder / 'work' / work.name, work)
    last = work / f'iter_{ITERS}.pth'
    checkpoint = load(last)
    checkpoint['message_hub']['runtime_info']['benchmark']['config_hash'] = 'other'
    torch.save(checkpoint, last)
    (work / 'last_checkpoint').write_text(str(last))
    with pytest.raises(UserError, match=r'Remove the folder .* to start it anew'):
        train_and_score(run_of(), place)


def test_a_folder_is_trained_in_by_one_process(tmp_path):
    with only_one(tmp_path / 'run') as first, only_one(tmp_path / 'run') as second:
        assert first
        assert not second
    with only_one(tmp_path / 'run') as third:
        assert third


def test_the_deadline_is_checked_against_the_clock():
    now = [100.0]
    hook = DeadlineHook(105.0, clock=lambda: now[0])
    assert not hook.over
    now[0] = 105.0
    assert hook.over
    assert not DeadlineHook(None).over


def test_images_of_a_teacher_count_apart():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.student, self.teacher = (nn.ModuleDict(dict(backbone=nn.Conv2d(3, 2, 1))) for _ in range(2))

    class FakeRunner:
        model = Pair()

    hook, model = ImageCountHook(), FakeRunner.model
    hook.before_train(FakeRunner)
    for _ in range(2):
        hook.before_train_iter(FakeRunner, 0)
        model.student['backbone'](torch.zeros(4, 3, 2, 2))
        model.student['backbone'](torch.zeros(3, 3, 2, 2))
        with torch.no_grad():
            model.teacher['backbone'](torch.zeros(3, 3, 2, 2))
        hook.after_train_iter(FakeRunner, 0)
    model.student['backbone'](torch.zeros(9, 3, 2, 2))  # validation
    assert per_step(hook.totals) == dict(grad=7, no_grad=3)
    hook.after_train(FakeRunner)
    FakeRunner.model = nn.Conv2d(3, 2, 1)
    with pytest.raises(UserError, match='no module called backbone'):
        hook.before_train(FakeRunner)


def test_half_precision_keeps_small_moments_statistics_and_counters():
    moments = torch.full((4, 4), 1e-12)
    state = dict(exp_avg_sq=moments, running_var=torch.rand(4), step=torch.tensor(12345.0), count=torch.tensor([7]))
    back = restored(halved(state))
    assert halved(state)['exp_avg_sq'].dtype == torch.bfloat16
    torch.testing.assert_close(back['exp_avg_sq'], moments, rtol=2**-8, atol=0)
    for key in ('running_var', 'step', 'count'):
        assert torch.equal(back[key], state[key])
        assert back[key].dtype == state[key].dtype


def test_of_the_log_only_the_times_are_carried():
    history = HistoryBuffer(np.arange(1000.0), np.ones(1000))
    hub = dict(
        log_scalars={'train/time': history, 'train/loss': history},
        runtime_info=dict(cfg='long text', iter=3),
        resumed_keys={'train/time': True, 'train/loss': True, 'iter': True},
    )
    packed = pack(dict(state_dict={}, message_hub=hub, meta=dict(iter=3)))['message_hub']
    assert list(packed['log_scalars']) == ['train/time']
    assert packed['log_scalars']['train/time'].data[0].tolist() == list(range(1000))
    assert 'train/loss' not in packed['resumed_keys']
    assert packed['runtime_info'] == dict(cfg='', iter=3)


def test_pseudo_labels_are_held_against_the_labels_class_by_class():
    hub = MessageHub('shares')
    for name, pseudo, labels in (('pit', 0.005, 0.02), ('ok', 0.995, 0.98), ('rare', 0.0, 0.0)):
        for value in (0.5, pseudo):  # the last one counts
            hub.update_scalar(f'train/pseudo_share.{name}', value)
        hub.update_scalar(f'train/label_share.{name}', labels)
    hub.update_scalar('train/loss', 1.0)
    assert pseudo_to_labels(hub) == dict(pit=0.25, ok=1.015)
    assert pseudo_to_labels(MessageHub('none')) == {}


def test_the_first_of_equally_good_validations_is_the_best():
    scores = {2: 10.0, 4: 30.0, 6: 30.0, 8: None}
    assert best_of({step: dict(mIoU_fg=score) for step, score in scores.items()}) == 4


def test_undefined_scores_are_null_in_a_line():
    metrics = {'mIoU_image': float('nan'), 'IoU.crack': np.float64(3), 'aAcc': 90.0, 'branch_0.mIoU': 5.0}
    assert results.kept(metrics) == {'mIoU_image': None, 'IoU.crack': 3.0, 'branch_0.mIoU': 5.0}


def test_a_run_starts_from_the_network_on_labels_and_trains_it_where_it_is_not_there(synthetic_root, tmp_path):
    run = run_of(method='simeps_plus', start=2, iters=2, options=[])
    train_and_score(run, place_of(synthetic_root, tmp_path))
    base, line = lines_of(tmp_path)
    assert (base['run']['method'], base['run']['iters'], base['run']['start']) == ('supervised', 2, 0)
    assert line['run'] == run
    # Three equal branches answer before the first step as the one network did at its best.
    assert line['validations']['0'] == pytest.approx(base['best']['val']['mIoU_fg'], abs=0.02)
    assert line['best']['val']['mIoU_fg'] >= line['validations']['0']
    train_and_score(run_of(method='simeps_plus', start=2, iters=1, options=[]), place_of(synthetic_root, tmp_path))
    assert len(lines_of(tmp_path)) == 3  # the network on labels was there


def test_each_branch_starts_from_a_network_on_labels_of_its_own(synthetic_root, tmp_path):
    place = place_of(synthetic_root, tmp_path)
    run = run_of(method='simeps_plus', start=2, starts=3, iters=1, options=[])
    place.folder(run).mkdir(parents=True)
    train_and_score(run, place)
    *bases, line = lines_of(tmp_path)
    assert [base['run']['seed'] for base in bases] == [0, 1, 2]
    assert line['run'] == run
    branches = network_states(torch.load(place.folder(run) / 'start.pth', weights_only=True)['state_dict'])
    for branch, base in zip(branches, bases, strict=True):
        (best,) = place.folder(base['run']).glob('best_*.pth')
        state = torch.load(best, weights_only=False)['state_dict']
        assert all(torch.equal(branch[name], value) for name, value in state.items())


@pytest.mark.parametrize(('method', 'trained'), [('supervised', 1), ('simeps_plus', 3)])
def test_a_start_for_each_branch_is_asked_for(method, trained, synthetic_root, tmp_path):
    run = run_of(method=method, start=2, starts=2, iters=1, options=[])
    with pytest.raises(UserError, match=f'--starts 2: {method} trains {trained} networks'):
        train_and_score(run, place_of(synthetic_root, tmp_path))
    assert lines_of(tmp_path) == []
