"""The demo's three tabs: one sentence, two sentences, a table."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from torch.nn.functional import cosine_similarity
from transformers import Pipeline

from . import pages
from .answer_table import (
    TableError,
    answer_columns,
    answer_rows,
    check_columns,
    likely_text,
    read_given_table,
    write_answer_table,
)
from .attribution import attribute
from .task_answers import answer_text

EXAMPLES = ("The battery died within a day.", "Great soup, and friendly people.", "I fell asleep in the cinema.")
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_MONOSPACED = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
_LONGEST_TEXT = 20_000  # characters; a model reads fewer
_KEPT_SECONDS = 3_600  # how long tables are kept on the server
_BESIDE: dict[str, Any] = {"scale": 0, "min_width": 200, "size": "md"}  # a button as wide as its text
_WAITING = gr.update(interactive=False)  # for a button
_BLUE = {
    f"button_primary_background_fill{which}": colour
    for which, colour in {"": "#0072b2", "_hover": "#005f96", "_dark": "#0072b2", "_hover_dark": "#1a86c4"}.items()
}


@dataclass(frozen=True)
class About:
    """Texts and limits that the demo shows.

    Args:
        title: Title of the page.
        model_id: Id of the model on the Hub, for a link to its card.
        revision: Revision of the model.
        examples: Example sentences to choose from.
        most_rows: Maximum number of rows of a table.
    """

    title: str
    model_id: str | None = None
    revision: str | None = None
    examples: list[str] = field(default_factory=lambda: list(EXAMPLES))
    most_rows: int | None = None


def build_demo(classify: Pipeline, about: About) -> gr.Blocks:
    """Build the demo of a model.

    Args:
        classify: Pipeline of the model, with its tokenizer. Gradients of the model's parameters are switched off.
        about: Texts and limits that the demo shows.
    """
    classify.model.eval().requires_grad_(False)
    with gr.Blocks(title=about.title, analytics_enabled=False, delete_cache=(_KEPT_SECONDS, _KEPT_SECONDS)) as demo:
        names = [task.name for task in classify.model.config.tasks]
        _html(pages.head_page(about.title, names, about.model_id))
        with gr.Tab("One sentence"):
            _one_sentence(classify, about.examples)
        with gr.Tab("Two sentences"):
            _two_sentences(classify)
        with gr.Tab("A table"):
            _table(classify, about.most_rows)
        _html(pages.foot_page(about.model_id, about.revision))
        _programs(classify)
    return demo.queue(default_concurrency_limit=1, max_size=64)


def launch(demo: gr.Blocks, **settings: Any) -> None:
    """Serve the demo without external files and without telemetry.

    Args:
        demo: Demo from `build_demo`.
        settings: Arguments of `gradio.Blocks.launch`.

    Raises:
        OSError: If the port is in use.
    """
    # `run_history` would store the user's texts in the browser.
    quiet = {"share": False, "enable_monitoring": False, "mcp_server": False, "run_history": False}
    demo.launch(
        theme=_theme(),
        css_paths=Path(__file__).with_name("style.css"),
        footer_links=["api", "gradio"],
        ssr_mode=False,
        max_file_size="20mb",
        **quiet,
        **settings,
    )


def _theme() -> gr.themes.Base:
    """Return the theme, with fonts that are installed on the reader's machine."""
    return gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=_FONTS, font_mono=_MONOSPACED).set(**_BLUE)


def _one_sentence(classify: Pipeline, examples: list[str]) -> None:
    def show_answers(text: str) -> Iterator[str]:
        if not text.strip():
            yield pages.hint_page("Type a sentence first.")
            return
        answers = answer_text(classify, _limited(text)).tasks
        yield pages.answers_page(answers, text, None)
        words = attribute(classify.model, classify.tokenizer, text, pages.to_explain(answers))
        yield pages.answers_page(answers, text, words)

    text = _textbox("Sentence")
    button = _button("Answer")
    answered = _html(elem_id="answers", render=False)
    chosen = {"run_on_click": True, "cache_examples": False, "api_visibility": "private"}
    gr.Examples([[each] for each in examples], text, answered, show_answers, **chosen)
    answered.render()
    gr.on([button.click, text.submit], show_answers, text, answered, show_progress="minimal", api_visibility="private")


def _two_sentences(classify: Pipeline) -> None:
    def show_likeness(text: str, other: str) -> str:
        if not (text.strip() and other.strip()):
            return pages.hint_page("Type two sentences first.")
        one, two = (answer_text(classify, _limited(each)) for each in (text, other))
        cosine = cosine_similarity(one.embedding, two.embedding, dim=0).item()
        return pages.comparison_page(one.tasks, two.tasks, cosine)

    with gr.Row(equal_height=True):
        texts = [_textbox("First sentence"), _textbox("Second sentence")]
    button = _button("Compare")
    compared = _html(elem_id="compared")
    events = [button.click, *(text.submit for text in texts)]
    gr.on(events, show_likeness, texts, compared, show_progress="minimal", api_visibility="private")


