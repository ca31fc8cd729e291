import copy
import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseDataPreprocessor
from mmseg.apis import inference_model, init_model
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from simeps_mmseg.engine.pseudo_label_health import agreement
from simeps_mmseg.models.losses import cross_pseudo_loss, ensemble_pseudo_labels, similarity_consistency
from simeps_mmseg.models.utils import (
    class_logits,
    forward_labeled,
    forward_unlabeled,
    mask_padding,
    one_image_fails,
    replace_sync_bn,
)
from simeps_mmseg.models.utils.activations import deepest_level, final_logits
from simeps_mmseg.models.utils.batch_norm import kept_statistics
from simeps_mmseg.models.utils.branch import BranchOutput
from simeps_mmseg.utils import UserError
from tests.helpers import NUM_CLASSES, make_samples, tiny_branch, tiny_model

SIZE = (16, 16)


def build(**changes):
    return MODELS.build(tiny_model(**changes)).train()


def batch(labeled=2, unlabeled=3):
    samples = make_samples(labeled, True) + make_samples(unlabeled, False)
    return torch.randn(labeled + unlabeled, 3, *SIZE), samples


def logits_of(model, inputs):
    """Each branch's logits with frozen batch statistics."""
    return [branch.encode_decode(inputs, [dict(img_shape=SIZE)] * len(inputs)) for branch in model.branches]


