apid_SRCS = apid/main.c apid/accounts.c apid/admin_tls.c apid/api.c apid/api_keys.c apid/apid_api.c apid/apid_live.c apid/apid_store.c apid/appeal_decision.c apid/appeal_store.c apid/appeals.c apid/base64url.c apid/body.c apid/bulk.c apid/bulk_devices.c apid/bus.c apid/call.c apid/cells.c apid/conf.c apid/csv.c apid/deed.c \
	apid/db.c apid/db_batch.c apid/db_host.c apid/db_op.c apid/device_request.c apid/explain.c apid/device_body.c apid/device_change.c apid/device_doc.c apid/device_listeners.c apid/digest.c apid/followed.c apid/front.c apid/gateways.c apid/identify.c apid/known.c apid/lease.c apid/mail.c apid/mail_message.c apid/notify.c apid/notify_settings.c apid/notify_webhook.c apid/outside.c apid/limiter.c apid/login.c apid/page.c apid/peers.c \
	apid/password.c apid/precondition.c apid/provision.c apid/provision_request.c apid/provision_work.c apid/purge.c apid/qr.c apid/record.c apid/resources.c \
	apid/openapi.c apid/openapi_schema.c apid/route.c apid/routes.c apid/routes_admins.c apid/routes_appeals.c apid/routes_audit.c apid/routes_auth.c apid/routes_backups.c apid/routes_bulk.c apid/routes_ca.c apid/routes_credentials.c apid/routes_device.c apid/routes_devices.c apid/routes_directus.c apid/routes_document.c apid/routes_explain.c apid/routes_firewall.c apid/routes_keys.c apid/routes_lists.c apid/routes_notify.c apid/routes_setup.c apid/routes_tokens.c apid/routes_unblock.c \
	apid/routes_totp.c apid/schema.c apid/secret.c \
	apid/seed.c apid/setup.c apid/smtp_reply.c apid/setup_page.c apid/store.c apid/store_apply.c apid/store_belongings.c apid/store_change.c apid/store_edit.c apid/store_names.c apid/store_uses.c apid/store_follow.c \
	apid/store_load.c apid/store_reseed.c apid/store_seed.c apid/store_setup.c apid/store_transact.c apid/store_work.c apid/table.c apid/topics.c apid/totp.c apid/tunnels.c apid/unblock.c apid/uri.c \
	apid/write.c proxyd/form.c syncd/list_url_parse.c proxyd/html.c wgd/key.c
apid_SRCS += apid/routes_pinned.c apid/routes_ui.c
apid_SRCS += apid/alarms.c apid/list_names.c apid/live.c apid/live_filter.c apid/live_row.c apid/live_rows.c apid/live_verdict.c apid/metrics.c apid/routes_health.c apid/routes_live.c apid/routes_metrics.c apid/routes_statistics.c apid/statistics.c apid/statistics_write.c apid/stats.c apid/statuses.c apid/tallies.c apid/watching.c \
	apid/websocket.c apid/websocket_key.c
apid_LIBS = -lwslay -lmariadb -lcrypt -lqrencode
apid_SRCS += apid/policy_drop.c
CFLAGS_apid_db = -I/usr/include/mariadb
CFLAGS_apid_db_batch = $(CFLAGS_apid_db)
CFLAGS_apid_db_op = $(CFLAGS_apid_db)
# The migrations are part of the program.
$(B)/obj/apid/schema.o: $(wildcard apid/schema/*.sql)
# So is the UI. Its graphs are drawn by Debian's libjs-chart.js.
CHART_JS = /usr/share/javascript/chart.js/chart.min.js
UI_FILES = apid/ui/index.html $(sort $(wildcard apid/ui/app/* apid/ui/pages/* apid/ui/public/* apid/ui/texts/*))
$(B)/gen/ui_files.c: apid/ui/embed $(CHART_JS) $(UI_FILES)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  GEN $@')
	$(Q)apid/ui/embed $@ $(CHART_JS) $(UI_FILES)
$(B)/obj/apid/ui_files.o: $(B)/gen/ui_files.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<
$(B)/bin/apid: $(B)/obj/apid/ui_files.o
apid_LIBS += $(B)/obj/apid/ui_files.o
