"""One card of two: what was generated is replaced, what people wrote or changed stays.

A line such as `<!-- generated: results 3fa9c1b2 -->` stands before each section that was generated, with a digest of
its text: a section whose text has another digest was edited since. A section ends where the next one, or a heading of
the first or second level, begins. The first line of the text has such digests of the metadata, by key.
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
        name: What it was generated as; `None` of what somebody wrote.
        digest: Of the text that was generated.
        text: Without the line that says so, nor blank lines around it.
    """

    name: str | None
    digest: str | None
    text: str

    @property
    def edited(self) -> bool:
        """Whether somebody has written it, or changed it since it was generated."""
        return self.name is None or self.digest != _digest(self.text)

    @property
    def heading(self) -> str:
        """Its first line."""
        return self.text.split("\n", maxsplit=1)[0].strip()

    def __str__(self) -> str:
        return self.text if self.name is None else f"<!-- generated: {self.name} {self.digest} -->\n{self.text}"


@dataclass(frozen=True)
class _Card:
    """A card in its parts.

    Args:
        metadata: By key.
        record: The digests of what was generated of it; `None` if the card was never generated.
        sections: In order.
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
    """A card with the digests by which a later push finds what was edited.

    Args:
        card: Generated, with a line such as `<!-- generated: results -->` before each section.
    """
    parsed = _parse(card)
    sections = [_Section(each.name, each.name and _digest(each.text), each.text) for each in parsed.sections]
    return str(_Card(parsed.metadata, _digests(parsed.metadata), sections))


def is_signed(card: str) -> bool:
    """Whether a card was generated, however much of it was edited since."""
    return _parse(card).record is not None


def merge_cards(existing: str, new: str, keep: Collection[str] = ()) -> str:
    """A generated card with everything that people have written into the one that is there.

    A section that was edited stays as it is, and one that was added where it is (but a block of code in it that lacks
    its end gets one); a generated one that was taken out comes back, unless its heading is left. A key of the metadata
    that was changed, added or taken out stays so; results that somebody added to ours stay beside them. A card that was
    never generated keeps its text whole, and gets what its metadata lacks. Merging once more changes nothing.

    Args:
        existing: The card that is there; one that has no text counts for its metadata alone.
        new: What `make_card` gives.
        keep: The names of generated sections of which the new card knows nothing: they stay as they are there, and so
            does what was generated of the metadata and is not in the new ones.

    Raises:
        ValueError: If the metadata of the existing card cannot be read.
    """
    theirs, ours = _parse(existing), _parse(new)
    if keep:
        ours = _with_kept(theirs, ours, keep)
    metadata, record = _merged_metadata(theirs, ours)
    if theirs.record is None and not any(each.name for each in theirs.sections) and theirs.sections:
        return str(_Card(metadata, None, theirs.sections))
    return str(_Card(metadata, record, _merged_sections(theirs.sections, ours.sections)))


def _with_kept(theirs: _Card, ours: _Card, keep: Collection[str]) -> _Card:
    """Our card with what theirs has of the sections to keep, and of metadata that we have none of."""
    known = {each.name: each for each in theirs.sections if each.name in keep}
    metadata = {name: value for name, value in theirs.metadata.items() if name in (theirs.record or {})}
    sections = [known.get(each.name, each) for each in ours.sections]
    return replace(ours, metadata=metadata | ours.metadata, sections=sections)


def lower_headings(text: str) -> str:
    """Markdown whose headings of the first two levels are of the third, so that it stays within one section."""
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
        metadata = YAML(typ="safe", pure=True).load(block)  # YAML 1.2, as the Hub reads it: `no` is a language
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"the metadata of the card that is there is no YAML ({reason}); mend its README.md") from error
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        kind = type(metadata).__name__
        raise ValueError(f"the metadata of the card that is there has no keys, but is a {kind}; mend its README.md")
    return metadata


def _sections(lines: list[str]) -> Iterator[_Section]:
    starts, headings = [], set(_headings(lines))
    blank = True  # whether nothing but a marker stands in the present section
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
    """Where headings of the first two levels stand; a `#` in a block of code is none."""
    return (i for i, fence in enumerate(_fences(lines)) if not fence and _HEADING.match(lines[i]))


def _fences(lines: list[str]) -> Iterator[str]:
    """For each line what the block of code began with that is still open behind it; nothing where none is."""
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
    names: list[str | None] = []  # what each is in our card
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
    """The section with the end of a block of code that somebody forgot, which would swallow what follows."""
    *_, fence = _fences(section.text.split("\n"))
    return replace(section, text=f"{section.text}\n{fence}") if fence else section


def _place(names: list[str | None], before: list[str | None]) -> int:
    """Behind the nearest of the sections that stand before it in our card."""
    return next((names.index(each) + 1 for each in reversed(before) if each in names), 0)


def _begins_itself(section: _Section) -> bool:
    """Whether it would be found as a section of its own behind another."""
    return section.name is not None or next(_headings(section.text.split("\n")), None) == 0


def _merged_metadata(theirs: _Card, ours: _Card) -> tuple[dict[str, Any], dict[str, str]]:
    """The metadata, and the digests of what we have generated of it."""
    record, fresh = theirs.record or {}, _digests(ours.metadata)
    metadata, kept = {}, {}
    for name in dict.fromkeys([*theirs.metadata, *ours.metadata]):
        there = name in theirs.metadata
        digest = _digest_of(theirs.metadata.get(name)) if there else None
        if digest == record.get(name) or digest == fresh.get(name):  # as we left it, or as we would have it
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
    """Our results, and those of theirs that are of another task, data set or split."""
    known = {_measured(each) for each in ours[0]["results"]}
    models = [each for each in theirs if isinstance(each, dict)] if isinstance(theirs, list) else []
    results = [each for model in models for each in model.get("results") or [] if isinstance(each, dict)]
    return [{**ours[0], "results": [*ours[0]["results"], *(each for each in results if _measured(each) not in known)]}]


def _measured(result: dict[str, Any]) -> str:
    """What a result is of."""
    return _digest_of([result.get("task"), result.get("dataset")])


def _digests(metadata: dict[str, Any]) -> dict[str, str]:
    return {name: _digest_of(value) for name, value in metadata.items()}


def _digest_of(value: Any) -> str:
    return _digest(json.dumps(value, sort_keys=True, default=str))


def _digest(text: str) -> str:
    """Eight hexadecimal digits of the text, whatever stands at the ends of its lines."""
    lines = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    return hashlib.sha256(lines.encode("utf-8", errors="replace")).hexdigest()[:8]
