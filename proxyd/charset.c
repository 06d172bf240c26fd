/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/charset.h"
#include "proxyd/fold.h"
#include "proxyd/html_tag.h"
#include "proxyd/media_type.h"
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REPLACEMENT 0xfffd

struct charset {
	iconv_t cd;   /* to UTF-32 */
	size_t width; /* bytes of an invalid unit: 2 in UTF-16 */
	uint8_t asterisk[2];
};

/* Labels (WHATWG Encoding 4.2) that iconv knows as something else, or not. NULL: UTF-8. */
static const struct {
	const char *label, *name;
} labels[] = {
	{ "utf-8", NULL },
	{ "utf8", NULL },
	{ "unicode-1-1-utf-8", NULL },
	{ "us-ascii", "CP1252" },
	{ "ascii", "CP1252" },
	{ "iso-8859-1", "CP1252" },
	{ "iso8859-1", "CP1252" },
	{ "latin1", "CP1252" },
	{ "l1", "CP1252" },
	{ "iso-8859-9", "CP1254" },
	{ "latin5", "CP1254" },
	{ "iso-8859-11", "CP874" },
	{ "tis-620", "CP874" },
	{ "windows-874", "CP874" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "x-sjis", "CP932" },
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "ms_kanji", "CP932" },
	{ "windows-31j", "CP932" },
	{ "euc-jp", "EUC-JP-MS" },
	{ "x-euc-jp", "EUC-JP-MS" },
	{ "gb2312", "GB18030" },
	{ "gbk", "GB18030" },
	{ "x-gbk", "GB18030" },
	{ "gb_2312-80", "GB18030" },
	{ "chinese", "GB18030" },
	{ "big5", "BIG5-HKSCS" },
	{ "x-x-big5", "BIG5-HKSCS" },
	{ "euc-kr", "CP949" },
	{ "ks_c_5601-1987", "CP949" },
	{ "ksc5601", "CP949" },
	{ "korean", "CP949" },
	{ "windows-949", "CP949" },
	{ "utf-16", "UTF-16LE" },
	{ "unicode", "UTF-16LE" },
	{ "unicodefeff", "UTF-16LE" },
	{ "csunicode", "UTF-16LE" },
	{ "ucs-2", "UTF-16LE" },
	{ "iso-10646-ucs-2", "UTF-16LE" },
	{ "unicodefffe", "UTF-16BE" },
	{ "x-user-defined", "CP1252" }, /* above ASCII there is no text in it */
	{ "x-mac-cyrillic", "MAC-CYRILLIC" },
	{ "x-cp1251", "CP1251" },
	{ "x-cp1252", "CP1252" },
};

/* What browsers read, and we do not; with some of them they show nothing at all. */
static bool is_foreign(const char *label)
{
	static const char *const labels_of_state[] = { "iso-2022-jp", "csiso2022jp", "iso-2022-kr",
		"csiso2022kr", "iso-2022-cn", "iso-2022-cn-ext", "hz-gb-2312", "replacement" };

	for (size_t i = 0; i < sizeof(labels_of_state) / sizeof(labels_of_state[0]); i++) {
		if (!strcasecmp(label, labels_of_state[i]))
			return true;
	}
	return false;
}

/* State, or no browser's. */
static bool is_refused(const char *label)
{
	static const char *const starts[] = { "iso-2022", "iso2022", "csiso2022", "hz", "utf-7",
		"utf7", "utf-32", "utf32", "ucs", "iso-10646" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (!strncasecmp(label, starts[i], strlen(starts[i])))
			return true;
	}
	return strchr(label, '/') != NULL; /* //TRANSLIT */
}

/* 1 when `in` gave one character (or there is none left of several), else as iconv's errno. */
static int take_char(struct charset *cs, const uint8_t **in, size_t *len, uint32_t *cp)
{
	uint8_t out[4] = { 0 };
	char *from = (char *)(uintptr_t)*in, *to = (char *)out;
	size_t room = sizeof(out);
	size_t ret = iconv(cs->cd, &from, len, &to, &room);
	int err = ret == (size_t)-1 ? errno : 0;

	*in = (const uint8_t *)from;
	*cp = (uint32_t)out[0] | (uint32_t)out[1] << 8 | (uint32_t)out[2] << 16 |
	      (uint32_t)out[3] << 24;
	return room ? -err : 1;
}

/* The markup's own characters must be what they look like. */
static bool reads_ascii(struct charset *cs)
{
	for (uint8_t c = ' '; c < 0x7f; c++) {
		const uint8_t *p = &c;
		size_t len = 1;
		uint32_t cp;

		if (take_char(cs, &p, &len, &cp) != 1 || cp != c)
			return false;
	}
	return true;
}

static int open_as(const char *name, struct charset **out)
{
	struct charset *cs = calloc(1, sizeof(*cs));
	bool is_wide = !strncasecmp(name, "UTF-16", 6);

	if (!cs)
		return -ENOMEM;
	cs->cd = iconv_open("UTF-32LE", name);
	if (cs->cd == (iconv_t)-1) {
		free(cs);
		return -ENOENT;
	}
	cs->width = is_wide ? 2 : 1;
	cs->asterisk[is_wide && strcasecmp(name, "UTF-16BE") == 0] = '*';
	if (!is_wide && !reads_ascii(cs)) {
		charset_close(cs);
		return -ENOENT;
	}
	*out = cs;
	return 0;
}

