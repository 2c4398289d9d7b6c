"""A key that one node creates is refused by the others when a page of another node has revoked it."""

import subprocess

from browser import OPTIONS, check, chromium, visit

NODES = list(OPTIONS["nodes"])


def status(node, key):
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
    header = ["--header", f"Authorization: Bearer {key}"]
    return int(subprocess.run([*command, *header, f"{node}/v1/whoami"], capture_output=True, text=True, check=True).stdout)


def sign_in(page, node):
    page.goto(f"{node}/console")
    page.get_by_label("API key").fill(OPTIONS["credentials"]["admin_key"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/keys")


with chromium() as browser:
    first, second, third = NODES
    with visit(browser, first) as page:
        sign_in(page, first)
        page.get_by_role("link", name="Create a key").click()
        page.get_by_label("Name", exact=True).fill("Across nodes")
        page.get_by_label("Organization").fill("fleet")
        page.get_by_role("button", name="Create the key").click()
        key = page.locator("#key").inner_text()
        path = page.get_by_role("link", name="I have copied the key").evaluate("link => link.pathname")
    assert [status(node, key) for node in NODES] == [200, 200, 200]
    with visit(browser, third) as page:
        sign_in(page, third)
        page.goto(f"{third}{path}/revoke")
        page.get_by_label("to confirm").fill(page.locator("label code").inner_text())
        page.get_by_role("button", name="Revoke the key").click()
        page.get_by_role("status").wait_for()
        print(page.get_by_role("status").inner_text())
    assert [status(node, key) for node in NODES] == [401, 401, 401]
    check("fleet", "created on the first node, revoked on a page of the third, 401 on all")
