# SPDX-License-Identifier: GPL-3.0-or-later
"""The appeal portal as a browser without script sees it: pages, their forms, what is sent."""
import contextlib
import html.parser
import json
import urllib.parse

PATH = "/.kvylock/appeal"
GATEWAY = "http://10.9.0.1"
FORM_TYPE = "application/x-www-form-urlencoded"


class Page(html.parser.HTMLParser):
    """title, text, links (text → href), form (action, method) and its fields."""

    def __init__(self, response):
        super().__init__(convert_charrefs=True)
        self.response, self.status = response, response.status
        self.title = self.text = ""
        self.links, self.fields, self.options, self.form = {}, {}, [], None
        self.labels, self.items = {}, []
        self.stack, self.href = [], None
        self.feed(response.text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "link", "input", "img", "br", "wbr"):
            self.stack.append((tag, attrs))
        if tag == "form":
            self.form = attrs
        if tag in ("input", "textarea", "select"):
            self.fields[attrs["name"]] = attrs.get("value", "")
        if tag == "option":
            self.options.append((attrs["value"], ""))
        if tag == "li":
            self.items.append("")

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1][0] == tag, (tag, self.stack)
        self.stack.pop()

    def handle_data(self, data):
        tag, attrs = self.stack[-1] if self.stack else ("", {})
        if tag in ("style", "script"):
            return
        if tag == "title":
            self.title += data
            return
        if tag == "a":
            self.links[data] = attrs["href"]
        if tag == "option":
            self.options[-1] = (self.options[-1][0], data)
        if tag == "label":
            self.labels[attrs["for"]] = data
        if any(t == "li" for t, _ in self.stack):
            self.items[-1] += data
        self.text += data + " "


def fetch(world, url, who="internet", method="GET", headers=(), body=None):
    get = world.get_secure if url.startswith("https:") else world.get
    return Page(get(url, who, method=method, headers=headers, body=body))


def address(base=GATEWAY, path=PATH, **fields):
    return base + path + ("?" + urllib.parse.urlencode(fields) if fields else "")


def origin(url):
    parts = urllib.parse.urlsplit(url)
    return "%s://%s" % (parts.scheme, parts.netloc)


def submit(world, page, url, /, who="internet", headers=None, **fields):
    """Sends the page's form, which came from url, with these fields instead of its own."""
    assert page.form["method"] == "post"
    if headers is None:
        headers = [("Origin", origin(url)), ("Sec-Fetch-Site", "same-origin"),
                   ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    return post(world, urllib.parse.urljoin(url, page.form["action"]), who, headers,
                {**page.fields, **fields})


def post(world, url, who="internet", headers=(), fields=None, body=None):
    if body is None:
        body = urllib.parse.urlencode({k: v for k, v in (fields or {}).items() if v is not None}).encode()
    return fetch(world, url, who, "POST", [("Content-Type", FORM_TYPE), *headers], body)


def stored(world, **match):
    """Appeals in Redis whose members match, oldest first."""
    entries = world.redis("XRANGE", "culvert:queue:appeals", "-", "+") or []
    records = [json.loads(dict(zip(fields[::2], fields[1::2]))["record"]) for _, fields in entries]
    return [r for r in records if all(r.get(k) == v for k, v in match.items())]


def spooled(world):
    """Appeals on the disk of proxyd; one that is confirmed meanwhile is gone."""
    found = []
    for file in sorted((world.dir / "state/proxyd/queue-appeals").glob("*.json")):
        with contextlib.suppress(FileNotFoundError):
            found.append(json.loads(file.read_text()))
    return found