int charset_open(const char *label, struct charset **out)
{
	*out = NULL;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (!strcasecmp(labels[i].label, label))
			return labels[i].name ? open_as(labels[i].name, out) : 0;
	}
	if (is_foreign(label))
		return -ENOTSUP;
	return is_refused(label) ? -ENOENT : open_as(label, out);
}

void charset_close(struct charset *cs)
{
	if (!cs)
		return;
	iconv_close(cs->cd);
	free(cs);
}

const uint8_t *charset_asterisk(const struct charset *cs, size_t *len)
{
	*len = cs->width;
	return cs->asterisk;
}

static int add_char(struct buf *text, struct buf *lens, uint32_t cp, size_t len)
{
	uint8_t bytes[4];

	if (buf_append(text, bytes, (size_t)utf8_encode(cp, bytes)))
		return -ENOMEM;
	return buf_append_byte(lens, (uint8_t)len) ? -ENOMEM : 0;
}

/* Some charsets hold a character back that the next one may change: what is held at the end. */
static int take_held(struct charset *cs, uint32_t *cp)
{
	uint8_t out[4] = { 0 };
	char *to = (char *)out;
	size_t room = sizeof(out);

	iconv(cs->cd, NULL, NULL, &to, &room);
	*cp = (uint32_t)out[0] | (uint32_t)out[1] << 8 | (uint32_t)out[2] << 16;
	return room ? -EILSEQ : 1;
}

/* One character: how many bytes were taken; -1: it may be unfinished. */
static long decode_char(
	struct charset *cs, const uint8_t *data, size_t len, bool is_last, uint32_t *cp)
{
	const uint8_t *p = data;
	size_t left = len;
	int ret;

	if (cs->width == 1 && *p < 0x80) {
		*cp = *p;
		return 1;
	}
	ret = take_char(cs, &p, &left, cp);
	if (!ret && is_last)
		ret = take_held(cs, cp);
	if (ret == 1)
		return p - data;
	iconv(cs->cd, NULL, NULL, NULL, NULL);
	if ((!ret || ret == -EINVAL) && !is_last)
		return -1;
	*cp = REPLACEMENT;
	return (long)(len < cs->width ? len : cs->width);
}

long charset_decode(struct charset *cs, const uint8_t *data, size_t len, bool is_last,
	struct buf *text, struct buf *lens)
{
	size_t at = 0;

	while (at < len) {
		uint32_t cp = 0;
		long n = decode_char(cs, data + at, len - at, is_last, &cp);

		if (n < 0)
			break;
		if (add_char(text, lens, cp, (size_t)n))
			return -ENOMEM;
		at += (size_t)n;
	}
	return (long)at;
}

/* ---- sniffing ---- */

static const char *find_mark(const uint8_t *p, size_t len)
{
	if (len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		return "utf-8";
	if (len >= 2 && !memcmp(p, "\xff\xfe", 2))
		return "utf-16le";
	if (len >= 2 && !memcmp(p, "\xfe\xff", 2))
		return "utf-16be";
	return NULL;
}

static bool is_label(const char *label)
{
	struct charset *cs;
	int err = charset_open(label, &cs);

	charset_close(cs);
	return err != -ENOENT;
}

/* The charset that a meta tag declares (HTML 13.2.3.2). */
static bool read_meta(const struct html_tag *t, char *out, size_t out_len)
{
	char *charset = html_tag_get(t, "charset"), *name = html_tag_get(t, "http-equiv"),
	     *content = html_tag_get(t, "content");
	bool found = charset != NULL;

	if (charset)
		snprintf(out, out_len, "%s", charset);
	else if (name && content && !strcasecmp(name, "content-type"))
		found = !media_parameter(content, "charset", out, out_len);
	free(charset);
	free(name);
	free(content);
	/* It could not be read in that charset. */
	if (found && !strncasecmp(out, "utf-16", 6))
		snprintf(out, out_len, "utf-8");
	if (!found || is_label(out))
		return found;
	out[0] = '\0';
	return false;
}

static void sniff_meta(const uint8_t *p, size_t len, char *out, size_t out_len)
{
	const uint8_t *end = p + len, *found;
	struct html_tag tag;

	html_tag_init(&tag);
	while ((p = memchr(p, '<', (size_t)(end - p)))) {
		if (end - p >= 4 && !memcmp(p, "<!--", 4)) {
			found = memmem(p, (size_t)(end - p), "-->", 3);
			p = found ? found : end;
			continue;
		}
		html_tag_start(&tag, false);
		p++;
		if (p < end && (*p | 32) == 'm')
			html_tag_take(&tag, p, (size_t)(end - p));
		if (tag.state == TAG_DONE && html_tag_is(&tag, "meta") &&
			read_meta(&tag, out, out_len))
			break;
	}
	html_tag_fini(&tag);
}

void charset_sniff(const uint8_t *data, size_t len, bool is_html, char *out, size_t out_len)
{
	const char *mark = find_mark(data, len);

	out[0] = '\0';
	if (mark)
		snprintf(out, out_len, "%s", mark);
	else if (is_html)
		sniff_meta(data, len < CHARSET_LOOK ? len : CHARSET_LOOK, out, out_len);
}
