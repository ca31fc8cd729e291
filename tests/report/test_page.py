import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from simeps_mmseg.report import Code, Finding, Page, Picture, Section, Table, Text, charts, render
from simeps_mmseg.report.environment import parse_environment
from simeps_mmseg.visualization.curves import Curve, Panel


def page_of(*blocks, findings=()) -> str:
    page = Page(
        title='<b>title</b>',
        subtitle='sub',
        facts=[('Iterations', '5')],
        findings=findings,
        checks=['its losses'],
        sections=[Section('A section', blocks)],
    )
    return render(page)


class TestRender:
    def test_text_is_escaped(self):
        html = page_of(Text('a < b & c'), Code('config', "type='<script>'"), Table(['x'], [['<i>']]))
        assert '<b>title</b>' not in html
        for shown in ('&lt;b&gt;title', 'a &lt; b &amp; c', '&lt;script&gt;', '&lt;i&gt;'):
            assert shown in html

    def test_nothing_is_loaded_from_elsewhere(self):
        pixels = np.zeros((4, 6, 3), np.uint8)
        html = page_of(Picture.of(pixels, 'black'))
        assert set(re.findall(r'(?:src|href)="([^#":]*):', html)) == {'data'}

    def test_findings_or_a_word_that_there_are_none(self):
        assert 'Nothing was found. Looked at: its losses.' in page_of(Text('x'))
        html = page_of(Text('x'), findings=[Finding(True, 'it crashed'), Finding(False, 'it was resumed')])
        assert 'Nothing was found' not in html
        assert html.count('class="serious"') == 1
        assert html.index('it crashed') < html.index('it was resumed')

    def test_contents_lead_to_the_sections(self):
        html = page_of(Text('x'))
        assert 'href="#a-section"' in html
        assert 'id="a-section"' in html

    def test_charts_that_follow_each_other_share_a_row(self):
        chart = charts.histogram([1.0], 'h', '%')
        html = page_of(chart, chart, Text('between'), chart)
        assert html.count('class="charts"') == 2
        assert '<script' not in html


class TestPicture:
    def test_holds_the_pixels(self):
        pixels = np.tile(np.array([[[10, 200, 60]]], np.uint8), (40, 60, 1))
        picture = Picture.of(pixels, 'green')
        data = base64.b64decode(picture.source.removeprefix('data:image/webp;base64,'))
        decoded = np.asarray(Image.open(io.BytesIO(data)).convert('RGB'))
        assert decoded.shape == pixels.shape
        assert np.abs(decoded.astype(int) - pixels).max() < 8

    def test_wide_ones_are_made_smaller(self):
        picture = Picture.of(np.zeros((100, 4800, 3), np.uint8), '')
        assert (picture.width, picture.height) == (2400, 50)


SVG = '{http://www.w3.org/2000/svg}'


def drawn(chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.svg)


def words(chart) -> list[str]:
    return [element.text for element in drawn(chart).iter(f'{SVG}text')]


def shapes(chart, color: str) -> list[str]:
    """Outlines of what is drawn in a colour."""
    paths = drawn(chart).iter(f'{SVG}path')
    return [path.get('d') for path in paths if color in path.get('style', '') and 'clip-path' in path.attrib]


class TestCharts:
    def test_long_curves_are_thinned(self):
        curve = Curve('model', np.arange(48000), np.random.default_rng(0).random(48000))
        assert len(charts.panel_chart(Panel('loss', 'losses', '', (curve,))).svg) < 60000

    def test_a_panel_names_its_curves(self):
        steps = np.arange(1, 40)
        curves = tuple(Curve(name, steps, np.linspace(1, 0.1, 39)) for name in ('branch 0', 'branch 1'))
        chart = charts.panel_chart(Panel('loss', 'losses', '', curves, log_scale=True), resumed=[20])
        assert chart.title == 'loss'
        assert {'loss', 'branch 0', 'branch 1', '0.2', '0.5', 'iteration'} <= set(words(chart))  # ticks at 1, 2 and 5
        assert 'stroke-dasharray' in chart.svg  # where it was resumed
        assert 'stroke-dasharray' not in charts.panel_chart(Panel('loss', 'losses', '', curves)).svg

    def test_zero_is_never_on_a_logarithmic_axis(self):
        curve = Curve('model', np.array([1, 2]), np.array([0.0, 5.0]))
        chart = charts.panel_chart(Panel('loss', 'losses', '', (curve,), log_scale=True))
        assert {'0', '5'} <= set(words(chart))

    def test_names_are_no_mathematics_and_no_markup(self):
        chart = charts.class_bars({'prediction': [50.0, 60.0]}, ['$a$', '<script>'], 'IoU')
        assert {'$a$', '<script>', 'IoU'} <= set(words(chart))

    def test_bars_leave_out_what_is_undefined(self):
        bars = [50.0, float('nan'), 100.0]
        chart = charts.class_bars({'prediction': bars, 'branch 0': [1.0, 2.0, 3.0]}, ['a', 'b', 'c'], 'IoU')
        heights = []
        for outline in shapes(chart, '#202020'):
            y = [float(number) for number in re.findall(r'[ML] [\d.]+ ([\d.]+)', outline)]
            heights.append(max(y) - min(y))
        assert heights == pytest.approx([heights[0], 0, 2 * heights[0]], rel=1e-3)
        assert heights[0] > 10
        assert {'prediction', 'branch 0'} <= set(words(chart))

    def test_confusion_is_in_per_cent_of_the_true_class(self):
        chart = charts.confusion_chart(np.array([[3, 1], [0, 2]]), ['a', 'b'], 'confusion')
        assert [word for word in words(chart) if word and '.' in word] == ['75.0', '25.0', '0.0', '100.0']
        many = charts.confusion_chart(np.eye(13), [f'class {k}' for k in range(13)], 'confusion')
        assert '100.0' not in words(many)

    def test_a_histogram_counts_images(self):
        chart = charts.histogram([1.0, 2.0, 97.0, 100.0, 100.0], 'h', 'mIoU (%)')
        assert {'mIoU (%)', 'images', '3'} <= set(words(chart))
        assert '1.5' not in words(chart)

    def test_the_same_chart_gives_the_same_bytes(self):
        first, second = (charts.histogram([1.0], 'h', '%').svg for _ in range(2))
        assert first == second


def test_environment_of_a_log_of_mmengine():
    text = (
        'INFO -\n-----\nSystem environment:\n    sys.platform: linux\n    Python: 3.11.7 (main)\n    PyTorch: 2.13.0+cpu\n'
        '    PyTorch compiling details: PyTorch built with:\n  - GCC 13.3\n\n    MMEngine: 0.10.12\n\n'
        'Runtime environment:\n    seed: 7\n    GPU number: 1\n-----\n'
    )
    found = dict(parse_environment(text))
    assert found == {
        'sys.platform': 'linux',
        'Python': '3.11.7 (main)',
        'PyTorch': '2.13.0+cpu',
        'MMEngine': '0.10.12',
        'seed': '7',
        'GPU number': '1',
    }


@pytest.mark.parametrize('text', ['', 'nothing of this kind'])
def test_environment_of_other_text(text):
    assert parse_environment(text) == []


def test_the_template_lies_in_the_package():
    import simeps_mmseg.report

    assert (Path(simeps_mmseg.report.__file__).parent / 'template.html').is_file()