class TestLoss:
    def test_keys_by_branch_and_term(self):
        model = build(branch=tiny_branch(auxiliary=True))
        losses = model.loss(*batch())
        expected = {
            f'branch_{k}.{head}.{loss}'
            for k in range(3)
            for head in ('decode', 'aux')
            for loss in ('loss_ce', 'loss_soft_dice', 'acc_seg')
        }
        for part in ('labeled', 'unlabeled'):
            expected |= {f'{part}.loss_cross_pseudo_{k}' for k in range(3)} | {f'{part}.loss_similarity_logits'}
        assert set(losses) == expected
        total, _ = model.parse_losses(losses)
        total.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())

    def test_consistency_values_are_those_of_the_functions(self):
        model = build()
        model.eval()  # so that a second forward gives the same logits
        inputs, samples = batch(2, 3)
        losses = model.loss(inputs, samples)
        for part, images in (('labeled', inputs[:2]), ('unlabeled', inputs[2:])):
            logits = logits_of(model, images)
            cross_pseudo = sum(losses[f'{part}.loss_cross_pseudo_{k}'] for k in range(3))
            expected = cross_pseudo_loss(logits, ensemble_pseudo_labels(logits))
            torch.testing.assert_close(cross_pseudo, 0.1 * expected)
            torch.testing.assert_close(losses[f'{part}.loss_similarity_logits'], 50 * similarity_consistency(logits))

    @pytest.mark.parametrize(('labeled', 'unlabeled'), [(3, 0), (0, 3)])
    def test_one_part_alone_is_a_legal_batch(self, labeled, unlabeled):
        model = build()
        losses = model.loss(*batch(labeled, unlabeled))
        assert any(key.startswith('branch_') for key in losses) == bool(labeled)
        assert any(key.startswith('unlabeled.') for key in losses) == bool(unlabeled)
        assert (model.last_step.labels is None) == (not labeled)

    def test_parts_may_come_in_any_order(self):
        model = build()
        model.eval()
        inputs, samples = batch(2, 2)
        order = [2, 0, 3, 1]
        mixed = model.loss(inputs[order], [samples[i] for i in order])
        for key, value in model.loss(inputs, samples).items():
            torch.testing.assert_close(mixed[key], value)

    def test_every_image_passes_each_branch_once(self):
        model = build()
        seen = [0, 0, 0]
        for k, branch in enumerate(model.branches):
            branch.backbone.register_forward_hook(
                lambda module, args, out, k=k: seen.__setitem__(k, seen[k] + len(args[0]))
            )
        model.loss(*batch(2, 3))
        assert seen == [5, 5, 5]

    def test_ramp_scales_what_declares_it(self):
        similarity = dict(type='SimilarityConsistencyLoss', ramp=False)
        model = build(similarity=similarity)
        model.eval()
        data = batch()
        full = model.loss(*data)
        model.set_rampup(0.25)
        ramped = model.loss(*data)
        for part in ('labeled', 'unlabeled'):
            key = f'{part}.loss_cross_pseudo_0'
            torch.testing.assert_close(ramped[key], 0.25 * full[key])
            key = f'{part}.loss_similarity_logits'
            torch.testing.assert_close(ramped[key], full[key])

    def test_the_weight_in_the_log_is_zero_where_labels_alone_teach(self):
        model = build(cross_pseudo=dict(type='CrossPseudoLoss', loss_weight=0.5, ramp=False))
        model.set_rampup(0.5)
        assert model.consistency_weight == 0.5
        model.set_rampup(0.0)
        assert model.consistency_weight == 0.0

    @pytest.mark.parametrize('channels', [1, 2])
    def test_a_head_may_ignore_no_value(self, channels):
        """As with MMSegmentation's ``CrossEntropyLoss(use_sigmoid=True)``; its other cross-entropy refuses that itself."""
        branch = tiny_branch(num_classes=2)
        loss = dict(type='CrossEntropyLoss', use_sigmoid=True) if channels == 1 else dict(type='SoftDiceLoss')
        branch.decode_head.update(ignore_index=None, loss_decode=loss, out_channels=channels)
        model = build(branch=branch)
        inputs, samples = batch(2, 2)
        for sample in samples:
            if 'gt_sem_seg' in sample:
                sample.gt_sem_seg.data %= 2
        losses = model.loss(inputs, samples)
        assert all(torch.isfinite(value).all() for value in losses.values())
        assert 'unlabeled.loss_cross_pseudo_0' in losses
        first, second, *_ = model.step_record.predictions
        expected = (first == second).float().mean()
        torch.testing.assert_close(agreement((first, second), model.ignore_index), expected)

    def test_all_stages_reach_the_parameters(self):
        stages = dict(encoder=1.0, decoder=1.0, logits=1.0)
        model = build(similarity=dict(type='SimilarityConsistencyLoss', stages=stages), cross_pseudo=None)
        losses = model.loss(*batch(0, 3))
        assert set(losses) == {f'unlabeled.loss_similarity_{stage}' for stage in stages}
        losses['unlabeled.loss_similarity_encoder'].backward()
        assert all(p.grad is None for b in model.branches for p in b.decode_head.parameters())
        assert any(p.grad is not None for p in model.branches[0].backbone.parameters())

    def test_a_single_image_per_part_is_refused(self):
        with pytest.raises(ValueError, match='needs at least 2 of them'):
            build().loss(*batch(1, 2))

    @pytest.mark.parametrize('changes', [{}, dict(cut_mix=dict(type='CutMix', prob=1.0))])
    def test_padding_does_not_count_in_the_agreement(self, changes):
        model = build(**changes)
        model.set_rampup(1.0)
        samples = make_samples(2, False)
        model.loss(torch.randn(2, 3, *SIZE), samples)
        assert model.last_step.padding == []
        for sample in samples:
            sample.set_metainfo(dict(padding_size=(0, 4, 0, 2)))
        model.loss(torch.randn(2, 3, *SIZE), samples)
        for prediction in model.last_step.predictions:
            assert (prediction[:, :-2, :-4] != 255).all()
            assert (prediction[:, -2:] == 255).all()
            assert (prediction[..., -4:] == 255).all()

    def test_padding_gets_no_pseudo_label(self):
        labels = torch.zeros(2, 4, 6, dtype=torch.long)
        samples = make_samples(2, False)
        samples[1].set_metainfo(dict(padding_size=(0, 2, 0, 1)))
        masked = mask_padding(labels, samples, 255)
        assert (masked[0] == 0).all()
        assert (masked[1, :3, :4] == 0).all()
        assert (masked[1] == 255).sum() == 4 * 6 - 3 * 4

    def test_images_of_two_sizes_go_through_the_preprocessor(self):
        model = build()
        samples = make_samples(2, True, (16, 16)) + make_samples(2, False, (16, 16))
        images = [torch.randint(0, 255, (3, 16, 16), dtype=torch.uint8) for _ in samples]
        images[2] = images[2][:, :10, :12]
        data = model.data_preprocessor(dict(inputs=images, data_samples=samples), training=True)
        losses = model.loss(**data)
        assert torch.isfinite(model.parse_losses(losses)[0])
        for labels in model.last_step.pseudo_labels:
            assert (labels[0, 10:] == 255).all()
            assert (labels[0, :, 12:] == 255).all()
            assert (labels[0, :10, :12] < NUM_CLASSES).all()
            assert (labels[1] < NUM_CLASSES).all()

    def test_step_record_holds_label_maps(self):
        model = build()
        model.loss(*batch(2, 3))
        step = model.last_step
        assert step.labels.shape == (2, *SIZE)
        assert [m.shape for m in step.pseudo_labels + step.predictions] == [(3, *SIZE)] * 6

    def test_carries_no_hooks_between_steps(self):
        model = build()
        model.loss(*batch())
        again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
        assert not any(module._forward_hooks for module in again.modules())

    def test_bfloat16_autocast_keeps_the_losses_in_float32(self):
        model = build()
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = model.loss(*batch())
        assert all(v.dtype == torch.float32 for key, v in losses.items() if 'pseudo' in key or 'similarity' in key)


