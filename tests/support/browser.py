"""Render a page in a headless Chromium and report its contents, requests and errors."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--hide-scrollbars", "--disable-background-networking", "--enable-logging=stderr"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PROBE = """<script>addEventListener('load', () => {
const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
const links = [...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'));
const style = getComputedStyle(document.body);
const colour = name => style[name].match(/[0-9]+/g).slice(0, 3).map(Number);
const asked = performance.getEntriesByType('resource').map(e => e.name);
document.title = JSON.stringify({
images: [...document.images].map(i => i.naturalWidth),
links: links.length,
lost: links.filter(l => !l.startsWith('#') || !document.getElementById(l.slice(1))),
twice: ids.filter((id, i) => ids.indexOf(id) != i),
requests: asked.filter(name => !name.startsWith('data:')),
over: document.documentElement.scrollWidth - innerWidth,
dark: matchMedia('(prefers-color-scheme: dark)').matches,
paper: colour('backgroundColor'), ink: colour('color')}) })</script></body>"""


def look(page: str, tmp_path: Path, *, width: int, dark: bool) -> dict[str, Any]:
    """Return the contents of a page in a window of this width; `console` has its messages."""
    probed = tmp_path / "probed.html"
    probed.write_text(page.replace("</body>", PROBE))
    found = subprocess.run(
        [str(BROWSER), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}",
         f"--blink-settings=preferredColorScheme={0 if dark else 1}",
         f"--window-size={width},900", "--dump-dom", f"file://{probed}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    title = re.search(r"<title>(\{.*?\})</title>", found.stdout)
    assert title, found.stdout[:500]
    seen: dict[str, Any] = json.loads(title[1])
    return seen | {"console": [line for line in found.stderr.splitlines() if "CONSOLE" in line]}
