"""The pages on the way in and out: the form, its errors, the hand-over, links that do not work, and the page of a visitor who has left."""

from browser import ADDRESS, OPTIONS, chromium, visit
from inspection import inspection
from sweep import Sweep

FORMS, BARE = OPTIONS["forms"], OPTIONS["bare"]


def heading(page, name):
    page.get_by_role("heading", name=name, level=1).wait_for()


def by_the_form(sweep):
    page = sweep.page
    for query in ("", "?ended", "?stopped"):
        sweep.open(f"/sign-in{query}")
    page.get_by_label("API key").fill("a key of another service")
    sweep.send_first("a wrong key", "API key")
    page.get_by_label("E-mail").fill("ann@example.com")
    page.get_by_label("Password").fill("guessed")
    sweep.send_first("a wrong password", "Password")
    page.get_by_label("API key").evaluate("field => { field.required = false }")
    sweep.send_first("nothing", "API key")
    page.get_by_label("API key").fill(OPTIONS["plain"])
    sweep.send_first("a key that does not open the pages", "API key")
    page.get_by_label("API key").fill(OPTIONS["key"])
    page.context.clear_cookies()
    sweep.send_first("a form of another browser", "API key")
    page.get_by_label("API key").fill(OPTIONS["key"])
    sweep.send_first("the keys", "API key")
    heading(page, "API keys")
    sweep.send("Sign out", "signed out")


class Form(Sweep):
    def send_first(self, name, label):
        """Sends the form of a field by the keyboard."""
        with self.page.expect_navigation() as sent:
            self.page.get_by_label(label).press("Enter")
        self.inspect(sent.value, f"{self.base}: {name}")


def by_a_link(sweep):
    page = sweep.page

    def open(path, name):
        sweep.inspect(page.goto(ADDRESS + path), f"{path}: {name}")
        return page.url

    used = open("/open", "hand-over")
    sweep.send("Continue", "the keys of a hand-over")
    assert page.get_by_role("link", name="Back to").count() == 1
    sweep.inspect(page.goto(used), "a link that was used")
    heading(page, "This link does not work")
    page.goto(f"{ADDRESS}{sweep.base}/keys")
    sweep.send("Sign out", "signed out, with a way back")
    assert page.get_by_role("link", name="Back to").count() == 1

    open("/open", "hand-over")
    page.request.post(ADDRESS + "/later")
    sweep.send("Continue", "a link that is too old")
    heading(page, "This link does not work")

    other = open("/open", "hand-over")
    page.context.clear_cookies()
    sweep.inspect(page.goto(other), "a link of another browser")
    heading(page, "This link does not work")

    open("/link", "a link of a program")
    page.get_by_text("You will act as").wait_for()


def main():
    with inspection("doors") as inspected, chromium() as browser:
        with visit(browser) as page:
            by_the_form(Form(page, FORMS, inspection=inspected))
        with visit(browser) as page:
            by_a_link(Sweep(page, FORMS, inspection=inspected))
        with visit(browser) as page:
            Sweep(page, BARE, inspection=inspected).open("/sign-in")


main()
