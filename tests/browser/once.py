"""The page that shows a new key: Back, Forward, reload, the page cache, the history and the profile on disk have no key, over HTTPS."""

import base64
import hashlib
import re
import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from playwright.sync_api import Error, sync_playwright

from browser import ADDRESS, ARGUMENTS, LEFT_OUT, OPTIONS, Faults, check, shutil, sign_in

CERTIFICATE = trustme.CA().issue_cert("localhost")


def public_key():
    """Returns the hash by which Chromium is told to trust the certificate, as if an authority that it knows had issued it."""
    certificate = load_pem_x509_certificate(CERTIFICATE.cert_chain_pems[0].bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(context)
    return context


def proxy(public, target):
    """Starts a proxy at an address, in front of another one."""
    listener, context, parts = socket.create_server(("127.0.0.1", urlsplit(public).port)), tls(), urlsplit(target)

    def pump(source, sink):
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def serve(accepted):
        try:
            client = context.wrap_socket(accepted, server_side=True)
        except OSError:
            return
        server = socket.create_connection((parts.hostname, parts.port))
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


class Ordinary(BaseHTTPRequestHandler):
    """A page that the browser may keep."""

    def do_GET(self):
        body = b"<title>fresh</title><script>onpageshow = event => { if (event.persisted) document.title = 'kept' }</script>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def ordinary():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ordinary)
    server.socket = tls().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://localhost:{server.server_address[1]}"


@contextmanager
def profile(playwright, folder, scripts, trust):
    context = playwright.chromium.launch_persistent_context(
        folder,
        executable_path=shutil.which("chromium"),
        args=[*ARGUMENTS, f"--ignore-certificate-errors-spki-list={trust}"],
        ignore_default_args=LEFT_OUT,
        java_script_enabled=scripts,
    )
    context.set_default_timeout(20_000)
    yield context
    context.close()


def create(page, base, name):
    page.goto(f"{base}/settings/api-keys/new")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Read notes").check()
    page.get_by_role("button", name="Create the key").click()
    page.get_by_role("heading", name="Copy the key now").wait_for()
    return page.locator("#key").inner_text()


def move(page, way):
    """Goes back or forward. Chromium shows a page of its own where it would have to send a form again."""
    try:
        getattr(page, way)(wait_until="commit")
    except Error as error:
        assert "ERR_CACHE_MISS" in error.message or "ERR_ABORTED" in error.message, error


def shown(page):
    """Returns what a page shows once it is complete. A page from the cache announces no load, and one that fails is replaced."""
    for _ in range(400):
        try:
            if page.evaluate("document.readyState") == "complete":
                return page.content()
        except Error as error:
            assert "context was destroyed" in error.message, error
        page.wait_for_timeout(20)
    raise AssertionError("the page does not become complete")


def hold_no_key(page, base, scripts):
    secrets = []

    key = create(page, base, "Reloaded")
    secrets.append(key)
    page.reload()
    assert "This key was already created" in shown(page) and "cannot be shown again" in shown(page), shown(page)

    key = create(page, base, "Left by its link")
    secrets.append(key)
    page.get_by_role("link", name="I have copied the key").click()
    page.get_by_role("link", name="All keys").click()
    for way in ("go_back", "go_back", "go_back", "go_forward"):
        move(page, way)
        assert key not in shown(page), way
    # Here Chromium asks whether to send the form again.
    assert page.url.startswith("chrome-error:"), page.url
    page.reload(wait_until="commit")
    assert "This key was already created" in shown(page) and key not in shown(page), shown(page)

    key = create(page, base, "Left by an address")
    secrets.append(key)
    page.goto("about:blank")
    move(page, "go_back")
    assert key not in shown(page)

    if scripts:
        key = create(page, base, "Hidden")
        secrets.append(key)
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
        assert key not in page.content()

    page.goto(f"{base}/settings/api-keys/new")
    name = f"Sent twice with {scripts=}"
    page.get_by_label("Name").fill(name)
    page.get_by_label("Read notes").check()
    page.get_by_role("button", name="Create the key").dblclick()
    page.get_by_role("heading", name=re.compile("Copy the key now|This key was already created")).wait_for()
    page.goto(f"{base}/settings/api-keys/keys")
    assert page.get_by_role("link", name=name).count() == 1

    session = page.context.new_cdp_session(page)
    entries = session.send("Page.getNavigationHistory")["entries"]
    assert len(entries) > 5
    for entry in entries:
        assert not any(secret in entry["url"] + entry["title"] for secret in secrets), entry
    return secrets


def two_tabs(context, base):
    """Sends one form from two tabs."""
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(f"{base}/settings/api-keys/new")
        page.get_by_label("Name").fill("From two tabs")
        page.get_by_label("Read notes").check()
    form = first.locator("[name=form]").input_value()
    second.locator("[name=form]").evaluate("(field, form) => { field.value = form }", form)
    for page in (first, second):
        page.get_by_role("button", name="Create the key").click()
    key = first.locator("#key").inner_text()
    second.get_by_role("heading", name="This key was already created").wait_for()
    assert "cannot be shown again" in second.content() and key not in second.content()
    return key


def written(text, on_disk):
    return text.encode() in on_disk or text.encode("utf-16-le") in on_disk


def main():
    base, other, trust = ADDRESS, ordinary(), public_key()
    proxy(base, OPTIONS["behind"])
    with sync_playwright() as playwright:
        for scripts in (True, False):
            with TemporaryDirectory() as folder:
                with profile(playwright, folder, scripts, trust) as context:
                    page = context.pages[0]
                    if scripts:
                        # What follows shows nothing unless the browser has a page cache.
                        page.goto(f"{other}/1")
                        page.goto(f"{other}/2")
                        page.go_back(wait_until="commit")
                        assert page.title() == "kept", page.title()
                    faults = Faults(context, base)
                    sign_in(page, "ann", base)
                    secrets = [*hold_no_key(page, base, scripts), two_tabs(context, base)]
                    faults.assert_none()
                on_disk = b"".join(path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())
                assert written("Copy the new key", on_disk), "the profile keeps nothing"
                assert not any(written(secret, on_disk) for secret in secrets)
            check("with scripts" if scripts else "without scripts", f"{len(secrets)} keys were shown once")


main()
