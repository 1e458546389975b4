"""What pictures of figures are drawn with: curves with marks of their own beside their colours, and a frame.

Colours come from a style sheet for light and dark screens.
"""

import html

# As bench.lab.chart: told apart by all kinds of colour vision. Colour on light, on dark.
COLOURS = [("#D55E00", "#FF8A33"), ("#0072B2", "#56B4E9"), ("#007A59", "#2FC79B"), ("#A8487F", "#E39CC4"),
           ("#222222", "#EEEEEE"), ("#777777", "#AAAAAA")]
DASHES = ["none", "7 3", "2 2", "9 3 2 3", "4 2", "1 3"]
LINE = 15  # between labels


def _theme(column, ink, grid, paper):
    rules = [f"text {{ fill: {ink}; stroke: {paper} }} line {{ stroke: {grid} }} .paper {{ fill: {paper} }}"]
    for index, colours in enumerate(COLOURS):
        rules.append(f".c{index} {{ stroke: {colours[column]} }} text.c{index}, circle.c{index} "
                     f"{{ fill: {colours[column]}; stroke: {paper} }}")
    return "\n".join(rules)


# A word's edge in the colour of the paper keeps it legible on lines.
STYLE = f"""
text {{ font: 12px system-ui, sans-serif; stroke-width: 4; stroke-linejoin: round; paint-order: stroke }}
text.title {{ font-weight: 600; font-size: 14px }} text.label {{ font-weight: 600 }}
path {{ fill: none; stroke-width: 2; stroke-linejoin: round }} circle {{ stroke-width: 1 }}
{_theme(0, "#444", "#e4e4e4", "#fff")}
@media (prefers-color-scheme: dark) {{
{_theme(1, "#bbb", "#3a3f46", "#14181d")}
}}
"""


def text(x, y, words, anchor="start", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{html.escape(words)}</text>'


def svg(title, width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="{html.escape(title)}"><style>{STYLE}</style>\n'
            '<rect width="100%" height="100%" rx="6" class="paper"/>\n' + "\n".join(parts) + "\n</svg>\n")


def frame(box, axis_x, axis_y, x_ticks, y_words):
    left, right, top, bottom = box
    for tick in axis_y.ticks():
        y = axis_y.at(tick)
        yield f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield text(left - 8, y + 4, y_words(tick), "end")
    for at, words in x_ticks:
        x = axis_x.at(at)
        yield f'<line y1="{top}" y2="{bottom}" x1="{x:.1f}" x2="{x:.1f}"/>'
        yield text(x, bottom + 18, words, "middle")


def curve(points, index):
    path = " ".join(f"{'L' if i else 'M'}{x:.1f},{y:.1f}" for i, (x, y) in enumerate(points))
    yield f'<path class="c{index}" stroke-dasharray="{DASHES[index]}" d="{path}"/>'


def spread(wanted, low, high):
    """Heights for labels, pushed apart where they would overlap, between the two."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    heights, last = list(wanted), low - LINE
    for i in order:
        last = heights[i] = max(wanted[i], last + LINE)
    last = high + LINE
    for i in reversed(order):
        last = heights[i] = min(heights[i], last - LINE)
    return heights
