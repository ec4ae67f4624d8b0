"""Every link of the documentation leads somewhere: to a file that there is, to a heading that it has."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])


def tokens(page: Path) -> list[Token]:
    """Inline ones, too."""
    parsed = MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text("utf-8"))
    return [token for block in parsed for token in (block, *(block.children or ()))]


def links(page: Path) -> list[str]:
    """What its links and pictures name, without those that lead out of the repository."""
    named = [token.attrGet("href") or token.attrGet("src") for token in tokens(page) if token.type in {"link_open", "image"}]
    return [str(target) for target in named if not re.match("[a-z]+:", str(target))]


def anchors(page: Path) -> set[str]:
    """The headings, as GitHub names them."""
    found, seen = tokens(page), Counter[str]()
    names = set()
    for heading, inline in pairwise(found):
        if heading.type == "heading_open":
            text = "".join(token.content for token in inline.children or () if token.type in {"text", "code_inline"})
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            names.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    for link in links(page):
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(REPOSITORY), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_reached_from_the_index() -> None:
    index = REPOSITORY / "docs" / "README.md"
    reached, waiting = {index}, [index]
    while waiting:
        page = waiting.pop()
        named = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
        new = {target for target in named if target.suffix == ".md" and target.exists()} - reached
        reached |= new
        waiting += new
    assert set((REPOSITORY / "docs").rglob("*.md")) <= reached
