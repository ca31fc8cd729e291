"""Tables that scripts write into pages, between two comments."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.results import RESULTS, lines_of

END = '<!-- end -->\n'
DOCS = Path(__file__).resolve().parents[1] / 'docs'


class ResultsTable(NamedTuple):
    """The table of one script in a page, made of the lines that the script has written.

    Attributes:
        script: Its file name without ``.py``; names the file of the lines and the place in the page, too.
        page: File name of the page.
        markdown: The table of the lines, of which there are some.
    """

    script: str
    page: str
    markdown: Callable[[Sequence[dict]], str]

    @property
    def path(self) -> Path:
        return DOCS / self.page

    @property
    def begin(self) -> str:
        """The first of the two comments."""
        return f'<!-- benchmarks/{self.script}.py -->\n'

    @property
    def results(self) -> Path:
        """The lines that the page is of."""
        return RESULTS / f'{self.script}.jsonl'

    def parse(self, parser: ArgumentParser) -> Namespace:
        """The arguments of the script, with ``results``, the file of the lines; ends it where these are only to be shown.

        Raises:
            SystemExit: With 0 after ``--update``, which writes the table into the page.
        """
        parser.add_argument('--results', type=Path, default=self.results, help='file that lines are added to')
        parser.add_argument('--update', action='store_true', help=f'measure nothing, write the table of {self.page}')
        args = parser.parse_args()
        if args.update:
            self.update(args.results)
            parser.exit()
        return args

    def of(self, results: Path) -> str:
        """The table of the lines in a file, or that there are none."""
        lines = lines_of(results)
        return self.markdown(lines) if lines else 'Not measured yet on this code.\n'

    def update(self, results: Path) -> None:
        """Write the table of the lines in a file into the page."""
        update(self.path, self.of(results), self.begin)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, without a last newline."""
    table = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(row)} |' for row in table)


def replaced(text: str, table: str, begin: str) -> str:
    """A text with the table between its markers, of which ``begin`` is the first and a line of its own."""
    before, rest = text.split(begin)
    return before + begin + table + END + rest.split(END, 1)[1]


def update(page: Path, table: str, begin: str) -> None:
    """Write the table into the page."""
    page.write_text(replaced(page.read_text(), table, begin))
