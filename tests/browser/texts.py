"""Texts that harm careless pages, in every field of every form that links lead to: nothing runs, and the pages stay readable."""

from browser import ADDRESS, NARROW, OPTIONS, check, chromium, fits, visit
from inspection import LARGEST
from sweep import Sweep

MARKUP = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{7*7}}&lt;"""
# An override and an isolate would turn the text behind them around: no name may have them. It may have marks.
BACKWARDS, MARKS = "\u202eright\u2067 to left", "\u200fright\u200e to left"
ARABIC = ("مفتاح خادم البناء الرئيسي " * 12)[:255]
TEXTS = {"markup": MARKUP, "backwards": BACKWARDS, "marks": MARKS, "Arabic": ARABIC, "10 kB": "x" * 10_000, "10 kB in words": "long word " * 1000}

FIELDS = "input:not([type]), input[type=text], input[type=search], input[type=date], input[type=email], textarea"


def fill(page, number, text):
    """Fills all fields of a form, also beyond what the browser permits, and sends it."""
    with page.expect_navigation() as navigation:
        page.locator("form").nth(number).evaluate(
            """(form, [fields, text]) => {
              for (const field of form.querySelectorAll(fields)) {
                field.removeAttribute('maxlength')
                if (field.type === 'date') field.type = 'text'
                field.value = text
              }
              form.noValidate = true
              form.requestSubmit()
            }""",
            [FIELDS, text],
        )
    return navigation.value


def main():
    sent = 0
    with chromium() as browser:
        for door in OPTIONS["doors"]:
            if not door["writes"]:
                continue
            with visit(browser, extra_http_headers=door["headers"]) as page:
                sweep = Sweep(page, door["base"], door.get("owner"))
                sweep.crawl()
                page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
                for forms, url in sweep.most_forms.values():
                    for number in range(forms):
                        for name, text in TEXTS.items():
                            if page.goto(url).status != 200 or page.locator("form").count() <= number:
                                continue
                            answer = fill(page, number, text)
                            if answer is None:
                                continue  # A fragment of the page itself: nothing was sent.
                            place = f"{name} in form {number} of {url}"
                            assert answer.status < 500, f"{place}: {answer.status}"
                            assert len(answer.body()) <= LARGEST, f"{place}: {len(answer.body())} bytes"
                            assert fits(page), f"{place}: too wide"
                            assert page.get_by_role("heading", level=1).count() == 1, place
                            sent += 1
                for name in (MARKUP, MARKS, ARABIC, BACKWARDS):
                    page.goto(ADDRESS + door["base"] + "/new")
                    page.get_by_label("Name", exact=True).fill(name)
                    if "owner" in door:
                        page.get_by_label("Organization").fill(door["owner"])
                    page.get_by_role("button", name="Create the key").click()
                    if name == BACKWARDS:
                        assert "Name" in page.get_by_role("alert").inner_text()
                        continue
                    page.get_by_role("link", name="I have copied the key").click()
                    heading = page.get_by_role("heading", level=1)
                    assert heading.text_content() == name.strip(), heading.text_content()
                    assert fits(page)
    check("texts", f"{sent} forms sent")


main()
