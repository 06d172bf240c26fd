-- SPDX-License-Identifier: GPL-3.0-or-later
-- Who may use the API, and how several apid follow each other's changes.

-- One row. Whoever writes takes its lock first, so that commits have one order.
CREATE TABLE IF NOT EXISTS change_seq (
	one TINYINT NOT NULL PRIMARY KEY,
	seq BIGINT NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

INSERT IGNORE INTO change_seq (one, seq) VALUES (1, 0);

-- What changed under which number; kept for a while. topic * = everything.
CREATE TABLE IF NOT EXISTS changes (
	seq BIGINT NOT NULL,
	topic VARCHAR(32) NOT NULL,
	id VARCHAR(330) NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (seq, topic, id),
	KEY at (at)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- allowed_groups: JSON array of group ids, NULL = all. totp_seed is sealed; recovery: JSON array of SHA-256 in hex.
CREATE TABLE IF NOT EXISTS admins (
	name VARCHAR(64) NOT NULL PRIMARY KEY,
	password CHAR(60) NOT NULL,
	role ENUM('viewer', 'helper', 'admin', 'owner') NOT NULL,
	allowed_groups JSON NULL,
	totp_seed VARBINARY(64) NULL,
	totp_enabled TINYINT NOT NULL DEFAULT 0,
	totp_step BIGINT NOT NULL DEFAULT 0,
	recovery JSON NULL,
	created_at BIGINT NOT NULL,
	password_at BIGINT NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- hash: SHA-256 of the session's number, in hex.
CREATE TABLE IF NOT EXISTS sessions (
	hash CHAR(64) NOT NULL PRIMARY KEY,
	admin VARCHAR(64) NOT NULL,
	created_at BIGINT NOT NULL,
	seen_at BIGINT NOT NULL,
	address VARCHAR(45) NOT NULL,
	agent VARCHAR(256) NOT NULL,
	KEY seen_at (seen_at),
	CONSTRAINT sessions_admin FOREIGN KEY (admin) REFERENCES admins (name) ON DELETE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Bearer tokens. hash: SHA-256 of the token, in hex.
CREATE TABLE IF NOT EXISTS tokens (
	id VARCHAR(32) NOT NULL PRIMARY KEY,
	hash CHAR(64) NOT NULL,
	name VARCHAR(64) NOT NULL,
	admin VARCHAR(64) NOT NULL,
	role ENUM('viewer', 'helper', 'admin', 'owner') NOT NULL,
	scopes JSON NOT NULL,
	allowed_groups JSON NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NULL,
	used_at BIGINT NULL,
	UNIQUE KEY hash (hash),
	CONSTRAINT tokens_admin FOREIGN KEY (admin) REFERENCES admins (name) ON DELETE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Tokens of devices, and one-time enrolment links. hash: SHA-256, in hex.
CREATE TABLE IF NOT EXISTS device_tokens (
	hash CHAR(64) NOT NULL PRIMARY KEY,
	device VARCHAR(64) NOT NULL,
	kind ENUM('token', 'enrolment') NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NULL,
	KEY device (device),
	CONSTRAINT device_tokens_device FOREIGN KEY (device) REFERENCES devices (id) ON DELETE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

ALTER TABLE audit
	ADD COLUMN IF NOT EXISTS address VARCHAR(45) NOT NULL DEFAULT '',
	ADD COLUMN IF NOT EXISTS old LONGTEXT NULL,
	ADD COLUMN IF NOT EXISTS new LONGTEXT NULL,
	MODIFY subject VARCHAR(400) NOT NULL,
	MODIFY action VARCHAR(64) NOT NULL;
