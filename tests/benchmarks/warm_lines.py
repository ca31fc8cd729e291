"""Made-up lines of compare.py on networks that start from one on labels."""

from benchmarks.protocols import identity


def line(method, iters, start, fg, image, seed=0, dataset='neu', branches=(), starts=1):
    """A finished run."""
    test = {'mIoU_fg': fg, 'mIoU_image': image}
    test |= {f'branch_{k}.mIoU_fg': score for k, score in enumerate(branches)}
    test |= {f'branch_{k}.mIoU_image': score for k, score in enumerate(branches)}
    run = identity(
        dict(
            method=method,
            model='unet',
            dataset=dataset,
            percent=1,
            seed=seed,
            iters=iters,
            size=96,
            batch=4,
            start=start,
            starts=starts,
        )
    )
    validations = {str(third * iters // 3): fg for third in (1, 2, 3)}
    ends = dict(best=dict(test=test), last=dict(test=test))
    return dict(run=run, labeled=31, precision='float32', validations=validations, **ends)


def seed(number, plateau, longer, semi, dataset='neu', start=3000, iters=600):
    """Labels only at its plateau and going on, and simEps-plus: foreground IoU, and one more per image."""
    return [
        line('supervised', start, 0, plateau, plateau + 1, number, dataset),
        line('supervised', iters, start, longer, longer + 1, number, dataset),
        line('simeps_plus', iters, start, semi, semi + 1, number, dataset, branches=[semi - 1, semi - 3]),
    ]
