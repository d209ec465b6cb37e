"""Workbooks for tests, written without a package: a minimal .xlsx or .ods file is a few XML files in a .zip file."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


class Typed(NamedTuple):
    """A cell with the type of the format, such as `b` for a truth value and `e` for an error."""

    kind: str
    value: str


Cell = str | int | float | None | Typed


def write_workbook(path: Path, **sheets: Sequence[Sequence[Cell]]) -> Path:
    """Write a workbook with the rows of each sheet."""
    names = list(sheets)
    numbers = range(1, len(names) + 1)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = [f'<Override PartName="/xl/worksheets/{i}.xml" ContentType="{kind}.worksheet+xml"/>' for i in numbers]
    main = f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
    xml = '<Default Extension="xml" ContentType="application/xml"/>'
    rels = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    listed = "".join(f'<sheet name="{escape(names[i - 1])}" sheetId="{i}" r:id="r{i}"/>' for i in numbers)
    related = "".join(_relation(f"r{i}", "worksheet", f"worksheets/{i}.xml") for i in numbers)
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{rels}{xml}{main}{"".join(parts)}</Types>',
        "_rels/.rels": _relations(_relation("r1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(related),
        **{f"xl/worksheets/{i}.xml": _sheet(sheets[names[i - 1]]) for i in numbers},
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, f"{_HEAD}{content}")
    return path


def write_open_document(path: Path, rows: Sequence[Sequence[str | None]]) -> Path:
    """Write an OpenDocument workbook of one sheet, whose cells are texts."""
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    names = "".join(f' xmlns:{name}="{_OFFICE}:{name}:1.0"' for name in ("office", "table", "text", "manifest"))
    listed = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
    lines = "".join(f"<table:table-row>{''.join(map(_text_cell, row))}</table:table-row>" for row in rows)
    table = f'<table:table table:name="Rows">{lines}</table:table>'
    body = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("META-INF/manifest.xml", f"{_HEAD}<manifest:manifest{names}>{listed}</manifest:manifest>")
        archive.writestr("content.xml", f"{_HEAD}<office:document-content{names}>{body}</office:document-content>")
    return path


def _text_cell(cell: str | None) -> str:
    if cell is None:
        return "<table:table-cell/>"
    spaced = re.sub(" +", lambda spaces: f'<text:s text:c="{len(spaces[0])}"/>', escape(cell))
    lines = "".join(f"<text:p>{line}</text:p>" for line in spaced.replace("\t", "<text:tab/>").split("\n"))
    return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>'


def _relation(name: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{name}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'


def _relations(content: str) -> str:
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{content}</Relationships>'


def _sheet(rows: Sequence[Sequence[Cell]]) -> str:
    content = "".join(
        f'<row r="{i}">{"".join(_cell(cell, f"{chr(65 + j)}{i}") for j, cell in enumerate(row))}</row>'
        for i, row in enumerate(rows, start=1)
    )
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{content}</sheetData></worksheet>'


def _cell(cell: Cell, place: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Typed):
        return f'<c r="{place}" t="{cell.kind}"><v>{cell.value}</v></c>'
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    return f'<c r="{place}"><v>{cell}</v></c>'
