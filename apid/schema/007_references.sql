-- SPDX-License-Identifier: GPL-3.0-or-later
-- The category and the group that a record names; NULL = none. What names a category keeps it, what is about a group goes with it.
ALTER TABLE records
	ADD COLUMN IF NOT EXISTS category VARCHAR(330) AS (
		CASE WHEN topic IN ('websites', 'category_prefs') THEN LEFT(JSON_VALUE(record, '$.category'), 330) END) VIRTUAL,
	ADD COLUMN IF NOT EXISTS of_group VARCHAR(330) AS (
		CASE
			WHEN topic IN ('site_overrides', 'category_prefs') THEN LEFT(JSON_VALUE(record, '$.group'), 330)
			WHEN topic = 'device_prefs' AND id LIKE 'group:%' THEN SUBSTRING(id, 7) COLLATE utf8mb4_bin
			WHEN topic = 'dns_rules' AND JSON_VALUE(record, '$.scope') LIKE 'group:%'
				THEN SUBSTRING(JSON_VALUE(record, '$.scope'), 7, 330)
		END) VIRTUAL;

ALTER TABLE records ADD KEY IF NOT EXISTS category (category), ADD KEY IF NOT EXISTS of_group (of_group);