class TestBuild:
    def test_branches_start_differently(self):
        model = build()
        model.init_weights()
        weights = [branch.decode_head.conv_seg.weight for branch in model.branches]
        assert not torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[1], weights[2])

    def test_config_is_not_changed(self):
        config = tiny_model()
        before = copy.deepcopy(config)
        MODELS.build(config)
        assert config == before

    def test_sync_bn_becomes_bn_in_one_process(self):
        assert not any(isinstance(m, torch.nn.SyncBatchNorm) for m in build().modules())
        config = tiny_branch()
        changed = replace_sync_bn(config)
        assert 'backbone.norm_cfg' in changed
        assert config.backbone.norm_cfg.type == 'BN'

    def test_whose_sync_bn_becomes_bn_is_said(self, monkeypatch):
        said = []
        monkeypatch.setattr('simeps_mmseg.models.utils.sync_bn.print_log', lambda text, **_: said.append(text))
        build()
        plain = tiny_branch()
        replace_sync_bn(plain)
        build(branch=None, branches=[plain, plain, tiny_branch()])
        build(branch=plain)
        assert [text.partition('BN in ')[2] for text in said] == [
            'model.branch.backbone.norm_cfg, model.branch.decode_head.norm_cfg',
            'model.branches[2].backbone.norm_cfg, model.branches[2].decode_head.norm_cfg',
        ]

    def test_data_preprocessor_is_that_of_the_branch(self):
        assert build().data_preprocessor.size_divisor == 8
        top_level = dict(type='SegDataPreProcessor', mean=[1.0] * 3, std=[2.0] * 3)
        merged = build(data_preprocessor=top_level).data_preprocessor
        assert merged.size_divisor == 8
        assert merged.mean.flatten().tolist() == [120.0] * 3
        branch = tiny_branch()
        branch.data_preprocessor.type = 'mmseg.SegDataPreProcessor'
        assert (
            build(branch=branch, data_preprocessor=top_level).data_preprocessor.mean.flatten().tolist() == [120.0] * 3
        )
        branch.data_preprocessor = dict(type='BaseDataPreprocessor')
        assert type(build(branch=branch, data_preprocessor=top_level).data_preprocessor) is BaseDataPreprocessor
        del branch.data_preprocessor
        assert build(branch=branch, data_preprocessor=top_level).data_preprocessor.mean.flatten().tolist() == [1.0] * 3

    def test_different_branches(self):
        branches = [tiny_branch(), tiny_branch(), tiny_branch()]
        branches[1].decode_head.num_convs = 2
        branches[2].backbone.base_channels = 8
        branches[2].decode_head.in_channels = 8
        model = MODELS.build(tiny_model(branch=None, branches=branches)).train()
        losses = model.loss(*batch())
        assert torch.isfinite(sum(v for key, v in losses.items() if 'loss' in key))

    def test_two_branches_without_similarity_are_cps(self):
        model = build(type='MultiBranchSemiSegmentor', num_branches=2, similarity=None)
        assert len(model.branches) == 2
        assert not any('similarity' in key for key in model.loss(*batch()))

    @pytest.mark.parametrize(
        ('changes', 'message'),
        [
            (dict(branches=[tiny_branch()] * 3), 'either branch= .* or branches='),
            (dict(branch=None), 'either branch= .* or branches='),
            (dict(branch=None, branches=[tiny_branch()] * 2), 'takes three configs, got 2'),
            (dict(type='MultiBranchSemiSegmentor', num_branches=1), 'at least two are needed, got 1'),
            (dict(branch=None, branches=[tiny_branch(), tiny_branch(), tiny_branch(3)]), r'got \[4, 4, 3\]'),
            (dict(test_cfg=dict(predict_on=3)), "must be one of .*'ensemble', 0, 1, 2.*, got 3"),
            (dict(test_cfg=dict(predict_on='best')), "got 'best'"),
            (dict(similarity=dict(type='SimilarityConsistencyLoss', stages=dict(neck=1))), 'unknown'),
        ],
    )
    def test_errors(self, changes, message):
        with pytest.raises(ValueError, match=message):
            build(**changes)

    def test_class_weight_of_another_length_is_refused(self):
        branch = tiny_branch(auxiliary=True)
        branch.auxiliary_head.loss_decode = dict(type='CrossEntropyLoss', class_weight=[1.0, 2.0])
        message = 'branch 0: auxiliary_head.loss_decode: CrossEntropyLoss.class_weight has 2 numbers, but FCNHead has 4'
        with pytest.raises(ValueError, match=message):
            build(branch=branch)

    def test_branches_with_one_and_two_outputs_are_refused(self):
        with pytest.raises(ValueError, match=r'out_channels of the decode heads must be the same, got \[1, 2, 1\]'):
            build(branch=None, branches=[binary_branch(), tiny_branch(2), binary_branch()])


