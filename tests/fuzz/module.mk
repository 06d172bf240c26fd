# Fuzz targets: tests/fuzz/fuzz_NAME.c; FUZZ_SRCS_NAME = sources outside the common library.
FUZZERS += conf
FUZZERS += http
FUZZERS += codec
FUZZERS += domainset
FUZZERS += list_parse
FUZZ_SRCS_list_parse = syncd/list_parse.c
FUZZ_LIBS_list_parse = -lidn2 -lpsl

FUZZERS += uapi
FUZZ_SRCS_uapi = wgd/device.c wgd/key.c wgd/uapi.c
FUZZERS += client_hello
FUZZ_SRCS_client_hello = proxyd/client_hello.c
FUZZERS += target
FUZZ_SRCS_target = proxyd/target.c
FUZZERS += apid_request
FUZZ_SRCS_apid_request = apid/provision_request.c
