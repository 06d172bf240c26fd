-- SPDX-License-Identifier: GPL-3.0-or-later
-- Statements end with a semicolon at the end of a line and may run again after a crash.
CREATE TABLE IF NOT EXISTS meta (
	name VARCHAR(64) NOT NULL PRIMARY KEY,
	value VARCHAR(255) NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Devices: what is looked up has a column, addresses a table; record holds the other fields.
-- origin: seed rows follow the seed file, local rows do not.
CREATE TABLE IF NOT EXISTS devices (
	id VARCHAR(64) NOT NULL PRIMARY KEY,
	tunnel VARCHAR(32) NULL,
	record JSON NOT NULL,
	origin ENUM('local', 'seed', 'stale') NOT NULL DEFAULT 'local'
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS device_addresses (
	address VARCHAR(45) NOT NULL PRIMARY KEY,
	device VARCHAR(64) NOT NULL,
	position TINYINT UNSIGNED NOT NULL,
	KEY device (device, position),
	CONSTRAINT device_addresses_device FOREIGN KEY (device) REFERENCES devices (id) ON DELETE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS device_keys (
	device VARCHAR(64) NOT NULL PRIMARY KEY,
	public_key CHAR(44) NOT NULL,
	preshared_key CHAR(44) NULL,
	UNIQUE KEY public_key (public_key),
	CONSTRAINT device_keys_device FOREIGN KEY (device) REFERENCES devices (id) ON DELETE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Every other topic: groups, settings, categories, websites …
CREATE TABLE IF NOT EXISTS records (
	topic VARCHAR(32) NOT NULL,
	id VARCHAR(330) NOT NULL,
	record JSON NOT NULL,
	origin ENUM('local', 'seed', 'stale') NOT NULL DEFAULT 'local',
	PRIMARY KEY (topic, id)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Keys of the provisioning API; hash is SHA-256 of a random key.
CREATE TABLE IF NOT EXISTS api_keys (
	name VARCHAR(64) NOT NULL PRIMARY KEY,
	hash BINARY(32) NOT NULL,
	created_at BIGINT NOT NULL,
	revoked_at BIGINT NULL,
	UNIQUE KEY hash (hash)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS audit (
	id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
	at BIGINT NOT NULL,
	actor VARCHAR(128) NOT NULL,
	action VARCHAR(32) NOT NULL,
	subject VARCHAR(128) NOT NULL,
	detail JSON NULL,
	KEY at (at)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
