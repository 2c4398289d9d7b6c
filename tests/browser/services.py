"""The pages of the example services: each is found where the service has it, opens to its own credentials, and has no fault."""

from browser import ADDRESS, OPTIONS, check, chromium, visit
from inspection import inspection
from sweep import Sweep


def paste(sweep, key):
    """Signs in by the form, after a key that is not accepted."""
    page = sweep.page
    sweep.open("")
    page.get_by_label("API key").fill(key[:-1])
    sweep.send("Sign in", "a mistyped key")
    page.get_by_role("alert").wait_for()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def hand_over(sweep, path):
    sweep.inspect(sweep.page.goto(ADDRESS + path), f"{path}: hand-over")
    sweep.page.get_by_role("button", name="Continue").click()


def log_in(sweep, ticket):
    """Signs in to the portal, and goes on to the pages."""
    page = sweep.page
    sweep.inspect(page.goto(ADDRESS), "the login of the portal")
    page.get_by_label("Ticket").fill(ticket)
    with page.expect_navigation() as home:
        page.get_by_role("button", name="Sign in").click()
    sweep.inspect(home.value, "the home of the portal")
    sweep.send("API keys", "hand-over")
    page.get_by_role("button", name="Continue").click()


def create(page, base, permission):
    page.goto(f"{ADDRESS}{base}/new")
    page.get_by_label("Name", exact=True).fill("From the pages")
    if "owner" in OPTIONS:
        page.get_by_label("Organization").fill(OPTIONS["owner"])
    if "requires" in OPTIONS:
        page.get_by_role("button", name="Create the key").click()
        assert OPTIONS["requires"] in page.get_by_role("alert").inner_text()
    page.locator(f"[name=permission][value='{permission}']").check()
    page.get_by_role("button", name="Create the key").click()
    return page.locator("#key").inner_text()


def main():
    base, permission, prefix = OPTIONS["base"], OPTIONS["permission"], OPTIONS["prefix"]
    credentials = {}
    if "password" in OPTIONS:
        credentials["http_credentials"] = {"username": OPTIONS["email"], "password": OPTIONS["password"]}
    with inspection(base) as inspected, chromium() as browser, visit(browser, **credentials) as page:
        sweep = Sweep(page, base, inspection=inspected)
        if "opens" in OPTIONS:
            hand_over(sweep, OPTIONS["opens"])
        elif "ticket" in OPTIONS:
            log_in(sweep, OPTIONS["ticket"])
        else:
            paste(sweep, OPTIONS["key"])
        page.wait_for_url("**/keys")
        key = create(page, base, permission)
        assert key.startswith(prefix), "another format"
        sweep.crawl()
        for path in OPTIONS["api"]:
            # With the cookie of the session, which is no key.
            assert page.request.get(ADDRESS + path).status == 401, path
        check(base, f"signed in, created a key, visited {len(sweep.seen)} pages")
        page.goto(f"{ADDRESS}{base}/keys")
        sweep.send("Sign out", "signed out")
        page.get_by_role("heading", name="You are signed out").wait_for()


main()
