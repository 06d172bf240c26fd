# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of the administration's pages: what is served, logging in, getting about."""
import gzip
import http.client
import re
import ssl

from apidlib import totp


def fetch(world, path, headers=None):
    context = ssl.create_default_context(cafile=str(world.apid.dir / "state" / "apid" / "admin-ca.pem"))
    conn = http.client.HTTPSConnection("127.0.0.1", world.apid.admin_port, timeout=30, context=context)
    conn.request("GET", path, headers=headers or {})
    answer = conn.getresponse()
    body = answer.read()
    conn.close()
    return answer, body


def test_page_names_files_that_browsers_keep_for_ever(world):
    page, body = fetch(world, "/")
    assert page.status == 200 and page.headers["Cache-Control"] == "no-cache"
    for path in re.findall(r'(?:href|src)="(/ui/[^"]+)"', body.decode()):
        answer, data = fetch(world, path)
        assert answer.status == 200 and data, path
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert fetch(world, path, {"If-None-Match": answer.headers["ETag"]})[0].status == 304


def test_files_are_compressed_for_who_takes_it(world):
    plain, text = fetch(world, "/")
    packed, data = fetch(world, "/", {"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(data) == text
    assert plain.headers["ETag"] != packed.headers["ETag"] and packed.headers["Vary"] == "Accept-Encoding"


def test_page_may_run_nothing_but_the_gateways_scripts(world):
    policy = fetch(world, "/")[0].headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "style-src 'self'" in policy
    assert "unsafe" not in policy and "require-trusted-types-for 'script'" in policy


def test_file_of_another_version_is_given_and_not_kept(world):
    answer, data = fetch(world, "/ui/0123456789ab/app/main.js")
    assert answer.status == 200 and data and answer.headers["Cache-Control"] == "no-store"
    assert fetch(world, "/ui/0123456789ab/app/none.js")[0].status == 404


def test_login_asks_for_the_second_factor_where_there_is_one(world, open_page):
    world.account("tina", "admin")
    client = world.apid.client("tina", "another long password")
    secret = client.post("/auth/totp/begin")[1]["secret"]
    assert client.post("/auth/totp/confirm", {"totp": totp(secret)})[0] == 200
    page = open_page(user=None)
    open_page.expected.append("401")  # a browser tells of every answer that is a refusal
    page.fill("input[name=user]", "tina")
    page.fill("input[name=password]", "wrong")
    page.click("button[type=submit]")
    page.see("Name or password is wrong.")
    page.fill("input[name=password]", "another long password")
    page.keyboard_press("Enter")
    page.waitForSelector("input[name=code]")
    page.fill("input[name=code]", totp(secret, step=1))
    page.keyboard_press("Enter")
    page.waitForSelector("h1 >> text=Overview")


def test_session_that_ends_is_asked_for_again_and_the_page_stays(world, open_page):
    world.account("sam", "admin")
    page = open_page("/devices", user="sam")
    open_page.expected += ["401", "/ws/stats"]
    page.see("Add device")
    sessions = world.owner.get("/api/v1/sessions")[1]["items"]
    for session in sessions:
        if session["admin"] == "sam":
            assert world.owner.delete("/api/v1/sessions/" + session["id"])[0] == 204
    page.evaluate("document.querySelector('a[data-page=overview]').click()")  # the question may be there before
    page.see("Log in again")
    page.fill("dialog input[name=user]", "sam")
    page.fill("dialog input[name=password]", "another long password")
    page.keyboard_press("Enter")
    page.waitForSelector("dialog", {"state": "detached"})
    page.click("a[data-page=devices]")
    page.waitForSelector("h1 >> text=Devices")
    del world.clients["sam"]


def test_everything_is_reached_by_keyboard(open_page):
    page = open_page("/overview")
    page.wait("!document.querySelector('main .ghost')")
    page.keyboard_press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard_press("g")
    page.keyboard_press("d")
    page.waitForSelector("h1 >> text=Devices")
    page.wait("document.activeElement === document.querySelector('main h1') && !document.querySelector('main .ghost')")
    page.keyboard_press("/")
    page.wait("document.activeElement.type === 'search'")
    page.waitForSelector("main .t-row")
    page.keyboard_press("ArrowDown")
    page.wait("document.activeElement.matches('a.open')")
    page.keyboard_press("Enter")
    page.waitForSelector("h1 >> text=Phone")


def test_address_of_nothing_says_so(open_page):
    page = open_page("/nothing-of-the-kind")
    page.see("There is no such thing")


def test_a_save_without_network_says_so_beside_its_button_and_is_done_when_it_is_back(world, open_page):
    world.have("devices", {"id": "far-phone", "name": "Far phone"})
    open_page.expected += ["ERR_INTERNET_DISCONNECTED"]
    page = open_page("/devices/far-phone/policy")
    page.waitForSelector("select[name=images]")
    page.context_setOffline(True)
    page.selectOption("select[name=images]", "hide")
    page.click("main >> role=button[name='Save']")
    page.see("Is the network up?")
    page.wait("""(() => { const box = document.querySelector("main form [role=alert]").getBoundingClientRect();
        return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight; })()""")
    page.waitForSelector(".banner >> visible=true")
    page.context_setOffline(False)
    page.wait("document.querySelector('.banner').hidden")
    page.click("main >> role=button[name='Save']")
    page.see("Saved")
    assert world.owner.get("/api/v1/devices/far-phone")[1]["images"] == "hide"


def test_a_gateway_that_is_back_is_noticed_although_nobody_asks_for_anything(world, open_page):
    page = open_page("/me")
    page.evaluate("""(() => { const real = fetch; globalThis.fetch = () => Promise.reject(new TypeError("out of reach"));
        globalThis.back = () => { globalThis.fetch = real; }; dispatchEvent(new Event("online")); })()""")
    page.evaluate("import(document.querySelector('script[type=module]').src.replace('main.js', 'api.js')).then(api => api.get('/auth/me', {once: true}).catch(() => 0))")
    page.waitForSelector(".banner >> visible=true")
    page.evaluate("back()")
    page.wait("document.querySelector('.banner').hidden")


def test_a_switch_shows_what_it_is_in_forced_colours(world, open_page):
    page = open_page("/settings/access", forcedColors="active")
    page.waitForSelector("main .switch input")
    colours = page.evaluate("""[true, false].map(is => { const box = document.querySelector("main .switch input");
        box.checked = is;
        return [getComputedStyle(box).backgroundColor, getComputedStyle(box, "::before").backgroundColor]; })""")
    assert colours[0][0] != colours[1][0] and all(track != knob for track, knob in colours), colours
