# A strong view that is safe where brightness is the defect: mild gain and contrast, blur, noise; grey stays grey.
strong_view = dict(
    type='RandomView',
    transforms=[
        dict(type='ColorJitter', brightness=0.2, contrast=0.2, p=0.8),
        dict(type='GaussianBlur', kernel_size=5, sigma=(0.1, 1.5), p=0.5),
        dict(type='GreyNoise', sigma=(0.0, 0.03), p=0.5),
    ],
)
cut_mix = dict(type='CutMix', prob=0.5)
