apid_SRCS = apid/main.c apid/bus.c apid/conf.c apid/api_keys.c apid/db.c apid/db_batch.c apid/db_op.c \
	apid/device_request.c apid/digest.c apid/provision.c apid/provision_request.c apid/provision_work.c apid/schema.c apid/seed.c apid/store.c \
	apid/store_change.c apid/store_load.c apid/store_seed.c apid/topics.c
apid_LIBS = -lmariadb
CFLAGS_apid_db = -I/usr/include/mariadb
CFLAGS_apid_db_batch = $(CFLAGS_apid_db)
CFLAGS_apid_db_op = $(CFLAGS_apid_db)
# The migrations are part of the program.
$(B)/obj/apid/schema.o: $(wildcard apid/schema/*.sql)
