"""Merge of two cards: generated sections are replaced, edited sections are kept.

A line such as `<!-- generated: results 3fa9c1b2 -->` marks each generated section with a digest of its text. If the
digest of the text is different, the section was edited. A section ends at the next marked section or at the next
heading of level one or two. The first line of the text contains the digests of the metadata, by key.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.utils import yaml_dump
from ruamel.yaml import YAML, YAMLError

_RECORD = re.compile(r"<!-- generated: metadata((?: [\w.-]+=[0-9a-f]{8})*) -->")
_MARKER = re.compile(r"<!-- generated: (\w+)(?: ([0-9a-f]{8}))? -->")
_HEADING = re.compile(r" {0,3}#{1,2}(?:[ \t]|$)")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_RESULTS = "model-index"
_LINE_END = re.compile("\r\n?|\n")


@dataclass(frozen=True)
class _Section:
    """A part of a card's text.

    Args:
        name: Name of a generated section. `None` for a section that a person wrote.
        digest: Digest of the generated text.
        text: Text without its marker line and without blank lines around it.
    """

    name: str | None
    digest: str | None
    text: str

    @property
    def edited(self) -> bool:
        """Return whether a person wrote or changed the section."""
        return self.name is None or self.digest != _digest(self.text)

    @property
    def heading(self) -> str:
        """Return the first line."""
        return self.text.split("\n", maxsplit=1)[0].strip()

    def __str__(self) -> str:
        return self.text if self.name is None else f"<!-- generated: {self.name} {self.digest} -->\n{self.text}"


@dataclass(frozen=True)
class _Card:
    """A card in its parts.

    Args:
        metadata: Metadata by key.
        record: Digests of the generated metadata. `None` if the card was never generated.
        sections: Sections in order.
    """

    metadata: dict[str, Any]
    record: dict[str, str] | None
    sections: list[_Section]

    def __str__(self) -> str:
        parts = [str(each) for each in self.sections]
        if self.record is not None:
            pairs = "".join(f" {name}={digest}" for name, digest in self.record.items())
            parts.insert(0, f"<!-- generated: metadata{pairs} -->")
        return f"---\n{yaml_dump(self.metadata, sort_keys=False).strip()}\n---\n\n" + "\n\n".join(parts) + "\n"


def signed(card: str) -> str:
    """Return a card with digests, which let a later push detect edits.

    Args:
        card: Generated card with a line such as `<!-- generated: results -->` before each section.
    """
    parsed = _parse(card)
    sections = [_Section(each.name, each.name and _digest(each.text), each.text) for each in parsed.sections]
    return str(_Card(parsed.metadata, _digests(parsed.metadata), sections))


def is_signed(card: str) -> bool:
    """Return whether a card was generated, even if it was edited later."""
    return _parse(card).record is not None


def merge_cards(existing: str, new: str, keep: Collection[str] = ()) -> str:
    """Return the new card with all edits of the existing card.

    Edited sections are kept, and added sections keep their place. An open code block in such a section is closed. A
    removed generated section is added again, unless its heading is still there. Metadata keys that were changed, added
    or removed stay so, and added results are kept next to the generated results. A card that was never generated keeps
    its text, and only missing metadata is added. A second merge changes nothing.

    Args:
        existing: The card on the Hub. If it has no text, only its metadata is used.
        new: The new card from `make_card`.
        keep: Names of generated sections that the new card cannot fill. These sections and generated metadata that the
            new card lacks are kept.

    Raises:
        ValueError: If the metadata of the existing card is not valid.
    """
    theirs, ours = _parse(existing), _parse(new)
    if keep:
        ours = _with_kept(theirs, ours, keep)
    metadata, record = _merged_metadata(theirs, ours)
    if theirs.record is None and not any(each.name for each in theirs.sections) and theirs.sections:
        return str(_Card(metadata, None, theirs.sections))
    return str(_Card(metadata, record, _merged_sections(theirs.sections, ours.sections)))


def _with_kept(theirs: _Card, ours: _Card, keep: Collection[str]) -> _Card:
    """Return our card with the sections to keep, and with the generated metadata that it lacks."""
    known = {each.name: each for each in theirs.sections if each.name in keep}
    metadata = {name: value for name, value in theirs.metadata.items() if name in (theirs.record or {})}
    sections = [known.get(each.name, each) for each in ours.sections]
    return replace(ours, metadata=metadata | ours.metadata, sections=sections)


def lower_headings(text: str) -> str:
    """Return Markdown with headings of level one and two lowered to level three, to keep it in one section."""
    lines = _LINE_END.split(text)
    for i in list(_headings(lines)):
        lines[i] = f"### {lines[i].lstrip(' #')}"
    return "\n".join(lines)


def _parse(card: str) -> _Card:
    card = "\n".join(_LINE_END.split(card.removeprefix("\ufeff")))
    block = REGEX_YAML_BLOCK.search(card)
    metadata = _read_metadata(block[2]) if block else {}
    lines = (card[block.end() :] if block else card).split("\n")
    records = [found for line in lines if (found := _RECORD.fullmatch(line.strip()))]
    lines = [line for line in lines if not _RECORD.fullmatch(line.strip())]
    record = dict(pair.split("=") for pair in records[0][1].split()) if records else None
    return _Card(metadata, record, list(_sections(lines)))


def _read_metadata(block: str) -> dict[str, Any]:
    try:
        metadata = YAML(typ="safe", pure=True).load(block)  # YAML 1.2, like the Hub: `no` is a language
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the metadata of the existing card is not valid YAML ({reason}); fix its README.md"
        ) from error
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        kind = type(metadata).__name__
        raise ValueError(f"the metadata of the existing card must be a mapping, not {kind}; fix its README.md")
    return metadata


def _sections(lines: list[str]) -> Iterator[_Section]:
    starts, headings = [], set(_headings(lines))
    blank = True  # whether the present section contains only a marker
    for i, line in enumerate(lines):
        if _MARKER.fullmatch(line.strip()) or (i in headings and not blank):
            starts.append(i)
            blank = i not in headings
        elif line.strip():
            blank = False
    for start, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        marker = _MARKER.fullmatch(lines[start].strip()) if start < end else None
        text = "\n".join(lines[start + 1 if marker else start : end]).strip("\n")
        if text.strip():
            yield _Section(marker[1] if marker else None, marker[2] if marker else None, text)


def _headings(lines: list[str]) -> Iterator[int]:
    """Yield the line numbers of headings of level one and two. A `#` in a code block is not a heading."""
    return (i for i, fence in enumerate(_fences(lines)) if not fence and _HEADING.match(lines[i]))


def _fences(lines: list[str]) -> Iterator[str]:
    """Yield, for each line, the fence of the code block that is open after it, or an empty string."""
    fence = ""
    for line in lines:
        if _MARKER.fullmatch(line.strip()):
            fence = ""
        elif not fence:
            opened = _FENCE.match(line)
            fence = opened[1] if opened else ""
        elif line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        yield fence


def _merged_sections(theirs: list[_Section], ours: list[_Section]) -> list[_Section]:
    by_name = {each.name: each for each in ours}
    by_heading = {each.heading: each.name for each in ours}
    merged: list[_Section] = []
    names: list[str | None] = []  # the name of each section in our card
    for section in theirs:
        name = section.name or by_heading.get(section.heading)
        if section.edited and section.text != getattr(by_name.get(name), "text", None):
            merged.append(_closed(section))
            names.append(name)
        elif name in by_name and name not in names:
            merged.append(by_name[name])
            names.append(name)
    for i, section in enumerate(ours):
        if section.name not in names:
            place = _place(names, [each.name for each in ours[:i]])
            place += place == 0 and bool(merged) and not _begins_itself(merged[0])
            merged.insert(place, section)
            names.insert(place, section.name)
    return merged


def _closed(section: _Section) -> _Section:
    """Return the section with an open code block closed, because it would swallow the following text."""
    *_, fence = _fences(section.text.split("\n"))
    return replace(section, text=f"{section.text}\n{fence}") if fence else section


def _place(names: list[str | None], before: list[str | None]) -> int:
    """Return the place after the nearest section that precedes it in our card."""
    return next((names.index(each) + 1 for each in reversed(before) if each in names), 0)


def _begins_itself(section: _Section) -> bool:
    """Return whether the section would be parsed as a separate section after another one."""
    return section.name is not None or next(_headings(section.text.split("\n")), None) == 0


def _merged_metadata(theirs: _Card, ours: _Card) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the metadata, and the digests of its generated part."""
    record, fresh = theirs.record or {}, _digests(ours.metadata)
    metadata, kept = {}, {}
    for name in dict.fromkeys([*theirs.metadata, *ours.metadata]):
        there = name in theirs.metadata
        digest = _digest_of(theirs.metadata.get(name)) if there else None
        if digest == record.get(name) or digest == fresh.get(name):  # unchanged, or equal to the new value
            if name in ours.metadata:
                metadata[name], kept[name] = ours.metadata[name], fresh[name]
            continue
        if name in record:
            kept[name] = record[name]
        if there:
            metadata[name] = theirs.metadata[name]
            if name == _RESULTS and name in ours.metadata:
                metadata[name] = _merged_results(theirs.metadata[name], ours.metadata[name])
    return metadata, kept


def _merged_results(theirs: Any, ours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return our results, and their results for other tasks, data sets or splits."""
    known = {_measured(each) for each in ours[0]["results"]}
    models = [each for each in theirs if isinstance(each, dict)] if isinstance(theirs, list) else []
    results = [each for model in models for each in model.get("results") or [] if isinstance(each, dict)]
    return [{**ours[0], "results": [*ours[0]["results"], *(each for each in results if _measured(each) not in known)]}]


def _measured(result: dict[str, Any]) -> str:
    """Return a digest of the task and data set of a result."""
    return _digest_of([result.get("task"), result.get("dataset")])


def _digests(metadata: dict[str, Any]) -> dict[str, str]:
    return {name: _digest_of(value) for name, value in metadata.items()}


def _digest_of(value: Any) -> str:
    return _digest(json.dumps(value, sort_keys=True, default=str))


def _digest(text: str) -> str:
    """Return a digest of the text with eight hexadecimal digits. White space at line ends is ignored."""
    lines = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    return hashlib.sha256(lines.encode("utf-8", errors="replace")).hexdigest()[:8]
