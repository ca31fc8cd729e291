"""Values and gradients of the authors' released code."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from simeps_mmseg.engine.ramp import RampSchedule
from simeps_mmseg.evaluation import image_scores
from simeps_mmseg.models.losses import (
    CrossPseudoLoss,
    SimilarityConsistencyLoss,
    SoftDiceLoss,
    cross_pseudo_loss,
    ensemble_pseudo_labels,
    similarity_consistency,
    similarity_map,
    soft_dice_loss,
)

BRANCHES = range(3)


def tensors(reference, name, grad=True):
    return [torch.from_numpy(reference[f'{name}_{k}']).requires_grad_(grad) for k in BRANCHES]


def close(actual, expected):
    actual = actual.detach().numpy() if isinstance(actual, torch.Tensor) else actual
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def test_similarity_map(reference):
    close(similarity_map(torch.from_numpy(reference['encoder_features_0'])), reference['similarity_map_0'])


def test_similarity_consistency(reference):
    features = tensors(reference, 'encoder_features')
    close(similarity_consistency(features, reduction='none'), reference['sim_pairs'])
    total = similarity_consistency(features, reduction='sum')
    close(total, reference['sim_total'])
    total.backward()
    for k in BRANCHES:
        close(features[k].grad, reference[f'sim_grad_{k}'])


def test_soft_dice(reference):
    logits = tensors(reference, 'labeled_logits')[0]
    value = soft_dice_loss(logits, torch.from_numpy(reference['labels']))
    close(value, reference['dice'])
    value.backward()
    close(logits.grad, reference['dice_grad'])


@pytest.mark.parametrize('ensemble', ['max', 'mean'])
def test_pseudo_labels(reference, ensemble):
    labels = ensemble_pseudo_labels(tensors(reference, 'unlabeled_logits'), ensemble)
    for k in BRANCHES:
        np.testing.assert_array_equal(labels[k].numpy(), reference[f'pseudo_{ensemble}_{k}'])


def test_cross_pseudo(reference):
    for part in ('labeled', 'unlabeled'):
        logits = tensors(reference, f'{part}_logits')
        labels = ensemble_pseudo_labels(logits)
        each = [cross_pseudo_loss([logits[k]], [labels[k]]) for k in BRANCHES]
        close(torch.stack(each), reference[f'cps_{part}'])
        close(cross_pseudo_loss(logits, labels), reference[f'cps_{part}'].sum())
        close(torch.stack(CrossPseudoLoss(loss_weight=2.0)(logits, labels)), 2 * reference[f'cps_{part}'])


def test_ramp(reference):
    schedule = RampSchedule(rampup_iters=30000, rampup_interval=150, from_zero=False)
    weights = [0.1 * schedule.rampup(int(iteration), 48000) for iteration in reference['ramp_iterations']]
    close(np.array(weights), reference['ramp_weights'])


def test_total_and_its_gradients(reference):
    """The whole objective, from the modules as the segmentor uses them."""
    labels = torch.from_numpy(reference['labels'])
    labeled, unlabeled = tensors(reference, 'labeled_logits'), tensors(reference, 'unlabeled_logits')
    dice, cross_pseudo = SoftDiceLoss(loss_weight=0.5), CrossPseudoLoss(loss_weight=0.1)
    similarity = SimilarityConsistencyLoss(loss_weight=50.0)
    sup = torch.stack([0.5 * F.cross_entropy(logits, labels) + dice(logits, labels) for logits in labeled])
    close(sup, reference['sup'])
    sim = sum(similarity(dict(logits=part))['logits'] for part in (labeled, unlabeled))
    close(sim / 50, reference['sim_logits'])
    ramp = RampSchedule(rampup_iters=30000, rampup_interval=150, from_zero=False).rampup(
        int(reference['iteration']), 48000
    )
    close(0.1 * ramp, reference['consistency_weight'])
    cps = sum(sum(cross_pseudo(part, cross_pseudo.pseudo_labels(part))) for part in (labeled, unlabeled))
    total = sup.sum() + ramp * cps + sim
    close(total, reference['total'])
    total.backward()
    for k in BRANCHES:
        close(labeled[k].grad, reference[f'total_grad_labeled_{k}'])
        close(unlabeled[k].grad, reference[f'total_grad_unlabeled_{k}'])


def test_image_scores(reference):
    predictions = reference['metric_logits'].argmax(axis=1)
    scores = [image_scores(p, t, num_classes=4) for p, t in zip(predictions, reference['metric_labels'])]
    for name, values in zip(('miou', 'mdice', 'acc'), np.array(scores).T):
        close(values, reference[f'metric_{name}'])
