-- SPDX-License-Identifier: GPL-3.0-or-later
-- What devices did, added up. step: 0 a minute, 1 an hour, 2 a day; at: its begin, epoch seconds (UTC).
CREATE TABLE IF NOT EXISTS statistics (
	step TINYINT NOT NULL,
	at BIGINT NOT NULL,
	device VARCHAR(64) NOT NULL,
	dns_allowed BIGINT NOT NULL,
	dns_blocked BIGINT NOT NULL,
	dns_failed BIGINT NOT NULL,
	web_allowed BIGINT NOT NULL,
	web_blocked BIGINT NOT NULL,
	web_unknown BIGINT NOT NULL,
	web_failed BIGINT NOT NULL,
	web_bytes BIGINT NOT NULL,
	refused_packets BIGINT NOT NULL,
	refused_bytes BIGINT NOT NULL,
	PRIMARY KEY (step, at, device)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS statistics_lists (
	step TINYINT NOT NULL,
	at BIGINT NOT NULL,
	device VARCHAR(64) NOT NULL,
	list VARCHAR(64) NOT NULL,
	hits BIGINT NOT NULL,
	PRIMARY KEY (step, at, device, list)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Registrable domains, of devices whose privacy lets them be told; verdict: 0 allow, 1 deny, 2 unknown, 3 failed.
CREATE TABLE IF NOT EXISTS statistics_domains (
	step TINYINT NOT NULL,
	at BIGINT NOT NULL,
	device VARCHAR(64) NOT NULL,
	domain VARCHAR(253) NOT NULL,
	verdict TINYINT NOT NULL,
	hits BIGINT NOT NULL,
	bytes BIGINT NOT NULL,
	PRIMARY KEY (step, at, device, domain, verdict)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
