proxyd_SRCS = $(sort $(wildcard proxyd/*.c))
proxyd_LIBS = -lpsl
# Stages of bodies and the word filter, which unit tests, fuzzers and tools link alone.
BODY_SRCS := $(addprefix proxyd/,body.c body_brotli.c body_coding.c body_zlib.c body_zstd.c)
BODY_LIBS := -lz -lbrotlidec -lbrotlienc -lzstd
WORDS_SRCS := $(addprefix proxyd/,charset.c fold.c html_entity.c html_scan.c html_script.c html_srcdoc.c html_tag.c \
	js_scan.c json_scan.c masker.c masker_fold.c media_type.c string_escape.c words.c words_automaton.c words_hyperscan.c words_stage.c)
WORDS_LIBS := -lunistring $(if $(wildcard /usr/include/hs/hs.h),-lhs)
IMAGE_SRCS := $(addprefix proxyd/,body.c fold.c html_entity.c html_tag.c image_blank.c image_cache.c image_size.c image_stage.c xml_root.c)
proxyd_LIBS += $(BODY_LIBS) $(WORDS_LIBS)
