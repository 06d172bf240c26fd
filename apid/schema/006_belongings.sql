-- SPDX-License-Identifier: GPL-3.0-or-later
-- The device that a record is about and of no use without; NULL = none. It goes with the device.
ALTER TABLE records ADD COLUMN IF NOT EXISTS device VARCHAR(330) AS (
	CASE
		WHEN topic IN ('site_overrides', 'category_prefs', 'appeal_answers')
			THEN LEFT(JSON_VALUE(record, '$.device'), 330)
		WHEN topic = 'device_prefs' AND id LIKE 'device:%' THEN SUBSTRING(id, 8) COLLATE utf8mb4_bin
		WHEN topic = 'dns_rules' AND JSON_VALUE(record, '$.scope') LIKE 'device:%'
			THEN SUBSTRING(JSON_VALUE(record, '$.scope'), 8, 330)
	END) VIRTUAL;

ALTER TABLE records ADD KEY IF NOT EXISTS device (device);
