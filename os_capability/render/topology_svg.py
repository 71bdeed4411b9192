# SPDX-License-Identifier: Apache-2.0
"""A machine drawn as SVG: one self-contained image, light or dark as the reader's system is.

It has neither ids nor scripts nor fonts of its own, its style rules begin with its class, and it is ASCII, so that a
page in any encoding can hold several drawings in its own text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from os_capability.model import Host
from os_capability.render.drawing import Bar, Box, Core, Drawing, Mark, Thread
from os_capability.render.layout import layout
from os_capability.render.placement import Line, Metrics, Placed, box_width, clip, heading, place
from os_capability.render.terminal import wrap
from os_capability.wording import cpus_text

__all__ = ["render_svg"]

_NAME = "os-capability-topology"
_MARGIN = 8
_NARROWEST = 480
_TITLE_SIZE, _TEXT_SIZE = 13, 12
_FONTS = "system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_LINE = 18
# How much wider bold letters are.
_BOLD = 1.18
_NARROWEST_BAR, _WIDEST_BAR, _BAR_THICKNESS = 180, 320, 6
_SAMPLE = 44

# Fill and edge of what is drawn, in light and in dark. Every text stands on one of these fills.
COLOURS: Mapping[str, tuple[str, str, str, str]] = {
    "machine": ("#f6f8fa", "#afb8c1", "#0d1117", "#484f58"),
    "node": ("#e3eefc", "#5b8fd0", "#12243d", "#3d6cab"),
    "part": ("#ffffff", "#afb8c1", "#1a212a", "#4b5563"),
    "cache": ("#fbf4e2", "#c4a65a", "#282213", "#77652f"),
    "core": ("#ffffff", "#8b97a5", "#0d1117", "#5d6976"),
    "thread": ("#d4e3f7", "none", "#234268", "none"),
    "efficiency": ("#d3efdc", "none", "#1c472d", "none"),
    "isolated": ("#ffe9a8", "#9a6b00", "#574100", "#d9a400"),
    "offline": ("#ffffff", "#57606a", "#0d1117", "#9aa5b1"),
}
BAR_COLOURS: Mapping[str, tuple[str, str]] = {
    "track": ("#ccd4dd", "#3a434e"),
    "memory": ("#2563ae", "#5b9bec"),
    "hugepages": ("#7540b8", "#b48af0"),
}
TEXT_COLOURS: Mapping[str, tuple[str, str]] = {
    "strong": ("#1b232c", "#eef2f6"),
    "quiet": ("#4a5461", "#b4bec9"),
}
_LEVEL_COLOURS = {"machine": "machine", "node": "node", "memory": "node", "cache": "cache", "offline": "machine"}


def render_svg(host: Host, *, width: int = 960) -> str:
    """Draw a machine as an SVG document of at most `width` pixels, for a file or for the text of a web page."""
    drawing = layout(host)
    metrics = _metrics(drawing)
    # The lines of the legend are not broken for a small machine's sake.
    room = max(box_width(drawing.machine, width - 2 * _MARGIN, metrics), min(_NARROWEST, width - 2 * _MARGIN))
    placed = place(drawing.machine, _MARGIN, _MARGIN, room, metrics)
    legend, legend_height = _legend(drawing, _MARGIN, placed.y + placed.height + _MARGIN, room)
    wide, high = room + 2 * _MARGIN, placed.y + placed.height + legend_height + 2 * _MARGIN
    title = f"Topology of {drawing.machine.title}"
    size = f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{_NAME}" role="img" aria-label="{_escaped(title)}" {size}>',
        f"<title>{_escaped(title)}</title>",
        f"<desc>{_escaped('; '.join(drawing.machine.notes))}</desc>",
        f"<style>{_style()}</style>",
        f'<rect class="machine edgeless" width="{wide}" height="{high}" rx="8"/>',
        *_drawn(placed),
        *legend,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text_width(text: str, size: float = _TEXT_SIZE) -> int:
    """Give how many pixels a text takes at most: the widest of the usual sans-serif fonts is DejaVu Sans."""
    return math.ceil(sum(map(_letter_width, text)) * size)


def _letter_width(letter: str) -> float:
    if letter in "ijl.,:;'|I· ":
        return 0.35
    if letter in "frt()[]-/!":
        return 0.42
    if not letter.isascii() or letter in "mwMW@%+=<>~#&^":
        return 1.05
    return 0.8 if letter.isupper() else 0.65


def _title_width(text: str) -> int:
    return text_width(text, _TITLE_SIZE * _BOLD)


def _metrics(drawing: Drawing) -> Metrics:
    threads = [thread for core in _cores(drawing.machine) for thread in core.threads]
    digits = max((text_width(_number(thread)) for thread in threads), default=0)
    return Metrics(
        text_width=text_width,
        title_width=_title_width,
        bar_width=lambda bar: max(_NARROWEST_BAR, text_width(f"{bar.label}   {bar.text}")),
        longest_line=400,
        line=_LINE,
        bar=_LINE + _BAR_THICKNESS + 4,
        title=28,
        side=10,
        bottom=10,
        block_gap=8,
        box_gap=8,
        box_gap_below=8,
        core_gap=5,
        core_edge=8,
        core_side=4,
        thread=max(22, digits + 8),
        thread_height=22,
        thread_gap=3,
        mark=16,
    )


def _cores(box: Box) -> Iterator[Core]:
    for part in box.parts:
        if isinstance(part, Core):
            yield part
        elif isinstance(part, Box):
            yield from _cores(part)


def _number(thread: Thread) -> str:
    return f"{thread.cpu} i" if thread.isolated else f"{thread.cpu}"


def _drawn(placed: Placed) -> Iterator[str]:
    what = placed.what
    if isinstance(what, Box):
        yield from _drawn_box(placed, what)
    elif isinstance(what, Core):
        yield from _drawn_core(placed, what)
    elif isinstance(what, Bar):
        yield from _drawn_bar(placed, what)
    elif isinstance(what, Line):
        kind = "strong" if what.role == "device" else "quiet"
        yield _text(placed.x, placed.y + 13, what.text, kind)


def _drawn_box(placed: Placed, box: Box) -> Iterator[str]:
    text = clip(heading(box), placed.width - 20, _title_width)
    title, facts = text[: len(box.title)], text[len(box.title) :]
    spoken = f"{heading(box)}: {cpus_text(box.cpus)}" if box.cpus else heading(box)
    dashed = " dashed" if box.levels[0] == "offline" else ""
    yield "<g>"
    yield f"<title>{_escaped(spoken)}</title>"
    yield _rect(placed, _LEVEL_COLOURS.get(box.levels[0], "part") + dashed, 6)
    quiet = f' <tspan class="fact">{_escaped(facts.strip())}</tspan>' if facts else ""
    yield f'<text class="strong title" x="{placed.x + 10}" y="{placed.y + 19}">{_escaped(title)}{quiet}</text>'
    for inner in placed.inside:
        yield from _drawn(inner)
    yield "</g>"


def _drawn_core(placed: Placed, core: Core) -> Iterator[str]:
    online = core.number is not None
    name = f"core {core.number}: {cpus_text(core.cpus)}" if online else f"{cpus_text(core.cpus)}, offline"
    yield f"<g><title>{name}</title>"
    if online:
        yield _rect(placed, "core", 4)
    if core.mark:
        yield _text(placed.x + 12, placed.y + placed.height // 2 + 4, core.mark, "strong middle")
    for thread in placed.inside:
        if isinstance(thread.what, Thread):
            yield from _drawn_thread(thread, thread.what, core.mark)
    yield "</g>"


def _drawn_thread(placed: Placed, thread: Thread, mark: str) -> Iterator[str]:
    kind = "efficiency" if mark == "E" else "thread"
    if thread.isolated:
        kind = "isolated"
    yield _rect(placed, kind if thread.online else "offline dashed", 3)
    yield _text(placed.x + placed.width / 2, placed.y + 15, _number(thread), "strong middle")


def _drawn_bar(placed: Placed, bar: Bar) -> Iterator[str]:
    width = min(placed.width, _WIDEST_BAR)
    yield _text(placed.x, placed.y + 13, bar.label, "quiet")
    yield _text(placed.x + width, placed.y + 13, bar.text, "strong end")
    if bar.share is not None:
        shape = f'x="{placed.x}" y="{placed.y + _LINE}" height="{_BAR_THICKNESS}" rx="3"'
        yield f'<rect class="track" {shape} width="{width}"/>'
        if bar.share > 0:
            filled = max(_BAR_THICKNESS, round(bar.share * width))
            yield f'<rect class="{bar.kind}" {shape} width="{filled}"/>'


def _legend(drawing: Drawing, x: int, y: int, room: int) -> tuple[Sequence[str], int]:
    """Give the explanation of the signs and its height."""
    lines: list[str] = []
    top = y
    for mark in drawing.legend:
        lines += _sample(mark, x, y)
        for text in wrap(mark.text, room - _SAMPLE - 10, text_width=text_width):
            lines.append(_text(x + _SAMPLE + 8, y + 15, text, "quiet"))
            y += _LINE
        y += 8
    return lines, y - top


def _sample(mark: Mark, x: int, y: int) -> Iterator[str]:
    """Draw the sign that a line of the legend explains."""
    if mark.name == "bar":
        bar = Bar(kind="memory", label="", text="", share=0.6)
        yield from list(_drawn_bar(Placed(what=bar, x=x, y=y - 10, width=_SAMPLE, height=20), bar))[2:]
        return
    thread = Placed(what=Thread(cpu=0, online=True, isolated=False), x=x + 12, y=y, width=20, height=20)
    if mark.name == "core":
        yield _rect(Placed(what=thread.what, x=x, y=y, width=_SAMPLE, height=20), "core", 4)
        for left in (x + 4, x + 23):
            yield _rect(Placed(what=thread.what, x=left, y=y + 3, width=17, height=14), "thread", 3)
    elif mark.name == "offline":
        yield _rect(thread, "offline dashed", 3)
    elif mark.name == "isolated":
        yield _rect(thread, "isolated", 3)
    if mark.name in ("isolated", "kind"):
        yield _text(x + 22, y + 15, mark.sign, "strong middle")


def _rect(placed: Placed, kind: str, radius: int) -> str:
    place = f'x="{placed.x}" y="{placed.y}" width="{placed.width}" height="{placed.height}"'
    return f'<rect class="{kind}" {place} rx="{radius}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text.encode("ascii", "xmlcharrefreplace").decode()


def _style() -> str:
    """Give the rules for light, then what is another in dark."""
    rules = [
        f".{_NAME}{{max-width:100%;height:auto}}",
        f".{_NAME} text{{font:{_TEXT_SIZE}px {_FONTS};font-variant-numeric:tabular-nums}}",
        f".{_NAME} .title{{font-size:{_TITLE_SIZE}px;font-weight:600}}",
        f".{_NAME} .fact{{font-weight:400}}",
        f".{_NAME} .middle{{text-anchor:middle}}",
        f".{_NAME} .end{{text-anchor:end}}",
        f".{_NAME} .dashed{{stroke-dasharray:4 3}}",
        *_colour_rules(dark=False),
        f".{_NAME} .edgeless{{stroke:none}}",
    ]
    dark = [*_colour_rules(dark=True), f".{_NAME} .edgeless{{stroke:none}}"]
    return "\n".join(["", *rules, "@media (prefers-color-scheme:dark){", *dark, "}", ""])


def _colour_rules(*, dark: bool) -> Iterator[str]:
    scheme = 1 if dark else 0
    for name, colours in COLOURS.items():
        fill, edge = colours[2 * scheme], colours[2 * scheme + 1]
        yield f".{_NAME} .{name}{{fill:{fill};stroke:{edge}}}"
    for name, pair in (*BAR_COLOURS.items(), *TEXT_COLOURS.items()):
        yield f".{_NAME} .{name}{{fill:{pair[scheme]};stroke:none}}"
