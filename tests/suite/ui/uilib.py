# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the administration's pages share."""
import json

import apidlib
from support.redis import Redis

SERVER_KEY = "kQZPB1ZNWvV6lgkRLiZXsO1YbLLvNKn1g6V5zn/b2mU="
SECOND = "another long password"


class World:
    """apid with a database of its own, an owner, and a tunnel that wgd has told of."""

    def __init__(self, place):
        (place / "db").mkdir()
        (place / "run").mkdir()
        self.mariadb = apidlib.MariaDB(place / "db").start()
        self.mariadb.clear()
        self.redis = Redis(place / "run").start()
        self.wgd = apidlib.Wgd(self.redis)
        self.redis("HSET", "culvert:state:tunnels:wgd", "mitm", json.dumps(
            {"name": "mitm", "public_key": SERVER_KEY, "port": 51820, "addresses": ["10.9.0.1", "fd09::1"]}))
        self.redis("SET", "culvert:epoch:wgd", "e")
        self.redis("HSET", "culvert:gens:wgd", "tunnels", '{"gen":1,"wid":"w","full":1}')
        self.apid = apidlib.Apid(place / "run", self.redis, self.mariadb, apidlib.SEED).start()
        self.owner = self.apid.owner()
        self.clients = {apidlib.OWNER: self.owner}
        self.url = "https://127.0.0.1:%d" % self.apid.admin_port

    def account(self, name, role, groups=None):
        """An account of that role, logged in."""
        if name not in self.clients:
            status, body = self.owner.post("/api/v1/admins", {"name": name, "password": SECOND, "role": role,
                                                              "groups": groups})
            assert status == 201, body
            self.clients[name] = self.apid.client(name, SECOND)
        return self.clients[name]

    def cookie(self, user):
        return {"name": apidlib.COOKIE, "value": self.clients[user].cookie, "url": self.url, "secure": True,
                "httpOnly": True, "sameSite": "Lax"}

    def have(self, path, record, key="id"):
        """The record is there, whatever was before."""
        status, body = self.owner.put("/api/v1/%s/%s" % (path, record[key]), record)
        assert status in (200, 201), body
        return body

    def stop(self):
        self.apid.stop()
        self.wgd.close()
        self.redis.stop()
        self.mariadb.stop()
