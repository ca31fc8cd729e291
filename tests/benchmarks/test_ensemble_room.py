"""What several networks know together that one does not."""

import torch
from mmseg.registry import MODELS

from benchmarks.ensemble_room import TABLE, predictions
from tests.helpers import make_samples, tiny_branch

SIZE = (16, 24)


def network(seed):
    torch.manual_seed(seed)
    branch = MODELS.build(tiny_branch())
    for parameter in branch.parameters():
        parameter.data *= 3  # surer, so that means of logits and of probabilities differ
    return branch.eval()


def batch_of(count):
    torch.manual_seed(9)
    inputs = list(torch.randint(0, 256, (count, 3, *SIZE), dtype=torch.uint8))
    return dict(inputs=inputs, data_samples=make_samples(count, labeled=True, size=SIZE))


def logits_of(network, inputs):
    return network.encode_decode(inputs, [dict(img_shape=SIZE, ori_shape=SIZE, pad_shape=SIZE)] * len(inputs))


@torch.no_grad()
def test_means_are_those_of_the_networks():
    networks, batch = [network(0), network(1)], batch_of(2)
    inputs = networks[0].data_preprocessor(dict(batch), False)['inputs']
    logits = torch.stack([logits_of(one, inputs) for one in networks])
    flips = ((), (-1,), (-2,), (-1, -2))
    flipped = torch.stack([torch.stack([logits_of(one, inputs.flip(f)).flip(f) for f in flips]) for one in networks])
    over_flips = flipped.softmax(3).mean(1)
    for i, found in enumerate(predictions(networks, batch)):
        assert torch.equal(found['one', 1][0], logits[1, i].argmax(0))
        assert torch.equal(found['one_flips', 1][0], over_flips[1, i].argmax(0))
        assert torch.equal(found['together_flips',][0], over_flips.mean(0)[i].argmax(0))
        assert torch.equal(found['together',][0], logits[:, i].softmax(1).mean(0).argmax(0))
        assert torch.equal(found['together_logits',][0], logits[:, i].mean(0).argmax(0))


@torch.no_grad()
def test_a_flipped_image_has_the_flipped_map_over_flips():
    networks, batch = [network(0), network(1)], batch_of(1)
    (found,) = predictions(networks, batch)
    (of_flipped,) = predictions(networks, dict(batch, inputs=[image.flip(-2) for image in batch['inputs']]))
    for key in (('one_flips', 0), ('together_flips',)):
        assert torch.equal(of_flipped[key], found[key].flip(-2))
    assert not torch.equal(of_flipped['one', 0], found['one', 0].flip(-2))


def test_a_row_says_what_all_have_more_than_one():
    run = dict(dataset='neu', model='unet', percent=5, iters=4500)
    line = dict(run=run, images='unlabeled', count=250, one=[60.0, 62.0], one_flips=[63.0, 63.0])
    line |= dict(together=63.5, together_flips=64.0, together_logits=62.5)
    row = TABLE.markdown([line]).splitlines()[-1]
    assert row == '| NEU-Seg, steel, 5 % | 4,500 | 250 unlabelled | 61.0 | 63.0 | 63.5 | 64.0 | +2.5 | 62.5 |'