def _table(classify: Pipeline, most_rows: int | None) -> None:
    limit = f"The limit is {most_rows:,} rows. " if most_rows else ""
    hint = f"Upload a UTF-8 CSV file. Its first line must contain the column names. {limit}All columns are kept."
    _html(pages.hint_page(hint))
    file = gr.File(label="CSV file", file_types=[".csv"], height=140, elem_id="file")
    with gr.Row(equal_height=True):
        column = gr.Dropdown([], label="Text column", visible=False, elem_id="column")
    with gr.Row():
        button = _button("Answer every row", interactive=False)
        download = gr.DownloadButton("Download answers", visible=False, elem_id="download", **_BESIDE)
    progress = _html(elem_id="progress")
    shown = _html(elem_id="table")
    private = {"show_progress": "hidden", "api_visibility": "private"}
    show, fill = partial(_show_table, classify, most_rows), partial(_fill_table, classify, most_rows)
    file.change(show, file, [column, button, download, progress, shown], **private)
    button.click(fill, [file, column], [button, progress, shown, download], **private)


def _show_table(classify: Pipeline, most_rows: int | None, path: str | None) -> tuple[Any, ...]:
    """Return the updates for a new file: text column, button, download, progress and preview."""
    nothing = gr.update(choices=[], value=None, visible=False), _WAITING, gr.update(visible=False)
    if path is None:
        return *nothing, "", ""
    try:
        table = read_given_table(Path(path), most_rows)
        check_columns(table, classify.model.config.tasks)
    except TableError as error:
        return *nothing, "", pages.problem_page(str(error))
    chosen = gr.update(choices=table.columns, value=likely_text(table), visible=True)
    shown = pages.table_page(table.columns, table.rows, len(table.rows))
    return chosen, gr.update(interactive=True), gr.update(visible=False), "", shown


def _fill_table(classify: Pipeline, most_rows: int | None, path: str, column: str) -> Iterator[tuple[Any, ...]]:
    """Yield the progress and the answered rows, and finally the file."""
    table = read_given_table(Path(path), most_rows)
    total, place = len(table.rows), table.columns.index(column)
    answers = answer_columns(classify.model.config.tasks)
    table.columns += answers
    done = 0
    for batch in answer_rows(classify, [row[place] for row in table.rows]):
        for cells in batch:
            table.rows[done] += cells
            done += 1
        shown = pages.table_page(table.columns, table.rows, total, len(answers))
        yield _WAITING, pages.progress_page(done, total), shown, gr.update()
    with tempfile.TemporaryDirectory() as folder:  # gradio copies the file
        written = Path(folder) / "answers.csv"
        write_answer_table(table, written)
        ready = gr.update(value=written, visible=True)
        yield gr.update(interactive=True), pages.progress_page(done, total), shown, ready


def _programs(classify: Pipeline) -> None:
    """Add the API endpoints."""

    def answer(text: str) -> dict:
        """Return the answer to every task for a text, in the format of the pipeline."""
        return answer_text(classify, _limited(text)).plain

    def similarity(text: str, other: str) -> float:
        """Return the cosine similarity of the embeddings of two texts, from -1 to 1."""
        one, two = (answer_text(classify, _limited(each)).embedding for each in (text, other))
        return cosine_similarity(one, two, dim=0).item()

    gr.api(answer, api_name="answer")
    gr.api(similarity, api_name="similarity")


def _limited(text: str) -> str:
    """Return the text if the demo answers it. Only the API can send something else than a text, or a longer one."""
    if not isinstance(text, str):
        raise gr.Error(f"{text!r:.80} is not a text; send a string.")
    if len(text) > _LONGEST_TEXT:
        raise gr.Error(f"The text has {len(text):,} characters; this demo answers at most {_LONGEST_TEXT:,}.")
    return text


def _textbox(label: str) -> gr.Textbox:
    return gr.Textbox(label=label, lines=2, max_lines=8, max_length=_LONGEST_TEXT, min_width=280)


def _button(label: str, *, interactive: bool = True) -> gr.Button:
    return gr.Button(label, variant="primary", interactive=interactive, **_BESIDE)


def _html(value: str = "", **settings: Any) -> gr.HTML:
    """Return an HTML block with escaped HTML from `pages`. Only `style.css` applies to it."""
    return gr.HTML(value, apply_default_css=False, **settings)
