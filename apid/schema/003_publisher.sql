-- SPDX-License-Identifier: GPL-3.0-or-later
-- Which apid publishes. One row: who holds it, until when by the database's clock, and its number, higher with every
-- holder. node: the server whose lock culvert.….publisher it has too, '' = none.
CREATE TABLE IF NOT EXISTS publisher (
	one TINYINT NOT NULL PRIMARY KEY,
	holder CHAR(32) NOT NULL,
	number BIGINT NOT NULL,
	node VARCHAR(512) NOT NULL,
	expires_at BIGINT NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

INSERT IGNORE INTO publisher (one, holder, number, node, expires_at) VALUES (1, '', 0, '', 0);
