"""The pages of the example services: each is found where the service has it, and opens to its own credentials."""

from pathlib import Path
from tempfile import TemporaryDirectory

from browser import ADDRESS, OPTIONS, check, chromium, visit
from sweep import Sweep


def paste(page, base, key):
    page.goto(ADDRESS + base)
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/keys")


def create(page, base, permission):
    page.goto(f"{ADDRESS}{base}/new")
    page.get_by_label("Name", exact=True).fill("From the pages")
    page.locator(f"[name=permission][value='{permission}']").check()
    page.get_by_role("button", name="Create the key").click()
    return page.locator("#key").inner_text()


def main():
    base, permission, prefix = OPTIONS["base"], OPTIONS["permission"], OPTIONS["prefix"]
    credentials = {}
    if "password" in OPTIONS:
        credentials["http_credentials"] = {"username": OPTIONS["email"], "password": OPTIONS["password"]}
    with TemporaryDirectory() as folder, chromium() as browser, visit(browser, **credentials) as page:
        if "opens" in OPTIONS:
            page.goto(ADDRESS + OPTIONS["opens"])
            page.get_by_role("button", name="Continue").click()
            page.wait_for_url("**/keys")
        else:
            paste(page, base, OPTIONS["key"])
        key = create(page, base, permission)
        assert key.startswith(prefix), "another format"
        sweep = Sweep(page, Path(folder), base, inspects=False)
        sweep.crawl()
        for path in OPTIONS["api"]:
            # With the cookie of the session, which is no key.
            assert page.request.get(ADDRESS + path).status == 401, path
        check(base, f"signed in, created a key, visited {len(sweep.seen)} pages")
        page.goto(f"{ADDRESS}{base}/keys")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="You are signed out").wait_for()


main()
