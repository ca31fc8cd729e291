"""Which checkpoint a training goes on from, and that none is ever half a file."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.engine import WholeCheckpointHook
from simeps_mmseg.engine.hooks import resume_check
from simeps_mmseg.engine.hooks.whole_checkpoint import WholeFileBackend, shortened
from simeps_mmseg.engine.resume import (
    changes,
    choose_checkpoint,
    fault_of,
    newest_whole,
    own_file,
    periodic_checkpoints,
    refusals,
)
from simeps_mmseg.engine.safe_hooks import add_safe_hooks
from simeps_mmseg.engine.work_folder import only_training, set_aside
from simeps_mmseg.utils import UserError
from tests.helpers import experiment


@pytest.fixture
def folder(tmp_path):
    """A work folder with two checkpoints."""
    for step in (2, 10):
        torch.save(dict(meta=dict(iter=step), state_dict=dict(w=torch.arange(1000.0))), tmp_path / f'iter_{step}.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_10.pth'))
    torch.save({}, tmp_path / 'best_mIoU_fg_iter_30.pth')
    torch.save({}, tmp_path / 'last_good.pth')
    return tmp_path


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file):
    content = bytearray(file.read_bytes())
    content[content.index(torch.arange(1000.0).numpy().tobytes()) + 1234] ^= 1
    file.write_bytes(content)


BREAK = dict(
    empty=lambda file: file.write_bytes(b''),
    cut=cut,
    text=lambda file: file.write_text('a sentence'),
    flipped=flip,
    zip=lambda file: (
        shutil.make_archive(str(file), 'zip', file.parent, 'last_checkpoint') and shutil.move(f'{file}.zip', file)
    ),
)
FAULTS = dict(
    empty='empty', cut='cut off or damaged', text='cut off or damaged', flipped='checksum', zip='something else'
)


class TestNewestWhole:
    def test_is_that_of_the_highest_step(self, folder):
        assert [file.name for file in periodic_checkpoints(folder)] == ['iter_10.pth', 'iter_2.pth']
        assert newest_whole(folder) == (folder / 'iter_10.pth', [])

    @pytest.mark.parametrize('kind', BREAK)
    def test_passes_over_a_broken_file_and_says_so(self, folder, kind):
        BREAK[kind](folder / 'iter_10.pth')
        path, passed_over = newest_whole(folder)
        assert path == folder / 'iter_2.pth'
        assert len(passed_over) == 1
        assert passed_over[0].startswith('iter_10.pth (')
        assert FAULTS[kind] in passed_over[0]

    def test_a_flipped_bit_is_what_torch_load_takes(self, folder):
        flip(folder / 'iter_10.pth')
        assert not torch.equal(torch.load(folder / 'iter_10.pth')['state_dict']['w'], torch.arange(1000.0))

    @pytest.mark.parametrize('content', ['', '/elsewhere/iter_10.pth', '/elsewhere/it', None])
    def test_needs_no_pointer(self, folder, content):
        pointer = folder / 'last_checkpoint'
        pointer.unlink() if content is None else pointer.write_text(content)
        assert newest_whole(folder).path == folder / 'iter_10.pth'

    def test_of_broken_files_alone_is_refused(self, folder):
        for file in periodic_checkpoints(folder):
            cut(file)
        with pytest.raises(
            UserError, match=r'no checkpoint in .* can be read whole: iter_10.pth \(cut off.*iter_2.pth'
        ):
            newest_whole(folder)

    def test_is_no_export_and_no_network_of_another_kind(self, folder):
        for name in ('iter_20000_branch2.pth', 'resnet50.pth'):
            shutil.copy(folder / 'iter_2.pth', folder / name)
        assert newest_whole(folder).path == folder / 'iter_10.pth'

    def test_has_the_name_that_the_config_gives(self, folder, synthetic_root):
        (folder / 'iter_10.pth').rename(folder / 'run[1].10.pth')
        cfg = experiment(synthetic_root, folder)
        cfg.default_hooks.checkpoint.filename_tmpl = 'run[1].{}.pth'
        choose_checkpoint(cfg)
        assert cfg.load_from == str(folder / 'run[1].10.pth')

    def test_of_nothing_is_none(self, tmp_path):
        assert newest_whole(tmp_path) == (None, [])

    def test_is_what_resume_takes(self, folder, synthetic_root):
        cfg = experiment(synthetic_root, folder)
        cut(folder / 'iter_10.pth')
        choose_checkpoint(cfg)
        assert (cfg.resume, cfg.load_from) == (True, str(folder / 'iter_2.pth'))

    @pytest.mark.parametrize(
        ('stated', 'goes_on'),
        [
            (dict(load_from='start.pth'), True),
            (dict(load_from='run/iter_1.pth', began_from='start.pth'), True),
            (dict(load_from='run/iter_1.pth'), False),
            (dict(load_from='other.pth'), False),
        ],
    )
    def test_goes_before_the_one_that_the_training_began_from(self, tmp_path, synthetic_root, stated, goes_on):
        """A second call with the same options is about the second part of the training."""
        whole = dict(state_dict=dict(w=torch.zeros(1)), optimizer={})
        torch.save(dict(whole, meta=dict(iter=20)), tmp_path / 'start.pth')
        (tmp_path / 'run').mkdir()
        lines = [f"{key} = '{tmp_path / name}'\n" for key, name in stated.items()]
        meta = dict(iter=5, cfg=''.join(["work_dir = 'run'\n", *lines]))
        torch.save(dict(whole, meta=meta), tmp_path / 'run/iter_5.pth')
        cfg = experiment(synthetic_root, tmp_path / 'run', semi=False, load_from=str(tmp_path / 'start.pth'))
        choose_checkpoint(cfg)
        assert cfg.load_from == str(tmp_path / ('run/iter_5.pth' if goes_on else 'start.pth'))
        assert cfg.get('began_from') == (str(tmp_path / 'start.pth') if goes_on else None)
        cfg.load_from = str(tmp_path / 'run/iter_5.pth')  # inside: whoever names it wants it
        torch.save(dict(whole, meta=dict(meta, iter=6)), tmp_path / 'run/iter_6.pth')
        choose_checkpoint(cfg)
        assert cfg.load_from == str(tmp_path / 'run/iter_5.pth')


class TestOwnFile:
    @pytest.mark.parametrize('name', ['/other/run/best_a_iter_1.pth', r'C:\run\best_a_iter_1.pth', 'best_a_iter_1.pth'])
    def test_is_found_by_its_last_part(self, tmp_path, name):
        (tmp_path / 'best_a_iter_1.pth').touch()
        assert own_file(tmp_path, name, r'best_.+\.pth') == tmp_path / 'best_a_iter_1.pth'

    @pytest.mark.parametrize('name', ['..', '/', 'data', 'missing.pth', None, 3, ['best_a.pth'], 'best_link.pth'])
    def test_is_nothing_else(self, tmp_path, name):
        (tmp_path / 'data').mkdir()
        (tmp_path / 'best_link.pth').symlink_to(__file__)
        assert own_file(tmp_path, name, r'best_.+\.pth') is None


class TestWriting:
    def test_a_write_that_fails_leaves_the_old_file(self, tmp_path, monkeypatch):
        file = tmp_path / 'iter_2.pth'
        WholeFileBackend().put(b'old', file)

        def full(path):
            raise OSError(28, 'No space left on device')

        monkeypatch.setattr('simeps_mmseg.engine.hooks.whole_checkpoint.sync_to_disk', full)
        with pytest.raises(OSError, match='No space'):
            WholeFileBackend().put(b'new', file)
        assert file.read_bytes() == b'old'
        assert list(tmp_path.iterdir()) == [file]

    def test_no_file_is_written_twice_and_old_ones_go_last(self, synthetic_root, tmp_path, monkeypatch):
        events = []
        put, remove = WholeFileBackend.put, WholeFileBackend.remove
        monkeypatch.setattr(
            WholeFileBackend, 'put', lambda *args: (events.append(f'+{Path(args[2]).name}'), put(*args))[1]
        )
        monkeypatch.setattr(
            WholeFileBackend, 'remove', lambda *args: (events.append(f'-{Path(args[1]).name}'), remove(*args))[1]
        )
        runner = Runner.from_cfg(trained_config(synthetic_root, tmp_path / 'run'))
        scores = iter([10.0, 20.0, 15.0])
        runner.val_loop.evaluator.evaluate = lambda size: {'mIoU_fg': next(scores)}
        hook = next(hook for hook in runner.hooks if isinstance(hook, WholeCheckpointHook))
        monkeypatch.setattr(type(hook), '_remove', lambda self, name: events.append(f'-{name}'))
        runner.train()
        assert events == [
            '+iter_1.pth',
            '+best_mIoU_fg_iter_1.pth',
            '+iter_2.pth',
            '-iter_1.pth',
            '+best_mIoU_fg_iter_2.pth',
            '-best_mIoU_fg_iter_1.pth',
            '+iter_3.pth',
            '-iter_2.pth',
        ]
        assert (tmp_path / 'run/last_checkpoint').read_text().endswith('iter_3.pth')

    def test_of_the_log_the_last_values_are_kept(self):
        short = shortened(HistoryBuffer(list(range(10)), [1] * 10), 3)
        assert short.data[0].tolist() == [7, 8, 9]
        assert short.data[1].tolist() == [1, 1, 1]


def trained_config(data_root, work_dir, max_iters=3, **changes):
    """Labels alone, validated at each step."""
    loop = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=1)
    name = f'{work_dir.parent.name}_{work_dir.name}'
    cfg = experiment(data_root, work_dir, False, max_iters, train_cfg=loop, experiment_name=name, **changes)
    cfg.default_hooks.checkpoint.update(interval=1, save_best='mIoU_fg', rule='greater', max_keep_ckpts=1)
    add_safe_hooks(cfg)
    return cfg


@pytest.fixture(scope='module')
def trained(synthetic_root, tmp_path_factory):
    """A finished training."""
    folder = tmp_path_factory.mktemp('trained') / 'run'
    Runner.from_cfg(trained_config(synthetic_root, folder)).train()
    return folder


class RatesHook(Hook):
    """Keeps the different rates of each step."""

    def __init__(self):
        self.rates = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.rates.append(sorted({group['lr'] for group in runner.optim_wrapper.param_groups}))


POLY = dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, end=4, by_epoch=False)
STEPS = dict(type='MultiStepLR', milestones=[1], gamma=0.01, by_epoch=False)


class TestResume:
    def resumed(self, data_root, trained, folder, max_iters=4, **changes):
        shutil.copytree(trained, folder)
        cfg = trained_config(data_root, folder, max_iters, **changes)
        cfg.param_scheduler = []
        choose_checkpoint(cfg)
        return cfg

    def test_in_a_copy_leaves_the_original_alone(self, synthetic_root, trained, tmp_path):
        before = sorted(file.name for file in trained.iterdir())
        runner = Runner.from_cfg(self.resumed(synthetic_root, trained, tmp_path / 'copy'))
        runner.val_loop.evaluator.evaluate = lambda size: {'mIoU_fg': 101.0}
        runner.train()
        assert sorted(file.name for file in trained.iterdir()) == before
        assert len(list((tmp_path / 'copy').glob('best_*'))) == 1

    def test_removes_nothing_that_a_crafted_checkpoint_names(self, synthetic_root, trained, tmp_path):
        cfg = self.resumed(synthetic_root, trained, tmp_path / 'run')
        (tmp_path / 'precious').mkdir()
        (tmp_path / 'precious.pth').touch()
        checkpoint = read_checkpoint(cfg.load_from)
        checkpoint['message_hub']['runtime_info'].update(
            best_ckpt=str(tmp_path / 'precious'), best_score=0.0, keep_ckpt_ids=['/../../precious', 1, 2, 3]
        )
        torch.save(checkpoint, cfg.load_from)
        Runner.from_cfg(cfg).train()
        assert (tmp_path / 'precious').is_dir()
        assert (tmp_path / 'precious.pth').is_file()

    @pytest.mark.parametrize(
        ('change', 'message'),
        [
            (lambda cfg: cfg.model.backbone.update(base_channels=8), r'weights: .* of another shape'),
            (lambda cfg: cfg.model.decode_head.update(num_classes=5), r'weights: 2 of another shape'),
            (lambda cfg: cfg.optim_wrapper.optimizer.update(type='SGD'), "optimizer.type was 'Adam' and is 'SGD'"),
            (lambda cfg: cfg.train_dataloader.update(batch_size=3), 'images per step was 2 and is 3'),
        ],
    )
    def test_of_another_training_is_refused(self, synthetic_root, trained, tmp_path, change, message):
        cfg = self.resumed(synthetic_root, trained, tmp_path / 'run')
        change(cfg)
        with pytest.raises(UserError, match=f'is of another training: .*{message}'):
            Runner.from_cfg(cfg).train()

    def test_with_other_values_is_said(self, synthetic_root, trained, tmp_path, monkeypatch):
        said = []
        monkeypatch.setattr('simeps_mmseg.engine.hooks.resume_check.print_log', lambda text, *_: said.append(text))
        cfg = self.resumed(synthetic_root, trained, tmp_path / 'run')
        cfg.optim_wrapper.optimizer.lr = 0.5
        cfg.model.decode_head.loss_decode[0].loss_weight = 2.0
        cfg.train_dataloader.dataset.ann_file = 'splits/seed0/5pct_labeled.txt'
        Runner.from_cfg(cfg).train()
        (text,) = said
        for line in (
            'optim_wrapper.optimizer.lr was 0.001 and is 0.5; the schedule goes on at 500 times its rates',
            'model.decode_head.loss_decode[0].loss_weight was 0.5 and is 2.0',
            'images[0] was ',
        ):
            assert line in text

    def test_with_another_schedule_is_said(self, synthetic_root, trained, tmp_path, monkeypatch):
        said = []
        monkeypatch.setattr('simeps_mmseg.engine.hooks.resume_check.print_log', lambda text, *_: said.append(text))
        shutil.copytree(trained, tmp_path / 'run')
        cfg = trained_config(synthetic_root, tmp_path / 'run', max_iters=3)
        cfg.param_scheduler[0].power = 0.5
        choose_checkpoint(cfg)
        runner = Runner.from_cfg(cfg)
        runner.train()
        (text,) = said
        assert 'param_scheduler[0].power was 0.9 and is 0.5; the schedule goes on as it was' in text
        assert runner.param_schedulers[0].power == 0.9

    @pytest.mark.parametrize(
        ('schedules', 'message'),
        [
            ([POLY, STEPS], r'param_scheduler: 1 schedules there, 2 here'),
            (
                [STEPS],
                r"param_scheduler\[0\].type was 'PolyLR' and is 'MultiStepLR': the state of one schedule is of no use",
            ),
        ],
    )
    def test_with_other_schedules_is_refused(self, synthetic_root, trained, tmp_path, schedules, message):
        cfg = self.resumed(synthetic_root, trained, tmp_path / 'run')
        cfg.param_scheduler = schedules
        with pytest.raises(UserError, match=f'is of another training: {message}'):
            Runner.from_cfg(cfg).train()

    def test_with_a_schedule_where_there_was_none_is_refused(self, synthetic_root, tmp_path):
        for before in ([], None):
            folder = tmp_path / f'run{before}'
            Runner.from_cfg(trained_config(synthetic_root, folder, max_iters=1, param_scheduler=before)).train()
            cfg = trained_config(synthetic_root, folder, max_iters=2)
            choose_checkpoint(cfg)
            with pytest.raises(UserError, match='param_scheduler: 0 schedules there, 1 here'):
                Runner.from_cfg(cfg).train()

    def test_of_a_record_without_schedules_says_nothing_of_them(self):
        now = {'param_scheduler[0].type': "'PolyLR'", 'param_scheduler[0].power': '0.9'}
        assert changes({}, now) == []
        assert changes(now, {}) == [
            'param_scheduler[0].power was 0.9 and is not there',
            "param_scheduler[0].type was 'PolyLR' and is not there",
        ]
        assert changes(now, {**now, 'param_scheduler[0].begin': '1'}) == [
            'param_scheduler[0].begin was not there and is 1; the schedule goes on as it was'
        ]
        same = {**now, 'param_scheduler[0].type': "'mmengine.PolyLR'"}
        assert list(refusals(now, same)) == []

    def test_with_another_rate_takes_effect(self, synthetic_root, tmp_path):
        """In each step after the resume and in each group of parameters, below a schedule."""

        def rates(folder, until, lr=0.001, **resumed):
            cfg = trained_config(synthetic_root, folder, until, **resumed)
            cfg.optim_wrapper.optimizer.lr = lr
            cfg.optim_wrapper.paramwise_cfg = dict(custom_keys={'decode_head': dict(lr_mult=10.0)})
            cfg.param_scheduler = [dict(type='PolyLR', power=0.9, end=8, by_epoch=False)]
            if resumed:
                choose_checkpoint(cfg)
            runner, seen = Runner.from_cfg(cfg), RatesHook()
            runner.register_hook(seen)
            runner.train()
            return seen.rates

        whole = rates(tmp_path / 'whole', 4)
        rates(tmp_path / 'run', 2)
        later = rates(tmp_path / 'run', 4, lr=0.0001, resume=True)
        assert later == [pytest.approx([value / 10 for value in step]) for step in whole[2:]]
        assert later[0] != later[1]

    def test_of_a_checkpoint_without_a_record_says_so_in_one_line(self, synthetic_root, trained, tmp_path, monkeypatch):
        said = []
        monkeypatch.setattr('simeps_mmseg.engine.hooks.resume_check.print_log', lambda text, *_: said.append(text))
        cfg = self.resumed(synthetic_root, trained, tmp_path / 'run')
        checkpoint = read_checkpoint(cfg.load_from)
        assert 'optim_wrapper.optimizer.lr' in checkpoint.pop('experiment')
        torch.save(checkpoint, cfg.load_from)
        Runner.from_cfg(cfg).train()
        (text,) = said
        assert text.endswith('does not say what was trained: weights and optimiser fit, the config is not compared')
        assert 'optim_wrapper.optimizer.lr' in read_checkpoint(tmp_path / 'run/iter_4.pth')['experiment']


class NamelessImages(Dataset):
    """Images that are known by nothing but their numbers."""

    def __init__(self, inner):
        self._inner = inner

    def __len__(self):
        return len(self._inner)

    def __getitem__(self, index):
        return self._inner[index]


def test_what_is_trained_is_looked_up_once_and_images_need_no_names(synthetic_root, tmp_path, monkeypatch):
    looked_up = []
    record = resume_check.experiment_record
    monkeypatch.setattr(
        resume_check, 'experiment_record', lambda runner: looked_up.append(record(runner)) or looked_up[-1]
    )
    runner = Runner.from_cfg(trained_config(synthetic_root, tmp_path / 'run', max_iters=2))
    loader = runner.train_dataloader
    nameless = DataLoader(
        NamelessImages(loader.dataset), loader.batch_size, sampler=loader.sampler, collate_fn=loader.collate_fn
    )
    runner.train_loop.dataloader = nameless
    runner.train()
    assert len(looked_up) == 1
    saved = read_checkpoint(tmp_path / 'run/iter_2.pth')['experiment']
    assert saved == looked_up[0]
    assert 'model.type' in saved
    assert not [key for key in saved if key.startswith('images[')]


class TestWorkFolder:
    def test_what_was_there_is_moved_aside(self, folder, synthetic_root):
        (folder / 'notes.txt').touch()
        (folder / '20260101_000000').mkdir()
        cfg = experiment(synthetic_root, folder, load_from=str(folder / 'best_mIoU_fg_iter_30.pth'))
        set_aside(cfg)
        assert sorted(file.name for file in folder.iterdir()) == ['earlier_1', 'notes.txt']
        assert {'iter_10.pth', 'last_checkpoint', '20260101_000000'} <= {
            f.name for f in (folder / 'earlier_1').iterdir()
        }
        assert Path(cfg.load_from) == folder / 'earlier_1/best_mIoU_fg_iter_30.pth'
        set_aside(cfg)
        assert not (folder / 'earlier_2').exists()

    def test_what_has_no_checkpoint_of_a_step_is_moved_too_and_files_of_others_stay(self, tmp_path, synthetic_root):
        for name in ('best_mIoU_fg_iter_30.pth', 'iter_30_branch2.pth', 'resnet50.pth'):
            (tmp_path / name).touch()
        (tmp_path / '20260101_000000').mkdir()
        cfg = experiment(synthetic_root, tmp_path, load_from=str(tmp_path / 'resnet50.pth'))
        set_aside(cfg)
        assert sorted(file.name for file in tmp_path.iterdir()) == ['earlier_1', 'iter_30_branch2.pth', 'resnet50.pth']
        assert len(list((tmp_path / 'earlier_1').iterdir())) == 2
        assert cfg.load_from == str(tmp_path / 'resnet50.pth')

    def test_logs_of_a_start_that_failed_stay(self, tmp_path, synthetic_root):
        (tmp_path / '20260101_000000').mkdir()
        set_aside(experiment(synthetic_root, tmp_path))
        assert [file.name for file in tmp_path.iterdir()] == ['20260101_000000']

    def test_a_process_that_comes_after_the_move_hears_of_it(self, folder, synthetic_root, monkeypatch):
        old, told = str(folder / 'iter_2.pth'), []

        def broadcast(values):
            told[:] = told or values
            values[:] = told

        monkeypatch.setattr('simeps_mmseg.utils.processes.broadcast_object_list', broadcast)
        starts = []
        for rank in (0, 1):
            monkeypatch.setattr('simeps_mmseg.utils.processes.get_rank', lambda rank=rank: rank)
            cfg = experiment(synthetic_root, folder, load_from=old)
            set_aside(cfg)
            starts.append(cfg.load_from)
        assert starts == [str(folder / 'earlier_1/iter_2.pth')] * 2
        assert not (folder / 'earlier_2').exists()

    def test_workers_that_outlive_a_killed_training_do_not_hold_its_folder(self, tmp_path):
        (ended, end), (started, start) = os.pipe(), os.pipe()
        with only_training(Config(dict(work_dir=tmp_path))):
            worker = os.fork()
            if worker == 0:
                os.write(start, b'.')
                os.read(ended, 1)
                os._exit(0)
            os.read(started, 1)
        try:
            with only_training(Config(dict(work_dir=tmp_path))):  # the first has ended, its worker has not
                pass
        finally:
            os.write(end, b'.')
            assert os.waitpid(worker, 0)[1] == 0

    def test_a_second_training_at_the_same_time_is_refused(self, tmp_path):
        message = r'another training writes there \(process \d+\)'
        cfg = Config(dict(work_dir=tmp_path))
        with only_training(cfg), pytest.raises(UserError, match=message), only_training(cfg):
            pass
        with only_training(cfg):
            pass

    def test_a_file_system_without_locks_is_said(self, tmp_path, monkeypatch):
        def flock(file, operation):
            raise OSError(38, 'Function not implemented')

        said = []
        monkeypatch.setattr('fcntl.flock', flock)
        monkeypatch.setattr('simeps_mmseg.engine.work_folder.print_log', lambda text, *_: said.append(text))
        with only_training(Config(dict(work_dir=tmp_path))):
            pass
        assert said == [
            f'{tmp_path} cannot be locked ([Errno 38] Function not implemented): see to it that no other training writes there'
        ]


def test_faults_of_other_paths(tmp_path):
    assert fault_of(tmp_path / 'missing.pth').startswith('cannot be read')
