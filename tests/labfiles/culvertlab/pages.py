# SPDX-License-Identifier: GPL-3.0-or-later
"""What the origins serve, as files."""
import io
import json
import os
import random

from PIL import Image

from .places import write_file
from .scenery import SITES

IMAGE_FORMATS = {"a.png": "PNG", "a.jpg": "JPEG", "a.gif": "GIF", "a.webp": "WEBP"}
BIG_BYTES = 10 * 1024 * 1024
LIST_TEXT = "! the lab's adblock list\n||listed.example^\n"


def _page(name, body=""):
    return ("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>"
            "</head>\n<body><h1>%s</h1>\n%s</body></html>\n" % (name, name, body))


def _image(kind):
    gradient = Image.linear_gradient("L").resize((640, 480))
    picture = Image.merge("RGB", (gradient, gradient.rotate(180), gradient.rotate(90)))
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def _extra_files(name):
    if name == "words.example":
        text = "An ordinary sentence with forbiddenword in it."
        return {
            "index.html": _page(name, "<p class=\"forbiddenword\">%s</p>\n"
                                      "<script>var t = \"forbiddenword\";</script>\n" % text),
            "page.js": "var text = \"forbiddenword of %s\";\n" % name,
            "page.json": json.dumps({"host": name, "text": text}),
            "page.txt": "%s\n%s\n" % (name, text),
            "clean.html": _page(name, "<p>Nothing to hide here.</p>\n"),
        }
    if name == "images.example":
        files = {file: _image(kind) for file, kind in IMAGE_FORMATS.items()}
        files["index.html"] = _page(name, "".join("<img src=\"/%s\" alt=\"\">\n" % f
                                                  for f in IMAGE_FORMATS))
        return files
    if name == "big.example":
        return {"10m": random.Random(1).randbytes(BIG_BYTES)}
    if name == "lists.example":
        return {"adblock.txt": LIST_TEXT, "hosts.txt": "0.0.0.0 hosts-entry.example\n"}
    return {}


def write_pages(top):
    """One directory per site below top."""
    for name in SITES:
        folder = os.path.join(top, name)
        os.makedirs(folder)
        files = {"index.html": _page(name)}
        files.update(_extra_files(name))
        for file, data in files.items():
            write_file(os.path.join(folder, file), data)
