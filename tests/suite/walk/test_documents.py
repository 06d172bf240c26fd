# SPDX-License-Identifier: GPL-3.0-or-later
"""O7: every command in the documents is executed, here or by a test that is named there, or the document says why not."""
import os
import pathlib
import re
import subprocess
import threading

import pytest

from support import BUILD, ROOT

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
             *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "deploy/doc").glob("*.md"))]
NOT_RUN = 3
NOTE = re.compile(r"^<!-- (not run|run by|run): (.*?)(?:; (until|prints): (.*?))? -->$")


class Block:
    """Commands as somebody types them."""

    def __init__(self, document, line, note, text):
        self.document, self.name = document, "%s:%d" % (document, line)
        self.text = text
        match = NOTE.match(note)
        self.kind, self.where, self.what, self.pattern = match.groups() if match else (None,) * 4


def blocks(document):
    """```sh fences, and lines indented by four that follow an empty line."""
    lines = (ROOT / document).read_text().splitlines()
    note, at = "", 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("```"):
            end = lines.index("```", at + 1)
            yield Block(document, at + 1, note, "\n".join(lines[at + 1:end]))
            note, at = "", end
        elif line.startswith("    ") and (not at or not lines[at - 1].strip()):
            end = at
            while end < len(lines) and lines[end].startswith("    "):
                end += 1
            yield Block(document, at + 1, note, "\n".join(one[4:] for one in lines[at:end]))
            note, at = "", end - 1
        elif line.strip():
            note = line
        at += 1


def whole(document):
    """The test that runs every block of it, in order, where the document's first lines name one."""
    found = re.search(r"^<!-- all run by: (.*?) -->$", (ROOT / document).read_text(), re.M)
    return found and found[1]


ALL = [block for document in DOCUMENTS if not whole(document) for block in blocks(document)]


def of(*kinds):
    return [block for block in ALL if block.kind in kinds]


def named(found):
    return {"argvalues": found, "ids": [block.name for block in found]}


def test_every_block_says_who_runs_it():
    assert len(ALL) > 12
    assert [block.name for block in ALL if block.kind is None] == []


def test_a_document_that_one_test_runs_whole_is_read_there():
    found = {document: whole(document) for document in DOCUMENTS if whole(document)}
    assert "deploy/doc/api.md" in found
    assert all(os.path.basename(document) in (ROOT / test).read_text() for document, test in found.items())


def test_few_blocks_are_not_run_and_each_says_why():
    found = of("not run")
    assert all(len(block.where) > 20 for block in found)
    assert len(found) == NOT_RUN, [block.name for block in found]


@pytest.mark.parametrize("block", **named(of("run by")))
def test_the_test_that_is_named_runs_such_commands(block):
    text = (ROOT / block.where).read_text()
    text += "".join(p.read_text() for p in (ROOT / block.where).parent.glob("*lib.py"))
    if os.path.basename(block.document) in text:  # it runs what stands there
        return
    for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
        program = re.search(r"(?:^|\| |&& )(?:alias )?([a-z][a-z-]*)", line)[1]
        assert program in text, (program, block.where)


@pytest.fixture(scope="module")
def shell(lab, tmp_path_factory):
    """The paths of the package as they are in the lab, and the programs as they are in the build."""
    folder = tmp_path_factory.mktemp("documents")
    programs = folder / "bin"
    programs.mkdir()
    conf = lab.places.in_run("etc", "culvert.conf")
    build = (ROOT / BUILD / "bin").resolve()
    for name, command in (("culvert-backup", "exec sh %s/deploy/backup/culvert-backup.in -c %s -k %s/key" % (ROOT, conf, folder)),
                          ("culvert-restore", "exec sh %s/deploy/backup/culvert-restore.in" % ROOT),
                          ("culvert-import", "exec %s/deploy/import/culvert-import --daemons %s --programs %s -c %s" % (
                              ROOT, build, build, conf))):
        (programs / name).write_text('#!/bin/sh\n%s "$@"\n' % command)
        (programs / name).chmod(0o755)
    env = dict(lab.env, PATH="%s:%s:%s" % (programs, build, os.environ["PATH"]), CULVERT_SBIN=str(build), LC_ALL="C.UTF-8")
    places = {"/run/culvert/redis.sock": lab.places.bus_socket, "--user operator": "--user " + lab.places.bus_user,
              "/etc/culvert/secrets/redis-operator": lab.places.secret("redis-" + lab.places.bus_user),
              "/etc/culvert/secrets/backup": "%s/key" % folder, "/etc/culvert/culvert.conf": conf,
              "/media/usb": str(folder), "/var/backups/culvert": str(folder)}

    def start(block):
        text = block.text
        for path, there in places.items():
            text = text.replace(path, there)
        enter = None if block.where in ("repository", "lab") else lab.hosts[{"gateway": "gw"}[block.where]].enter
        return subprocess.Popen(["bash", "-ec", "shopt -s expand_aliases\n" + text], cwd=ROOT, env=env, preexec_fn=enter,
                                text=True, errors="backslashreplace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
    return start


def read_until(process, pattern, cause):
    """What it prints until that comes, which `cause` brings about, but not before the process listens; it ends then."""
    timer = threading.Timer(60, process.kill)
    timer.start()
    said, seen = [], threading.Event()

    def go_on():
        while process.poll() is None and not seen.wait(0.5):
            cause()
    thread = threading.Thread(target=go_on)
    thread.start()
    for line in process.stdout:
        said.append(line)
        if re.search(pattern, line):
            break
    seen.set()
    thread.join()
    timer.cancel()
    process.terminate()
    process.wait()
    return "".join(said)


@pytest.mark.parametrize("block", **named([b for b in of("run") if b.where != "lab"]))
def test_it_runs(block, shell, lab):
    process = shell(block)
    if block.what == "until":
        said = read_until(process, block.pattern, lambda: lab.dig("phone", "allowed.example"))
        assert re.search(block.pattern, said), block.text
        return
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert not block.pattern or re.search(block.pattern, said), said


def test_the_commands_without_internet_run(lab):
    """But for those that build, and that take the lab up and down: the fixture does."""
    block, = [b for b in of("run") if b.where == "lab"]
    lines = block.text.splitlines()
    assert lines[0] == "deploy/deps build run test && make" and lines[1] == "tests/lab up" and lines[-1] == "tests/lab down"
    for line in lines[2:-1]:
        words = line.split()
        assert words[:2] == ["tests/lab", "exec"]
        assert lab.command(*words[1:]).stdout.strip()


def test_links_lead_somewhere():
    for document in DOCUMENTS:
        folder = (ROOT / document).parent
        for link in re.findall(r"\]\(([^)#:]+)\)|src=\"([^\"]+)\"", (ROOT / document).read_text()):
            assert (folder / (link[0] or link[1])).exists(), (document, link)


def test_pictures_are_small():
    assert sum(p.stat().st_size for p in pathlib.Path(ROOT / "deploy/doc").rglob("*") if p.suffix in (".webp", ".png", ".svg")) < 300_000
