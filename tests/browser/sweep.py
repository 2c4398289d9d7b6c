"""Visits each page that links of the pages lead to, and the answers of their forms, as each visitor: accessibility, layout, HTML, size."""

from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from browser import ADDRESS, KEY_ID, OPTIONS, chromium, visit
from inspection import inspection

# The addresses to which the searches of a page lead: with texts that find nothing, the owner, and each option.
SEARCHES = """owner => [...document.querySelectorAll('form[method=get]')].flatMap(form => [
    'none', owner, ...form.querySelectorAll('option')].filter(chosen => chosen !== null).map(chosen => {
  const fields = new URLSearchParams()
  for (const field of form.elements) {
    if (!field.name || field.readOnly) continue
    if (field.type === 'hidden') fields.append(field.name, field.value)
    else if (field.tagName === 'INPUT' && field.type !== 'date' && chosen === 'none') fields.append(field.name, 'none')
    else if (field.name === 'organization' && chosen === owner) fields.append(field.name, owner)
    else if (chosen.parentNode === field) fields.append(field.name, chosen.value)
  }
  return form.action + '?' + fields
}))"""
# Pages of one shape, which differ in their keys only: those of keys show each state.
OF_A_SHAPE, OF_KEYS = 2, 8


class Sweep:
    def __init__(self, page, base, owner=None, inspection=None):
        self.page, self.base, self.owner, self.inspection = page, base, owner, inspection
        self.seen, self.shapes, self.most_forms = set(), {}, {}

    def inspect(self, response, name=None):
        if self.inspection:
            self.inspection.inspect(self.page, response, name)

    def crawl(self):
        """Follows links, and searches, from the base on."""
        queue = [ADDRESS + self.base]
        while queue:
            url = queue.pop(0).split("#")[0]
            if self.is_known(url):
                continue
            if urlsplit(url).path.endswith(".csv"):
                file = self.page.request.get(url)
                assert file.ok and file.headers["content-type"].startswith("text/csv"), url
                continue
            response = self.page.goto(url)
            # A search may find nothing, which is no fault of a link.
            assert response.status == 200 or ("?" in url and response.status < 500), f"{url}: {response.status}"
            self.note_forms(url)
            self.inspect(response)
            queue += self.page.evaluate("[...document.links].map(link => link.href)")
            queue += self.page.evaluate(SEARCHES, self.owner)

    def note_forms(self, url):
        """Keeps a URL of each path, of which the page has most forms."""
        path, count = KEY_ID.sub("{key}", urlsplit(url).path), self.page.locator("form").count()
        if count > self.most_forms.get(path, (0, ""))[0]:
            self.most_forms[path] = (count, url)

    def is_known(self, url):
        parts = urlsplit(url)
        if url in self.seen or not url.startswith(ADDRESS + self.base):
            return True
        self.seen.add(url)
        fields = parse_qsl(parts.query, keep_blank_values=True)
        # Cursors differ in each page.
        told = [(name, "" if name == "after" else KEY_ID.sub("", text)) for name, text in fields]
        shape = KEY_ID.sub("{key}", parts.path) + "?" + urlencode(told)
        self.shapes[shape] = self.shapes.get(shape, 0) + 1
        return self.shapes[shape] > (OF_KEYS if shape.endswith("/{key}?") else OF_A_SHAPE)

    def open(self, path, name=None):
        response = self.page.goto(ADDRESS + self.base + path)
        self.inspect(response, name)

    def send(self, button, name):
        """Sends the form of a button, and inspects the answer."""
        with self.page.expect_navigation() as sent:
            self.page.get_by_role("button", name=button, exact=True).click()
        self.inspect(sent.value, f"{self.base}: {name}")

    def forms(self):
        """Sends each form, with values that are valid and with others."""
        page = self.page

        def new(name):
            page.goto(ADDRESS + self.base + "/new")
            page.get_by_label("Name", exact=True).fill(name)
            if self.owner:
                page.get_by_label("Organization").fill(self.owner)

        new("Swept")
        page.get_by_label("After this day").check()
        self.send("Create the key", "no day")
        new("Swept")
        form = page.locator("[name=form]").input_value()
        page.locator("[name=permission]").first.check()
        self.send("Create the key", "the new key")
        shown = page.get_by_role("link", name="I have copied the key").get_attribute("href")
        key = urljoin(page.url, shown).removeprefix(ADDRESS + self.base)
        new("Swept again")
        page.locator("[name=form]").evaluate("(field, form) => { field.value = form }", form)
        self.send("Create the key", "the same form again")

        self.open(key)
        page.locator("main [name=name]").evaluate("field => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(300) }")
        self.send("Save the name", "a long name")
        self.open(key)
        self.send("Save the permissions", "the permissions")
        page.get_by_label("Label", exact=True).last.fill("team")
        page.get_by_label("Value", exact=True).last.fill("infra")
        self.send("Save the labels", "the labels")
        page.get_by_label("Reason").fill("Under review")
        self.send("Disable until enabled again", "disabled")
        self.send("Enable", "enabled")
        self.open(f"{key}/rotate")
        self.send("Create the new key", "the successor")
        self.open(key)
        self.open(f"{key}/revoke")
        page.get_by_label("to confirm").fill("something else")
        self.send("Revoke the key", "mistyped")
        page.get_by_label("to confirm").fill(page.locator("label code").inner_text())
        self.send("Revoke the key", "revoked")
        self.open(key)

        if self.owner:
            self.open(f"/revoke-keys?count=yes&organization={self.owner}&name=Swept")
            page.get_by_label("to confirm").fill("0")
            self.send("Revoke the keys", "a mistyped number")
            page.get_by_label("to confirm").fill(page.locator("label code").inner_text())
            self.send("Revoke the keys", "several keys revoked")
            page.get_by_role("heading", name="revoked").wait_for()

    def problems(self):
        for path in ("/keys/key_unknown", "/nothing", "/keys?state=none", "/keys?after=!"):
            self.open(path)


def main():
    with inspection("sweep") as inspected, chromium() as browser:
        for door in OPTIONS["doors"]:
            with visit(browser, extra_http_headers=door["headers"]) as page:
                sweep = Sweep(page, door["base"], door.get("owner"), inspected)
                sweep.crawl()
                if door["writes"]:
                    sweep.forms()
                    sweep.problems()


if __name__ == "__main__":
    main()
