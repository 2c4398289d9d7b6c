"""Chromium for the tests of the pages, and what no page may do.

Each program beside this file is a test: it reads one argument, a JSON object, and fails by an exception.
"""

import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

OPTIONS = json.loads(sys.argv[1])
ADDRESS = OPTIONS["address"]

# As root, and without calls to hosts of the browser's maker.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Playwright turns it off, and users have it.
LEFT_OUT = ["--disable-back-forward-cache"]

WIDE, NARROW = (1280, 900), (320, 700)

# Says aloud what a policy forbids, and what ran that should not.
INIT = """
addEventListener('securitypolicyviolation', event => console.error('policy: ' + event.effectiveDirective + ' ' + event.blockedURI))
"""


class Faults:
    """Collects the errors of a context: on the console, in scripts, dialogs, and requests that leave the origin."""

    def __init__(self, context, origin):
        self.found, self.origin = [], origin
        context.add_init_script(INIT)
        context.on("request", self.request)
        context.on("console", self.console)
        context.on("weberror", lambda error: self.found.append(f"script: {error.error}"))
        context.on("dialog", self.dialog)

    def request(self, request):
        if urlsplit(request.url).scheme != "data" and not request.url.startswith(self.origin + "/"):
            self.found.append(f"request to {request.url}")

    def console(self, message):
        # Chromium reports the status of a page as well, which is no fault of the page.
        is_status = message.text.startswith("Failed to load resource") and message.location["url"] == message.page.url
        # It mentions as well that a field for a day shows no text that is none.
        is_no_day = "does not conform to the required format" in message.text
        if message.type in ("error", "warning") and not (is_status or is_no_day):
            self.found.append(f"console of {message.page.url}: {message.text} ({message.location['url']})")

    def dialog(self, dialog):
        self.found.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def assert_none(self):
        assert not self.found, "\n".join(self.found)


@contextmanager
def chromium():
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS, ignore_default_args=LEFT_OUT)
        yield launched
        launched.close()


@contextmanager
def visit(browser, address=ADDRESS, **options):
    """Opens a page without cookies, and checks at the end that it had no faults."""
    width, height = options.pop("size", WIDE)
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", timezone_id="UTC", **options)
    context.set_default_timeout(20_000)
    faults = Faults(context, address)
    page = context.new_page()
    yield page
    faults.assert_none()
    context.close()


def sign_in(page, user, address=ADDRESS):
    """Signs in with the ticket of a user, and goes on to the keys, as the portal leads there."""
    page.goto(address)
    page.get_by_label("Ticket").fill(OPTIONS["credentials"][user])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="API keys").click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/keys")


def shell(*lines):
    """Runs lines as a person pastes them into a terminal."""
    done = subprocess.run(["sh", "-ec", "\n".join(lines)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def status(variable, curl):
    """Returns the status of the command of curl that a page shows."""
    return int(shell(variable, f"{curl} --silent --output /dev/null --write-out '%{{http_code}}'"))


def fits(page):
    """Returns whether a page needs no scrolling sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def check(name, what):
    print(f"{name}: {what}", flush=True)


KEY_ID = re.compile(r"key_[0-9a-z]+")
