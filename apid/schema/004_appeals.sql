-- SPDX-License-Identifier: GPL-3.0-or-later
-- What devices asked for (P8), each once by its uuid. n: the order of their coming. effect: JSON, what an approval made.
-- directus_at: Directus has confirmed it; queued: how often it was sent there again, queued_at: when last.
CREATE TABLE IF NOT EXISTS appeals (
	uuid VARCHAR(36) NOT NULL PRIMARY KEY,
	n BIGINT NOT NULL AUTO_INCREMENT UNIQUE,
	url VARCHAR(2048) NOT NULL,
	host VARCHAR(253) NOT NULL,
	mode ENUM('appeal', 'review', 'report') NOT NULL,
	category_id VARCHAR(64) NULL,
	reason TEXT NULL,
	device VARCHAR(64) NULL,
	at BIGINT NOT NULL,
	received_at BIGINT NOT NULL,
	status ENUM('pending', 'rejected', 'approved') NOT NULL DEFAULT 'pending',
	answer VARCHAR(2048) NULL,
	effect LONGTEXT NULL,
	decided_at BIGINT NULL,
	decided_by VARCHAR(130) NULL,
	directus_at BIGINT NULL,
	queued_at BIGINT NOT NULL,
	queued INT NOT NULL DEFAULT 0,
	KEY status (status, n),
	KEY device (device, n),
	KEY directus (directus_at, queued_at)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
