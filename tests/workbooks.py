"""Workbooks for tests, written without a package: a minimal .xlsx file is a few XML files in a .zip file."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
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
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{content}')
    return path


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
