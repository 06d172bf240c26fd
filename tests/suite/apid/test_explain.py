# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A8: what apid makes of the daemons' answers to `explain`; that those are true, suite walk shows."""
SECOND = "another long password"
PASS = {"steps": [{"step": "default", "decided": True, "verdict": "allow", "reason": "default", "generation": 1}]}


def web(verdict="allow", by="default", **more):
    path = {"acts": True, "verdict": verdict, "by": by, "decrypted": False, **PASS, **more}
    return {"host": "a.example", "port": 443, "https": True, "addresses": [], "intercept": path, "proxy": path}


def dns(outcome="forward", **more):
    return {"device": "phone", "name": "a.example", "outcome": outcome, "judges_answer": True, **PASS, **more}


def test_paths_are_put_together_and_whose_rule_it_is(apid, answer):
    owner = apid.owner()
    owner.put("/api/v1/site-overrides/o1", {"device": "phone", "pattern": "a.example", "action": "block"})
    steps = [{"step": "overrides", "decided": True, "verdict": "block", "reason": "override", "rule_id": "o1"},
             {"step": "blocked categories", "decided": False, "reason": "x", "rule_id": "7"}]
    daemons = answer("dnsd", dns()), answer("proxyd", web("block", "overrides", steps=steps))
    status, said = owner.get("/api/v1/explain?device=phone&url=A.example&at=1790000000000")
    assert status == 200, said
    assert said["verdicts"] == {"apps": {"verdict": "block", "layer": "intercept", "by": "overrides"},
                                "browser": {"verdict": "block", "layer": "proxy", "by": "overrides"}}
    assert [s["owner"] for s in said["paths"]["proxy"]["steps"]] == ["local", "directus"]
    assert said["device"]["id"] == "phone" and said["device"]["entitled"] and said["at"] == 1790000000000
    assert daemons[0].calls == [("explain", {"device": "phone", "name": "a.example", "at": 1790000000000})]
    assert daemons[1].calls == [("explain", {"device": "phone", "url": "https://A.example/", "at": 1790000000000})]


def test_what_dns_blocks_never_comes_to_the_apps(apid, answer):
    owner = apid.owner()
    answer("dnsd", dns("block", mode="nxdomain"))
    answer("proxyd", web())
    said = owner.post("/api/v1/explain", {"device": "phone", "url": "http://a.example"})[1]
    assert said["verdicts"]["apps"] == {"verdict": "block", "layer": "dns", "by": "canary"}
    assert said["verdicts"]["browser"]["verdict"] == "allow"
    assert said["url"] == "http://a.example/"


def test_nothing_is_supposed_of_a_daemon_that_does_not_answer(apid, answer):
    owner = apid.owner()
    answer("dnsd", "unknown_device")
    said = owner.get("/api/v1/explain?device=phone&url=a.example")[1]
    assert said["verdicts"] == {"apps": {"verdict": "not known"}, "browser": {"verdict": "not known"}}
    assert said["paths"]["dns"]["unavailable"] == "it does not know the device (yet)"
    assert said["paths"]["proxy"]["unavailable"] == "it does not answer"


def test_address_is_asked_of_the_firewall_not_of_dns(apid, answer):
    owner = apid.owner()
    fwd = answer("fwd", {"allowed": False})
    answer("proxyd", web())
    said = owner.get("/api/v1/explain?device=phone&url=https://93.184.216.34/")[1]
    assert fwd.calls == [("reach", {"source": "10.9.0.2", "address": "93.184.216.34"})]
    assert said["paths"]["dns"] is None
    assert said["verdicts"]["apps"] == {"verdict": "block", "layer": "firewall"}


def test_bad_question_is_refused(apid):
    owner = apid.owner()
    for query in ("device=phone", "url=a.example", "device=none&url=a.example", "device=phone&url=ftp://a",
                  "device=phone&url=http://", "device=phone&url=a%20b", "device=phone&url=%C3%A4.example",
                  "device=phone&url=a&at=x"):
        assert owner.get("/api/v1/explain?" + query)[0] == 400, query


def test_who_is_limited_to_groups_asks_of_their_devices_alone(apid, answer):
    owner = apid.owner()
    owner.put("/api/v1/groups/kids", {})
    owner.post("/api/v1/admins", {"name": "vic", "password": SECOND, "role": "viewer", "groups": ["kids"]})
    vic = apid.client("vic", SECOND)
    answer("dnsd", dns())
    answer("proxyd", web())
    assert vic.get("/api/v1/explain?device=phone&url=a.example")[0] == 400
    assert owner.patch("/api/v1/devices/phone", {"group": "kids"})[0] == 200
    assert vic.get("/api/v1/explain?device=phone&url=a.example")[0] == 200
