"""The life of a key on the pages, with a mouse, without scripts, and with the keyboard alone."""

from browser import check, chromium, sign_in, status, visit


def create(page, name):
    page.get_by_role("link", name="Create a key").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Read notes").check()
    page.get_by_role("button", name="Create the key").click()
    page.get_by_role("heading", name="Copy the key now").wait_for()


def revoke(page):
    page.get_by_role("link", name="I have copied the key").click()
    page.get_by_role("link", name="Revoke the key").click()
    asked = page.get_by_label("to confirm")
    asked.fill(page.locator("label code").inner_text())
    page.get_by_role("button", name="Revoke the key").click()
    page.get_by_role("status").wait_for()


def with_a_mouse(browser):
    with visit(browser) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        sign_in(page, "ann")
        create(page, "Build server")
        copied = []
        for button in page.get_by_role("button", name="Copy").all():
            button.click()
            page.get_by_text("Copied.").wait_for()
            copied.append(page.evaluate("navigator.clipboard.readText()"))
        key, variable, curl = copied
        assert variable.endswith(f"='{key}'"), variable
        assert status(variable, curl) == 200
        revoke(page)
        assert status(variable, curl) == 401
        check("with a mouse", "create, copy, 200, revoke, 401")


def without_scripts(browser):
    with visit(browser, java_script_enabled=False) as page:
        sign_in(page, "ann")
        create(page, "Without scripts")
        assert page.get_by_role("button", name="Copy").count() == 0
        variable, curl = page.locator("#variable").inner_text(), page.locator("#curl").inner_text()
        assert status(variable, curl) == 200
        revoke(page)
        assert status(variable, curl) == 401
        check("without scripts", "create, 200, revoke, 401")


FOCUSED = """() => {
  const element = document.activeElement
  if (!element || element === document.body) return null
  const style = getComputedStyle(element), box = element.getBoundingClientRect()
  const all = [...document.querySelectorAll('*')]
  return {
    place: all.indexOf(element),
    text: (element.labels?.[0] ?? element).innerText.trim() || element.getAttribute('aria-label') || element.name || '',
    kind: element.type || element.tagName.toLowerCase(),
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    visible: box.width > 0 && box.height > 0 && box.top >= 0 && box.left >= 0 && box.top < innerHeight && box.left < innerWidth,
  }
}"""


class Keyboard:
    """Presses keys, and sees to it that each stop is visible and comes after the one before."""

    def __init__(self, page):
        self.page, self.stops = page, 0

    def to(self, text, kind=None):
        """Moves on with the tab key to an element with this text."""
        self.page.wait_for_load_state()
        place = -1
        for _ in range(80):
            self.page.keyboard.press("Tab")
            at = self.page.evaluate(FOCUSED)
            if at is None:
                place = -1
                continue
            self.stops += 1
            assert at["outlined"] and at["visible"], f"the focus is not visible: {at}"
            # A date has a stop for each of its parts.
            assert at["place"] > place or (at["place"] == place and at["kind"] == "date"), f"the focus goes back: {at}"
            place = at["place"]
            if text in at["text"] and kind in (None, at["kind"]):
                return self
        raise AssertionError(f"{text!r} is not reached on {self.page.url}")

    def press(self, key):
        self.page.keyboard.press(key)
        return self

    def follow(self):
        """Follows a link, or sends a form."""
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        return self

    def type(self, text):
        self.page.keyboard.type(text)
        return self


def with_the_keyboard(browser):
    with visit(browser) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        sign_in(page, "ann")
        keys = Keyboard(page)
        keys.to("Skip to content").press("Enter")
        assert page.evaluate("location.hash") == "#content"
        keys.to("Create a key").follow()
        keys.to("Name").type("By keyboard")
        keys.to("Read notes").press("Space")
        keys.to("90 days", "radio").press("ArrowUp")
        assert page.get_by_label("30 days").is_checked()
        keys.to("Create the key").follow()
        keys.to("Copy", "button").press("Enter")
        page.get_by_text("Copied.").wait_for()
        variable, curl = page.locator("#variable").inner_text(), page.locator("#curl").inner_text()
        assert page.evaluate("navigator.clipboard.readText()") in variable
        assert status(variable, curl) == 200
        keys.to("I have copied the key").follow()
        keys.to("Revoke the key").follow()
        typed = page.locator("label code").inner_text()
        keys.to("to confirm").type(typed)
        keys.to("Revoke the key", "submit").follow()
        page.get_by_role("status").wait_for()
        assert status(variable, curl) == 401
        check("with the keyboard", f"create, copy, 200, revoke, 401; {keys.stops} stops, each visible and in order")


with chromium() as browser:
    with_a_mouse(browser)
    without_scripts(browser)
    with_the_keyboard(browser)
