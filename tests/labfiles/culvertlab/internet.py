# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the simulated Internet and the LAN host: nginx and the resolver."""
import os
import shutil
import socket

from launcher.process import Process

from .certificates import make_certificates
from .pages import write_pages
from .places import make_dir, write_file
from .scenery import ALIASES, DOH_UPSTREAM_PORT, RESOLVERS, SITES, site_addresses

NGINX_HEAD = """
daemon off;
worker_processes 1;
user nobody nogroup;
pid {work}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 4096; }}
http {{
	types {{
		text/html html; text/plain txt; application/javascript js; application/json json;
		image/png png; image/jpeg jpg; image/gif gif; image/webp webp;
	}}
	default_type application/octet-stream;
	client_body_temp_path {work}/body;
	proxy_temp_path {work}/proxy;
	fastcgi_temp_path {work}/fastcgi;
	uwsgi_temp_path {work}/uwsgi;
	scgi_temp_path {work}/scgi;
	client_max_body_size 64m;
	keepalive_timeout 75;
	gzip on;
	gzip_min_length 64;
	gzip_types text/plain application/javascript application/json;
	log_format lab escape=json '{{"t":$msec,"src":"$remote_addr","dst":"$server_addr",'
		'"host":"$host","scheme":"$scheme","protocol":"$server_protocol",'
		'"method":"$request_method","uri":"$request_uri","status":$status,'
		'"bytes":$body_bytes_sent,"sni":"$ssl_server_name"}}';
	access_log {log} lab;
"""
NGINX_TLS = """
	ssl_certificate_key {certs}/server.key;
	ssl_protocols TLSv1.2 TLSv1.3;
	ssl_session_cache shared:lab:1m;
"""
HEADERS_PAGE = """
		location = /headers {
			default_type application/json;
			set $asked '"host":"$host","method":"$request_method","args":"$args"';
			set $accepts '"accept":"$http_accept","encoding":"$http_accept_encoding"';
			set $client '"agent":"$http_user_agent","via":"$http_via"';
			set $more '"forwarded":"$http_x_forwarded_for","youtube":"$http_youtube_restrict"';
			return 200 "{$asked,$accepts,$client,$more}";
		}
		location = /altsvc {
			add_header Alt-Svc 'h3=":443"; ma=86400';
			default_type text/plain;
			return 200 "$host\\n";
		}
		location = /echo {
			proxy_pass http://127.0.0.1:@PORT@;
			proxy_http_version 1.1;
		}
""".replace("@PORT@", str(DOH_UPSTREAM_PORT))


def _bracket(address):
    return "[%s]" % address if ":" in address else address


def _site_server(name, addresses, certs, body, work):
    names = [name] + [alias for alias, of in ALIASES.items() if of == name]
    lines = ["\tserver {", "\t\tserver_name %s;" % " ".join(names)]
    for address in addresses:
        lines += ["\t\tlisten %s:80;" % _bracket(address),
                  "\t\tlisten %s:443 ssl http2;" % _bracket(address)]
    lines += ["\t\tssl_certificate %s/%s.pem;" % (certs, name),
              "\t\troot %s/www/%s;" % (work, name), body, "\t}"]
    return "\n".join(lines) + "\n"


def _inet_config(places, certs):
    work = places.in_run("inet")
    text = (NGINX_HEAD + NGINX_TLS).format(work=work, certs=certs, log=places.log("inet-http"))
    for name in SITES:
        text += _site_server(name, site_addresses(name), certs, HEADERS_PAGE, work)
    doh = ("\t\tlocation = /dns-query {\n\t\t\tproxy_pass http://127.0.0.1:%d;\n"
           "\t\t\tproxy_http_version 1.1;\n\t\t\tproxy_set_header X-Source $remote_addr;\n"
           "\t\t\tproxy_set_header X-Destination $server_addr;\n\t\t}\n"
           "\t\tlocation / { default_type text/plain; return 200 \"%%s\\n\"; }"
           % DOH_UPSTREAM_PORT)
    for name, addresses in RESOLVERS.items():
        text += _site_server(name, addresses, certs, doh % name, work)
    return text + "}\n"


def _listening(address, port):
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def start_internet(places, host):
    """Pages, certificates, nginx and resolver of inet; internet-ca.pem for the tests."""
    work = make_dir(places.in_run("inet"))
    certs = make_dir(places.in_run("inet", "certs"), 0o700)
    made = make_certificates(places.cache)
    for file in os.listdir(made):
        if file.endswith(".pem") or file.endswith(".key"):
            shutil.copy(os.path.join(made, file), certs)
    shutil.copyfile(os.path.join(made, "ca.pem"), places.in_run("etc", "internet-ca.pem"))
    shutil.copyfile(os.path.join(made, "ca.pem"),
                    os.path.join(places.lab_dir, "internet-ca.pem"))
    write_pages(os.path.join(work, "www"))
    config = os.path.join(work, "nginx.conf")
    write_file(config, _inet_config(places, certs))
    dns = Process(host, "inet-resolver")
    dns.start(["/usr/bin/python3", "-B", os.path.join(places.files, "resolver.py"), certs,
               places.log("inet-dns")])
    web = Process(host, "inet-nginx")
    web.start(["nginx", "-c", config, "-p", work, "-e", "stderr"])
    web.await_ready(lambda: host.call(_listening, "1.1.1.1", 443))
    dns.await_ready(lambda: host.call(_listening, "127.0.0.1", DOH_UPSTREAM_PORT))


def start_lan(places, host):
    """The LAN host's web server."""
    work = make_dir(places.in_run("lan"))
    text = NGINX_HEAD.format(work=work, log=places.log("lan-http")).replace('"$ssl_server_name"',
                                                                          '""')
    text += ("\tserver {\n\t\tlisten 80;\n\t\tlisten [::]:80;\n\t\tdefault_type text/plain;\n"
             "\t\tlocation / { return 200 \"lan $remote_addr\\n\"; }\n\t}\n}\n")
    config = os.path.join(work, "nginx.conf")
    write_file(config, text)
    web = Process(host, "lan-nginx")
    web.start(["nginx", "-c", config, "-p", work, "-e", "stderr"])
    web.await_ready(lambda: host.call(_listening, "127.0.0.1", 80))