def binary_branch():
    branch = tiny_branch(num_classes=2)
    branch.decode_head.update(out_channels=1, loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True))
    return branch


class TestBinaryHead:
    """``out_channels=1``: a sigmoid."""

    def test_trains_on_two_classes(self):
        model = build(branch=binary_branch())
        inputs, samples = batch()
        for sample in samples[:2]:
            sample.gt_sem_seg.data %= 2
        losses = model.loss(inputs, samples)
        model.parse_losses(losses)[0].backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
        assert {0, 1} >= set(torch.stack(model.last_step.pseudo_labels).unique().tolist())

    def test_softmax_of_two_logits_is_the_sigmoid(self):
        branch = build(branch=binary_branch()).branches[0]
        scores = torch.randn(2, 1, 4, 4)
        torch.testing.assert_close(class_logits(branch, scores).softmax(dim=1)[:, 1:], scores.sigmoid())

    def test_predicts_as_mmseg_does(self):
        model = build(branch=binary_branch()).eval()
        inputs = torch.randn(2, 3, *SIZE)
        result = model.predict(inputs)[1]
        mean = torch.stack(logits_of(model, inputs)).mean(dim=0)
        assert result.seg_logits.data.shape == (1, *SIZE)
        assert torch.equal(result.pred_sem_seg.data, (mean[1].sigmoid() > model.decode_head.threshold).long())


