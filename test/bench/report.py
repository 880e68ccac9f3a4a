# SPDX-License-Identifier: MIT OR Apache-2.0
"""report.py: what was measured, as JSON, Markdown and a picture."""
import json
import os
import subprocess
import time
from xml.sax.saxutils import escape

WIDTH, LEFT, BAR, STEP, RIGHT = 900, 330, 10, 42, 130


def number(value):
    return "{:,.0f}".format(value) if value >= 100 else "{:,.1f}".format(value)


def said(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode().strip()
    except OSError:
        return ""


def spread(side):
    median, least, most = (number(side[key]) for key in ("median", "least", "most"))
    return median if least == most else "%s (%s to %s)" % (median, least, most)


class Report:
    def __init__(self, bench):
        self.folder = os.path.join(bench.build, "bench")
        changed = said("git", "-C", bench.source, "status", "--porcelain", "--untracked-files=no")
        self.head = {
            "commit": said("git", "-C", bench.source, "rev-parse", "--short=12", "HEAD") + (" and changes" if changed else ""),
            "qemu": said(bench.qemu, "--version").splitlines()[0],
            "linux": bench.linux.version,
        }
        self.rows = {}
        before = self._before()
        if before and {key: before.get(key) for key in self.head} == self.head:
            self.rows = before["rows"]

    def _before(self):
        try:
            with open(self.folder + "/report.json") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def put(self, row, lines):
        self.rows[row] = lines

    def write(self, order):
        self.rows = {row: self.rows[row] for row in order if row in self.rows}
        whole = dict(self.head, date=time.strftime("%Y-%m-%d", time.gmtime()), rows=self.rows)
        for name, text in (("json", json.dumps(whole, indent=1) + "\n"), ("md", markdown(whole)), ("svg", picture(whole))):
            with open("%s/report.%s.new" % (self.folder, name), "w") as file:
                file.write(text)
            os.rename("%s/report.%s.new" % (self.folder, name), "%s/report.%s" % (self.folder, name))


def markdown(whole):
    text = ["# capOS beside Linux", "",
            "Commit %s, %s; %s, TCG, one CPU; %s." % tuple(whole[key] for key in ("commit", "date", "qemu", "linux")), "",
            "Instructions are those that the guest executes; iterations of string instructions are not among them (the last "
            "column has them). Medians; least and most in parentheses where they differ.", "",
            "| what | unit | capOS | Linux | Linux / capOS | Linux does | string iterations, capOS / Linux |",
            "|---|---|---|---|---|---|---|"]
    for lines in whole["rows"].values():
        for line in lines:
            ours, theirs = line["capos"], line["linux"]
            strings = "%s / %s" % (number(ours["strings"]), number(theirs["strings"])) if "strings" in ours else ""
            ratio = "%.1f" % (theirs["median"] / ours["median"]) if ours["median"] else ""
            text.append("| %s | %s | %s | %s | %s | %s | %s |" % (line["what"], line["unit"], spread(ours), spread(theirs), ratio,
                                                                line["linux_what"], strings))
    return "\n".join(text) + "\n"


def bar(x, y, width, colour, text):
    return ['<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>' % (x, y, max(width, 1), BAR, colour),
            '<text x="%.1f" y="%d">%s</text>' % (x + max(width, 1) + 5, y + BAR - 1, escape(text))]


def picture(whole):
    """A pair of bars for each line, as long as the longer of the two allows; shorter is better."""
    lines = [line for lines in whole["rows"].values() for line in lines]
    height = 60 + STEP * len(lines)
    about = "commit %s, %s, %s" % (whole["commit"], whole["qemu"], whole["linux"])
    text = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d"' % (WIDTH, height),
            'font-family="sans-serif" font-size="11">',
            '<rect width="%d" height="%d" fill="white"/>' % (WIDTH, height),
            '<text x="12" y="20" font-size="15">capOS (blue) beside Linux (grey); shorter is better</text>',
            '<text x="12" y="36" fill="#555">%s</text>' % escape(about)]
    for i, line in enumerate(lines):
        y = 54 + STEP * i
        ours, theirs = line["capos"]["median"], line["linux"]["median"]
        scale = (WIDTH - LEFT - RIGHT) / max(ours, theirs, 1e-9)
        text += ['<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 10, y + BAR - 1, escape(line["what"])),
                 '<text x="%d" y="%d" text-anchor="end" fill="#555">%s</text>' % (LEFT - 10, y + 2 * BAR + 3, escape(line["unit"]))]
        text += bar(LEFT, y, ours * scale, "#2060c0", number(ours))
        text += bar(LEFT, y + BAR + 4, theirs * scale, "#999", number(theirs))
    return "\n".join(text + ["</svg>"]) + "\n"
