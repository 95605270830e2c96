"""Charts of the results, drawn by gnuplot as SVG."""

import os
import shutil
import subprocess

COLOURS = {"native": "#888888", "native64": "#888888", "ringone": "#1f77b4", "qemu": "#d62728"}

_HEAD = """set terminal svg size {width},{height} font 'sans-serif,12' background rgb 'white'
set output '{output}'
set title '{title}'
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set grid ytics lc rgb '#dddddd'
set xtics rotate by 45 right nomirror scale 0
set bmargin {bottom}
set lmargin 12
set yrange [{least}:*]
set ytics nomirror
set border 3
set logscale y
set ylabel '{ylabel}'
set key outside top right horizontal
"""


def quote(text):
    return '"' + text.replace("\\", "").replace('"', "").replace("_", "\\\\_") + '"'


def _draw(output, title, ylabel, series, labels, least, line=None):
    """series: {name: values}, one value (or None) a label. `line`: a level drawn across."""
    data = ["$data << END"]
    for i, label in enumerate(labels):
        cells = ["NaN" if values[i] is None else f"{values[i]:.6g}" for values in series.values()]
        data.append(" ".join([quote(label), *cells]))
    data.append("END")
    longest = max(len(label) for label in labels)
    head = _HEAD.format(
        width=max(640, 160 + 34 * len(labels)),
        height=360 + 5 * longest,
        bottom=3 + longest // 4,
        output=output,
        title=title,
        ylabel=ylabel,
        least=least,
    )
    plots = [
        f"$data using {i + 2}:xtic(1) title '{name}' lc rgb '{COLOURS[name]}'"
        for i, name in enumerate(series)
    ]
    if line is not None:
        plots.append(f"{line} with lines lc rgb 'black' notitle")
    text = head + "\n".join(data) + "\nplot " + ", ".join(plots) + "\n"
    subprocess.run(["gnuplot"], input=text, text=True, check=True, timeout=60)


def draw(folder, results, events):
    """Writes the charts; returns [(file name, caption)]. None without gnuplot."""
    if not shutil.which("gnuplot"):
        return []
    made = []

    def chart(file, caption, ylabel, series, labels, least, line=None):
        if not labels or not any(v is not None for values in series.values() for v in values):
            return
        _draw(os.path.join(folder, file), caption, ylabel, series, labels, least, line)
        made.append((file, caption))

    systems = results.systems
    for base, wanted, file, caption in (
        ("native", ("integer", "x87", "SSE", "memory", "real"), "compute.svg", "Time against native"),
        ("native", ("kernel",), "kernel.svg", "Kernel-heavy work: time against a native 64-bit kernel"),
        ("native64", ("integer", "x87", "SSE", "memory"), "compute.svg", "Time against native 64-bit code"),
    ):
        rows = [row for row in results.rows if row.group in wanted]
        shown = [system for system in systems if system != base]
        series = {s: [results.ratio(row, s, base) for row in rows] for s in shown}
        if base in systems and series:
            chart(file, caption, "times native", series, [row.name for row in rows], 0.1, 1)
    if {"qemu", "ringone"} <= set(systems):
        series = {"ringone": [results.ratio(row, "qemu", "ringone") for row in results.rows]}
        names = [row.name for row in results.rows]
        chart("speedup.svg", "How many times faster than QEMU TCG", "times", series, names, 0.5, 1)
    if events:
        names = [name for name in events if any(events[name].get(s) for s in systems)]
        series = {s: [events[name].get(s) for name in names] for s in systems}
        series = {s: v for s, v in series.items() if any(v)}
        chart("events.svg", "Event costs", "cycles", series, names, 0.5)
    return made