class TestPredict:
    def samples(self, count=2, ori_shape=(20, 24)):
        samples = make_samples(count, False)
        for sample in samples:
            sample.set_metainfo(dict(ori_shape=ori_shape))
        return samples

    def test_ensemble_is_the_mean_of_the_logits(self):
        model = build().eval()
        inputs = torch.randn(2, 3, *SIZE)
        results = model.predict(inputs)
        mean = torch.stack(logits_of(model, inputs)).mean(dim=0)
        torch.testing.assert_close(torch.stack([r.seg_logits.data for r in results]), mean)
        assert torch.equal(results[0].pred_sem_seg.data[0], mean[0].argmax(dim=0))

    @pytest.mark.parametrize('k', [0, 2])
    @pytest.mark.parametrize('branch_predictions', [False, True])
    def test_one_branch_answers_alone(self, k, branch_predictions):
        model = build(test_cfg=dict(predict_on=k, branch_predictions=branch_predictions)).eval()
        inputs = torch.randn(2, 3, *SIZE)
        others = [branch for i, branch in enumerate(model.branches) if i != k]
        for branch in others:
            branch.forward = branch.inference = None  # would raise if called
        torch.testing.assert_close(model.predict(inputs)[1].seg_logits.data, logits_of(model, inputs)[k][1])

    def test_results_have_the_original_size_and_each_branch(self):
        model = build(test_cfg=dict(branch_predictions=True)).eval()
        inputs = torch.randn(2, 3, *SIZE)
        results = model.predict(inputs, self.samples())
        assert results[0].pred_sem_seg.shape == (20, 24)
        assert results[0].pred_sem_seg_branches.data.shape == (3, 20, 24)
        for k in range(3):
            alone = build(test_cfg=dict(predict_on=k)).eval()
            alone.load_state_dict(model.state_dict())
            expected = alone.predict(inputs, self.samples())[1].pred_sem_seg.data[0]
            assert torch.equal(results[1].pred_sem_seg_branches.data[k], expected)

    def test_slide_equals_whole_where_one_window_covers_the_image(self):
        whole = build().eval()
        slide = build(test_cfg=dict(mode='slide', crop_size=SIZE, stride=(8, 8))).eval()
        slide.load_state_dict(whole.state_dict())
        inputs = torch.randn(1, 3, *SIZE)
        torch.testing.assert_close(slide.predict(inputs)[0].seg_logits.data, whole.predict(inputs)[0].seg_logits.data)

    def test_slide_covers_a_larger_image(self):
        model = build(branch=tiny_branch(mode='slide', crop_size=SIZE, stride=(8, 8))).eval()
        samples = self.samples(1, ori_shape=(24, 40))
        samples[0].set_metainfo(dict(img_shape=(24, 40), pad_shape=(24, 40)))
        result = model.predict(torch.randn(1, 3, 24, 40), samples)[0]
        assert result.seg_logits.data.shape == (NUM_CLASSES, 24, 40)
        assert torch.isfinite(result.seg_logits.data).all()

    def test_tensor_mode_gives_logits(self):
        assert build().eval()(torch.randn(2, 3, *SIZE)).shape == (2, NUM_CLASSES, *SIZE)

    def test_with_init_model_and_inference_model(self, tmp_path):
        import numpy as np

        model = build().eval()
        meta = dict(dataset_meta=dict(classes=('a', 'b', 'c', 'd'), palette=[[0, 0, 0]] * 4))
        torch.save(dict(state_dict=model.state_dict(), meta=meta), tmp_path / 'model.pth')
        pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
        config = Config(
            dict(model=tiny_model(), test_pipeline=pipeline, test_dataloader=dict(dataset=dict(pipeline=pipeline)))
        )
        loaded = init_model(config, str(tmp_path / 'model.pth'), device='cpu')
        result = inference_model(loaded, np.zeros((*SIZE, 3), np.uint8))
        assert isinstance(result, SegDataSample)
        assert result.pred_sem_seg.shape == SIZE


