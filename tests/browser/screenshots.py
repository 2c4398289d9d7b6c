"""Takes the pictures of the documentation: small ones, of a palette."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path

from PIL import Image

from browser import ADDRESS, OPTIONS, check, chromium, visit

LARGEST = 60_000
SIZE = (960, 640)
# A page of rustdoc contains its pictures as text.
IN_THE_GUIDE = ("keys", "shown", "usage")


def take(page, name, scheme="light"):
    page.emulate_media(color_scheme=scheme)
    picture = Image.open(BytesIO(page.screenshot(animations="disabled", caret="hide")))
    path = Path(OPTIONS["folder"]) / f"{name}.png"
    picture.convert("RGB").quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)
    if name in IN_THE_GUIDE:
        path.with_suffix(".base64").write_text(b64encode(path.read_bytes()).decode())
    size = path.stat().st_size
    assert size <= LARGEST, f"{name}: {size} bytes"
    check(name, f"{size} bytes")


def main():
    with chromium() as browser:
        portal, staff = OPTIONS["portal"], OPTIONS["staff"]
        with visit(browser, size=SIZE, extra_http_headers=portal["headers"]) as page:
            base = ADDRESS + portal["base"]
            page.goto(f"{base}/keys")
            take(page, "keys")
            page.get_by_role("link", name="Production server").click()
            take(page, "key")
            page.goto(f"{base}/usage?days=30")
            take(page, "usage")
            page.goto(f"{base}/new")
            page.get_by_label("Name").fill("Reports")
            page.get_by_label("Read notes").check()
            take(page, "create")
            page.get_by_role("button", name="Create the key").click()
            take(page, "shown")
        with visit(browser, size=SIZE, extra_http_headers=staff["headers"]) as page:
            page.goto(f"{ADDRESS}{staff['base']}/keys")
            take(page, "staff", "dark")


main()
