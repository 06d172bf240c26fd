# Fuzz targets: tests/fuzz/fuzz_NAME.c; FUZZ_SRCS_NAME = sources outside the common library.
FUZZERS += conf
FUZZERS += codec
FUZZERS += domainset