class TestBranchForward:
    def test_labeled_logits_are_those_the_loss_saw(self):
        branch = build().branches[0].eval()
        inputs = torch.randn(2, 3, *SIZE)
        output = forward_labeled(branch, inputs, make_samples(2, True))
        torch.testing.assert_close(output.logits, branch.encode_decode(inputs, [dict(img_shape=SIZE)] * 2))
        assert output.encoder.shape == (2, 8, 8, 8)
        assert output.decoder.shape == (2, 4, 16, 16)
        assert 'decode.loss_ce' in output.losses

    def test_unlabeled_forward_trains_batch_norm_but_not_the_flags(self):
        branch = build().branches[0]
        norm = next(m for m in branch.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d))
        before = norm.running_mean.clone()
        forward_unlabeled(branch, torch.randn(2, 3, *SIZE), [{}, {}])
        assert not torch.equal(norm.running_mean, before)
        assert all(module.training for module in branch.modules())

    def test_deepest_level_is_found_by_size_not_by_place(self):
        deep, shallow, tokens = torch.ones(1, 2, 4, 4), torch.ones(1, 2, 8, 8), torch.ones(1, 9)
        assert deepest_level([deep, shallow]) is deep
        assert deepest_level([[shallow, tokens], [deep, tokens]]) is deep
        same = torch.ones(1, 3, 4, 4)
        assert deepest_level((deep, same)) is same
        with pytest.raises(ValueError, match='no feature map'):
            deepest_level([tokens])
        with pytest.raises(UserError, match=r'stage encoder: this network hands on no \(b, c, h, w\) map'):
            BranchOutput(logits=deep, encoder=None, decoder=deep).stage('encoder')
        assert deepest_level(dict(low=shallow, names='abc', more=(None, deep))) is deep

    @pytest.mark.parametrize(
        ('raw', 'expected'),
        [
            (torch.ones(1, 2, 3, 3), lambda raw: raw),
            ((torch.ones(1, 2, 3, 3), torch.ones(1, 2)), lambda raw: raw[0]),
            ([torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)], lambda raw: raw[-1]),
            (torch.ones(1, 2, 40), lambda raw: None),
            (None, lambda raw: None),
        ],
    )
    def test_final_logits_in_what_heads_return(self, raw, expected):
        assert final_logits(raw) is expected(raw)

    def test_final_logits_are_what_the_classifier_returned(self):
        raw = tuple(torch.ones(1, 2, 3, 3) for _ in range(3))
        assert final_logits(raw, classified=raw[1]) is raw[1]

    def test_one_image_fails_where_batch_norm_sees_one_pixel(self):
        psp = dict(
            type='PSPHead',
            in_channels=4,
            in_index=1,
            channels=4,
            num_classes=4,
            pool_scales=(1, 2),
            norm_cfg=dict(type='BN'),
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss'),
        )
        branch = build(branch={**tiny_branch(), 'decode_head': psp}).branches[0]
        before = copy.deepcopy(branch.state_dict())
        assert one_image_fails(branch, (3, *SIZE))
        assert not one_image_fails(build().branches[0], (3, *SIZE))
        assert all(torch.equal(value, before[name]) for name, value in branch.state_dict().items())
        assert branch.training
        sync = torch.nn.SyncBatchNorm(4)  # as in several processes; it insists on a count
        branch.decode_head.add_module('sync', sync)
        with kept_statistics([branch]):
            sync(torch.rand(2, 4, 1, 1))
        assert (sync.num_batches_tracked, sync.running_mean.any()) == (0, False)
        sync(torch.rand(2, 4, 1, 1))
        assert sync.num_batches_tracked == 1
        # Images without labels do not pass the auxiliary heads.
        for auxiliary in (psp, [psp]):
            branch = build(branch={**tiny_branch(), 'auxiliary_head': auxiliary}).branches[0]
            assert one_image_fails(branch, (3, *SIZE))
            assert not one_image_fails(branch, (3, *SIZE), labeled=False)
