/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The word filter in HTML, scripts, JSON and text (SPEC P9); every case is also cut at every byte.
 */
#include "proxyd/words_stage.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

static const struct words_term terms[] = { { "forbidden", false }, { "ass", true },
	{ "bad phrase", false }, { "straße", false }, { "été", true }, { "a<b", false },
	{ "日本", false }, { "bid", false }, { "denim", false } };

static int on_sink(void *arg, const void *data, size_t len)
{
	return buf_append(arg, data, len);
}

static struct words *compile(enum words_engine engine)
{
	struct words *w = NULL;

	INT_IS(words_compile(engine, terms, sizeof(terms) / sizeof(terms[0]), NULL, &w), 0);
	return w;
}

/* Filters, in two pieces; cut 0: in one; SIZE_MAX: byte by byte. */
static void filter(const struct words_options *opt, const char *in, size_t len, size_t cut,
	struct buf *out, struct words_result *result)
{
	const struct body_sink sink = { on_sink, NULL, out };
	struct body_chain c;
	int err = 0;

	buf_init(out, 0);
	*result = (struct words_result){ 0 };
	body_chain_init(&c, &sink);
	OK(!body_chain_add(&c, words_stage_new(opt, result)));
	for (size_t at = 0; cut == SIZE_MAX && at < len && !err; at++)
		err = body_chain_write(&c, in + at, 1);
	if (cut != SIZE_MAX && cut)
		err = body_chain_write(&c, in, cut);
	if (cut != SIZE_MAX && !err)
		err = body_chain_write(&c, in + cut, len - cut);
	if (!err)
		err = body_chain_end(&c);
	INT_IS(err, 0);
	body_chain_fini(&c);
	buf_append(out, "", 0);
}

static void check_with(
	struct words_options *opt, const char *in, size_t len, const char *want, size_t want_len)
{
	struct words_result result;
	struct buf out;

	for (int engine = WORDS_AUTOMATON; engine <= WORDS_HYPERSCAN; engine++) {
		if (!words_has_engine((enum words_engine)engine))
			continue;
		opt->words = compile((enum words_engine)engine);
		for (size_t cut = 0; cut <= len; cut++) {
			filter(opt, in, len, cut == len ? SIZE_MAX : cut, &out, &result);
			if (out.len != want_len || memcmp(out.data, want, want_len)) {
				tap_ok = false;
				printf("# engine %d, cut at %zu: got \"%s\", want \"%s\"\n", engine,
					cut, out.data, want);
			}
			buf_fini(&out);
		}
		words_unref(opt->words);
	}
}

static void check(enum media_kind kind, const char *in, const char *want)
{
	struct words_options opt = { .kind = kind, .charset = "utf-8" };

	check_with(&opt, in, strlen(in), want, strlen(want));
}

static void same(enum media_kind kind, const char *in)
{
	check(kind, in, in);
}

static void test_text_of_elements_is_masked(void)
{
	check(MEDIA_HTML, "<p class=\"forbidden\">so forbidden here</p>",
		"<p class=\"forbidden\">so ********* here</p>");
	check(MEDIA_HTML, "forbidden", "*********");
	check(MEDIA_HTML, "<b>FoRbIdDeN</b>xforbiddenx", "<b>*********</b>x*********x");
	check(MEDIA_HTML, "<a href=x>forbidden<br/>bad<b>phrase</b></a>",
		"<a href=x>*********<br/>bad<b>phrase</b></a>");
}

static void test_attributes_that_people_see_are_masked(void)
{
	check(MEDIA_HTML, "<img alt=\"so forbidden\" src=forbidden><i TITLE='forbidden'>",
		"<img alt=\"so *********\" src=forbidden><i TITLE='*********'>");
	check(MEDIA_HTML, "<input placeholder = forbidden value=forbidden aria-label=forbidden>x",
		"<input placeholder = ********* value=forbidden aria-label=*********>x");
	check(MEDIA_HTML, "<option label='forb&#105;dden' title=\"\" alt>forbidden",
		"<option label='*********' title=\"\" alt>*********");
	check(MEDIA_HTML, "<a alt=ass><a title='ass' alt=\"'ass'\" data-title='ass'><b alt=>ass",
		"<a alt=***><a title='***' alt=\"'***'\" data-title='ass'><b alt=>***");
	same(MEDIA_HTML, "<p title='bad'>phrase</p><link title=forbidden><p titles='forbidden'>");
	same(MEDIA_HTML, "</p title='forbidden'><p alt='bad&am");
}

static void test_pages_in_attributes_are_masked(void)
{
	check(MEDIA_HTML, "<iframe srcdoc=\"<p class='forbidden'>so forbidden<b>bad</b> phrase\">",
		"<iframe srcdoc=\"<p class='forbidden'>so *********<b>bad</b> phrase\">");
	check(MEDIA_HTML,
		"<iframe srcdoc='&lt;p title=&quot;&gt;forbidden&quot;&gt;forb&#105;dden &lt; "
		"ass&gt;'>",
		"<iframe srcdoc='&lt;p title=&quot;&gt;forbidden&quot;&gt;********* &lt; "
		"***&gt;'>");
	check(MEDIA_HTML,
		"<iframe srcdoc=\"<!-- it's forbidden --><script>'forbidden'<a</script>ass\">",
		"<iframe srcdoc=\"<!-- it's forbidden --><script>'forbidden'<a</script>***\">");
	same(MEDIA_HTML, "<iframe srcdoc=\"<style>ass</style><a alt=ass \">ass</iframe>");
	check(MEDIA_HTML, "<iframe srcdoc=forbidden title=ass srcdoc=\"<p\" alt=ass>",
		"<iframe srcdoc=********* title=*** srcdoc=\"<p\" alt=***>");
}

static void test_occurrences_may_overlap(void)
{
	check(MEDIA_HTML, "<p>forbiddenim</p>", "<p>***********</p>");
	check(MEDIA_TEXT, "forforbiddenbidx", "for************x");
}

static void test_exact_terms_are_whole_words(void)
{
	check(MEDIA_HTML,
		"<p>ass, class asset (ass) ass_ ass-x \xc3\xa9"
		"ass ass</p>",
		"<p>***, class asset (***) ass_ ***-x \xc3\xa9"
		"ass ***</p>");
	check(MEDIA_HTML, "<p>l'été étés</p>", "<p>l'*** étés</p>");
	check(MEDIA_TEXT, "ass", "***");
	check(MEDIA_TEXT, "asse", "asse");
}

static void test_case_is_folded_in_unicode(void)
{
	check(MEDIA_HTML, "<p>STRAßE Straße ÉTÉ</p>", "<p>****** ****** ***</p>");
	check(MEDIA_HTML, "<p>das 日本語</p>", "<p>das **語</p>");
	check(MEDIA_HTML, "<p>e\xcc\x81te\xcc\x81!</p>", "<p>*****!</p>");
}

static void test_white_space_is_one_blank(void)
{
	check(MEDIA_HTML, "<p>bad \n\t phrase</p>", "<p>*************</p>");
	check(MEDIA_HTML, "<p>bad&nbsp;phrase bad\xc2\xa0phrase</p>",
		"<p>********** **********</p>");
	same(MEDIA_HTML, "<p>bad, phrase badphrase</p>");
}

static void test_unseen_characters_do_not_hide_a_term(void)
{
	check(MEDIA_HTML,
		"<p>for\xc2\xad"
		"bidden f&shy;orbidden</p>",
		"<p>********* *********</p>");
	same(MEDIA_HTML, "<p>for\xc2\xad"
			 "tunate &shy;x</p>");
}

static void test_references_count_as_their_character(void)
{
	check(MEDIA_HTML, "<p>&#102;orbidden f&#x6F;rbidden &eacute;t&eacute; a&lt;b</p>",
		"<p>********* ********* *** ***</p>");
	check(MEDIA_HTML, "<p>&forbidden &amp;forbidden; x&unknownforbidden;</p>",
		"<p>&********* &amp;*********; x&unknownforbidden;</p>");
	same(MEDIA_HTML, "<p>&#xZ; &; &# &#x110000; AT&T &");
}

static void test_what_browsers_without_scripts_see_is_masked(void)
{
	check(MEDIA_HTML, "<noscript>forbidden</noscript>forbidden",
		"<noscript>*********</noscript>*********");
	check(MEDIA_HTML,
		"<noscript><p class='forbidden'>for&#98;idden</p>1 < 2 forbidden<img src=forbidden>"
		"</NoScript ><p>forbidden",
		"<noscript><p class='forbidden'>*********</p>1 < 2 *********<img "
		"src=forbidden>"
		"</NoScript ><p>*********");
	check(MEDIA_HTML,
		"<noscript><style>.forbidden{}</style><script>forbidden</script>forbidden"
		"</noscripts>forbidden</noscript>",
		"<noscript><style>.forbidden{}</style><script>forbidden</script>*********"
		"</noscripts>*********</noscript>");
	/* Its end is the first one there is, whatever is open. */
	check(MEDIA_HTML, "<noscript><!-- </noscript>forbidden -->",
		"<noscript><!-- </noscript>********* -->");
	check(MEDIA_HTML, "<noscript><a title=\"</noscript>forbidden\">",
		"<noscript><a title=\"</noscript>*********\">");
	check(MEDIA_HTML, "<noscript><iframe></noscript>forbidden",
		"<noscript><iframe></noscript>*********");
	check(MEDIA_HTML, "<noscript><style></noscript><noscript>forbidden &am</noscript>",
		"<noscript><style></noscript><noscript>********* &am</noscript>");
	same(MEDIA_HTML, "<noscript>bad</noscript>phrase<noscript>bad</nos");
}

static void test_markup_stays(void)
{
	same(MEDIA_HTML, "<!doctype forbidden><!-- forbidden --><forbidden forbidden='>forbidden' "
			 "a=\"forbidden>\" b=forbidden/></forbidden><?forbidden?></ forbidden>");
	same(MEDIA_HTML, "<!--> <!---><!-- -- forbidden --!><style>.forbidden{}</style>"
			 "<iframe>forbidden</iframe><noframes>forbidden</noframes>");
	check(MEDIA_HTML, "<!-->forbidden<!--->forbidden-->", "<!-->*********<!--->*********-->");
	check(MEDIA_HTML, "<!-- - -- -> --!>forbidden", "<!-- - -- -> --!>*********");
	check(MEDIA_HTML, "a < b forbidden <3 <<b>forbidden</b>",
		"a < b ********* <3 <<b>*********</b>");
	check(MEDIA_HTML, "<p\n>forbidden</p\n><p/ =a=>forbidden",
		"<p\n>*********</p\n><p/ =a=>*********");
}

static void test_titles_and_text_areas_are_text(void)
{
	check(MEDIA_HTML, "<title>forbidden <b>&#102;orbidden</b></titlex></TITLE >forbidden",
		"<title>********* <b>*********</b></titlex></TITLE >*********");
	check(MEDIA_HTML, "<textarea><!--forbidden</textarea>",
		"<textarea><!--*********</textarea>");
	check(MEDIA_HTML, "<xmp>&#102; forbidden</xmp>", "<xmp>&#102; *********</xmp>");
	check(MEDIA_HTML, "<plaintext></plaintext>forbidden", "<plaintext></plaintext>*********");
}

static void test_strings_of_inline_scripts_are_masked(void)
{
	check(MEDIA_HTML, "<script>var forbidden = \"forbidden\";</script>forbidden",
		"<script>var forbidden = \"*********\";</script>*********");
	check(MEDIA_HTML, "<script type=module>x('forbidden')//'forbidden'\n</script>",
		"<script type=module>x('*********')//'forbidden'\n</script>");
	check(MEDIA_HTML,
		"<script type='application/ld+json'>{\"forbidden\":\"forbidden\"}</script>",
		"<script type='application/ld+json'>{\"forbidden\":\"*********\"}</script>");
	same(MEDIA_HTML, "<script type=importmap>{\"a\":\"forbidden\"}</script>"
			 "<script type=text/template><p>forbidden</p></script>"
			 "<script src=x>'forbidden'</script>");
}

static void test_the_end_of_a_script_is_found_as_browsers_do(void)
{
	check(MEDIA_HTML, "<script><!-- \n'</script>forbidden",
		"<script><!-- \n'</script>*********");
	check(MEDIA_HTML, "<script>'forbidden<\\/script>'</script>",
		"<script>'*********<\\/script>'</script>");
	check(MEDIA_HTML,
		"<script><!--<script>'forbidden'</script>\n'forbidden'--></script>forbidden",
		"<script><!--<script>'forbidden'</script>\n'*********'--></script>*********");
	check(MEDIA_HTML, "<script><!--><script></script>forbidden",
		"<script><!--><script></script>*********");
	check(MEDIA_HTML, "<script>'</scriptx>forbidden'</script >forbidden",
		"<script>'</scriptx>*********'</script >*********");
}

static void test_scripts_allowed_by_hash_stay(void)
{
	same(MEDIA_HTML, "<meta http-equiv=Content-Security-Policy content=\"script-src "
			 "'sha256-abc'\"><script>'forbidden'</script>");
	struct words_options opt = {
		.kind = MEDIA_HTML, .charset = "utf-8", .keeps_scripts = true
	};
	static const char page[] = "<script>'forbidden'</script>";
	check_with(&opt, page, strlen(page), page, strlen(page));
}

static void test_xhtml_ends_elements_at_once(void)
{
	check(MEDIA_XHTML,
		"<title>so <b>forbidden</b></title><iframe><forbidden/>forbidden</iframe>",
		"<title>so <b>*********</b></title><iframe><forbidden/>*********</iframe>");
	check(MEDIA_XHTML, "<noscript><!-- </noscript> -->forbidden</noscript>",
		"<noscript><!-- </noscript> -->*********</noscript>");
	check(MEDIA_XHTML, "<script/>forbidden<title/>forbidden<![CDATA[forbidden]] ]]>forbidden",
		"<script/>*********<title/>*********<![CDATA[*********]] ]]>*********");
	check(MEDIA_HTML, "<svg><script/>forbidden<![CDATA[forbidden]]></svg><![CDATA[forbidden>x",
		"<svg><script/>*********<![CDATA[*********]]></svg><![CDATA[forbidden>x");
}

static void test_javascript_strings_and_templates(void)
{
	check(MEDIA_JS,
		"a='forbidden';b=\"forbidden\";c=`forbidden ${d('forbidden')+`forbidden`} "
		"forbidden`",
		"a='*********';b=\"*********\";c=`********* ${d('*********')+`*********`} "
		"*********`");
	check(MEDIA_JS,
		"a='\\x66orbidden \\u0066orbidden \\u{66}orbidden for\\\nbidden \\146orbidden'",
		"a='********* ********* ********* ********* *********'");
	check(MEDIA_JS, "a='\\'forbidden\\\\'", "a='\\'*********\\\\'");
}

static void test_javascript_code_comments_and_expressions_stay(void)
{
	same(MEDIA_JS, "forbidden(); // 'forbidden'\n/* 'forbidden' */ x = /'forbidden'[/']/g;"
		       "y = a / b / forbidden; <!-- 'forbidden'\n");
	check(MEDIA_JS,
		"if (a) /'/.test(b); f(c) / 2 + '/forbidden'; g = {} / 1; h++ / 2; '/forbidden'",
		"if (a) /'/.test(b); f(c) / 2 + '/*********'; g = {} / 1; h++ / 2; '/*********'");
	check(MEDIA_JS, "function f() {} /'/.test('forbidden'); return /\"/ + \"forbidden\"",
		"function f() {} /'/.test('*********'); return /\"/ + \"*********\"");
	check(MEDIA_JS, "x.return / 2; '/forbidden'", "x.return / 2; '/*********'");
}

static void test_keys_and_modules_stay(void)
{
	check(MEDIA_JS,
		"x = {'forbidden': 'forbidden', \"forbidden\" : 1, a: ['forbidden', 'forbidden']}",
		"x = {'forbidden': '*********', \"forbidden\" : 1, a: ['*********', '*********']}");
	same(MEDIA_JS, "import a from './forbidden.js'; import 'forbidden'; import('forbidden');"
		       "export * from \"forbidden\"; require('forbidden')");
	check(MEDIA_JS, "a ? 'forbidden' : 'forbidden'; Array.from('forbidden')",
		"a ? '*********' : '*********'; Array.from('*********')");
}

static void test_a_program_that_cannot_be_followed_stays(void)
{
	same(MEDIA_JS, "x = 'forbidden\n'; y = 'forbidden'");
	same(MEDIA_JS, "x = ); y = 'forbidden'");
	same(MEDIA_JS, "x = `forbidden");
	check(MEDIA_HTML, "<script>x = 'forbidden\n</script>forbidden",
		"<script>x = 'forbidden\n</script>*********");
}

static void test_json_values_are_masked(void)
{
	check(MEDIA_JSON,
		"{\"forbidden\":\"forbidden\",\"a\":[\"forbidden\",{\"b\":\"x forbidden\"}],"
		"\"forbidden\" : 1}",
		"{\"forbidden\":\"*********\",\"a\":[\"*********\",{\"b\":\"x *********\"}],"
		"\"forbidden\" : 1}");
	check(MEDIA_JSON, "\"\\u0066orbidden \\\" bad\\nphrase \\u00e9t\\u00e9\\\\\"",
		"\"********* \\\" ********** ***\\\\\"");
	check(MEDIA_JSON, ")]}'\n[\"forbidden\"]\n[\"forbidden\"]",
		")]}'\n[\"*********\"]\n[\"*********\"]");
	same(MEDIA_JSON, "{\"a\":\"\\ud83d\\ude00 \\ud83d \\udc00 \\u12\",\"b\":null}");
}

static void test_json_that_is_too_deep_stays(void)
{
	char deep[2200];

	memset(deep, '[', 2000);
	snprintf(deep + 2000, 200, "\"forbidden\"");
	struct words_options opt = { .kind = MEDIA_JSON, .charset = "utf-8" };
	struct words_result result;
	struct buf out;

	opt.words = compile(WORDS_AUTOMATON);
	filter(&opt, deep, strlen(deep), 0, &out, &result);
	STR_IS((char *)out.data, deep);
	buf_fini(&out);
	words_unref(opt.words);
}

static void test_bytes_that_are_no_utf8_stay(void)
{
	check(MEDIA_HTML, "\xff\xc0\x80<p>\xe9t\xe9 \xf0\x9f forbidden\xe2\x82</p>\xf0",
		"\xff\xc0\x80<p>\xe9t\xe9 \xf0\x9f *********\xe2\x82</p>\xf0");
	check(MEDIA_TEXT, "\xed\xa0\x80 forbidden\xf4\x90\x80\x80",
		"\xed\xa0\x80 *********\xf4\x90\x80\x80");
}

static void check_charset(const char *label, enum media_kind kind, const char *in, size_t len,
	const char *want, size_t want_len)
{
	struct words_options opt = { .kind = kind, .charset = label };

	check_with(&opt, in, len, want, want_len);
}

#define CHARSET(label, kind, in, want)                                                             \
	check_charset(label, kind, in, sizeof(in) - 1, want, sizeof(want) - 1)

static void test_declared_charsets_are_read(void)
{
	CHARSET("ISO-8859-1", MEDIA_HTML,
		"<p>\xc9T\xe9 stra\xdf"
		"e \x80\xff</p>",
		"<p>*** ****** \x80\xff</p>");
	CHARSET("windows-1251", MEDIA_HTML, "<p>forbidden \xe0\xe1</p>",
		"<p>********* \xe0\xe1</p>");
	/* 表 is 95 5C, whose second byte is a backslash. */
	CHARSET("Shift_JIS", MEDIA_JS, "a='\x95\x5c';b='\x93\xfa\x96{';c='\x95\\forbidden'",
		"a='\x95\x5c';b='**';c='\x95\\*********'");
	CHARSET("gb2312", MEDIA_HTML, "<p>\xc8\xd5\xb1\xbe\xd3\xef \xff</p>",
		"<p>**\xd3\xef \xff</p>");
	CHARSET("big5", MEDIA_HTML, "<p>\xa4\xe9\xa5\xbb \x88\x62\x88</p>",
		"<p>** \x88\x62\x88</p>");
	CHARSET("utf-16le", MEDIA_HTML, "\xff\xfe<\0p\0>\0\xe9\0t\0\xe9\0<\0/\0p\0>\0\x00\xd8x",
		"\xff\xfe<\0p\0>\0*\0*\0*\0<\0/\0p\0>\0\x00\xd8x");
	CHARSET("utf-16be", MEDIA_TEXT, "\0f\0o\0r\0b\0i\0d\0d\0e\0n",
		"\0*\0*\0*\0*\0*\0*\0*\0*\0*");
}

static void test_charsets_with_state_pass(void)
{
	CHARSET("iso-2022-jp", MEDIA_HTML, "forbidden", "forbidden");
	CHARSET("HZ-GB-2312", MEDIA_HTML, "forbidden", "forbidden");

	struct words_options opt = { .kind = MEDIA_HTML, .charset = "iso-2022-jp" };
	struct words_result result;
	struct buf out;
	opt.words = compile(WORDS_AUTOMATON);
	filter(&opt, "forbidden", 9, 0, &out, &result);
	OK(result.has_unknown_charset);
	buf_fini(&out);
	words_unref(opt.words);
}

/* Browsers do as if nothing had been declared, and show it. */
static void test_words_under_a_charset_that_is_none_are_masked(void)
{
	static const char *const none[] = { "no-such-thing", "utf-7", "utf8mb4", "iso-2022-jp-2",
		"ibm037", "ucs-4", "latin1//translit", "x-user-defined", "" };

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		CHARSET(none[i], MEDIA_HTML, "<p>forbidden \xff</p>", "<p>********* \xff</p>");
		CHARSET(none[i], MEDIA_JSON, "[\"forbidden\"]", "[\"*********\"]");
	}
	CHARSET("none", MEDIA_HTML, "<meta charset=utf-7><meta charset=latin1>\xe9t\xe9",
		"<meta charset=utf-7><meta charset=latin1>***");
	CHARSET("unicodeFFFE", MEDIA_TEXT, "\0b\0i\0d", "\0*\0*\0*");

	struct words_options opt = { .kind = MEDIA_HTML, .charset = "none" };
	struct words_result result;
	struct buf out;
	opt.words = compile(WORDS_AUTOMATON);
	filter(&opt, "forbidden", 9, 0, &out, &result);
	OK(result.has_unknown_charset);
	buf_fini(&out);
	words_unref(opt.words);
}

static void test_the_page_may_declare_its_charset(void)
{
	CHARSET(NULL, MEDIA_HTML, "<!--<meta charset=utf-8>--><meta charset=\"latin1\">\xe9t\xe9",
		"<!--<meta charset=utf-8>--><meta charset=\"latin1\">***");
	CHARSET(NULL, MEDIA_HTML,
		"<META HTTP-EQUIV='Content-Type' CONTENT='text/html; charset=iso-8859-1'>\xe9t\xe9",
		"<META HTTP-EQUIV='Content-Type' CONTENT='text/html; charset=iso-8859-1'>***");
	CHARSET(NULL, MEDIA_HTML, "\xef\xbb\xbf<meta charset=latin1>\xc3\xa9t\xc3\xa9",
		"\xef\xbb\xbf<meta charset=latin1>***");
	CHARSET("utf-8", MEDIA_HTML, "<meta charset=latin1>\xe9t\xe9",
		"<meta charset=latin1>\xe9t\xe9");
	CHARSET(NULL, MEDIA_JSON, "\"forbidden\"", "\"*********\"");
	CHARSET(NULL, MEDIA_TEXT,
		"\xff\xfe"
		"b\0i\0d\0",
		"\xff\xfe*\0*\0*\0");
}

static void on_integrity(void *arg, const char *url, const char *base)
{
	buf_printf(arg, "%s %s\n", url, base);
}

static void test_integrity_is_told(void)
{
	static const char page[] = "<base href='https://cdn.example/x/'><script integrity=sha384-a "
				   "src=\"a.js?x=1&amp;y\"></script><link rel=stylesheet "
				   "href=b.css integrity=''><script src=c.js></script>";
	struct words_options opt = { .kind = MEDIA_HTML };
	struct words_result result;
	struct buf out, told;

	buf_init(&told, 0);
	opt.html = (struct html_ops){ on_integrity, &told };
	opt.words = compile(WORDS_AUTOMATON);
	filter(&opt, page, strlen(page), SIZE_MAX, &out, &result);
	STR_IS((char *)told.data,
		"a.js?x=1&y https://cdn.example/x/\nb.css https://cdn.example/x/\n");
	buf_fini(&told);
	buf_fini(&out);
	words_unref(opt.words);
}

/* Long texts between which nothing is found pass in bounded memory, whatever they are made of. */
static void test_what_is_held_back_is_bounded(void)
{
	static const char *const parts[] = { "bad                                ", "forbidde",
		"\xc2\xad\xc2\xad\xc2\xad\xc2\xad", "&shy;", "f", "&#32;", "bad\t", "<", "'",
		"&amp" };
	struct words_options opt = { .kind = MEDIA_HTML };

	opt.words = compile(WORDS_AUTOMATON);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct words_result result = { 0 };
		struct body_chain c;
		struct buf out;
		const struct body_sink sink = { on_sink, NULL, &out };
		size_t in = 0;

		buf_init(&out, 0);
		body_chain_init(&c, &sink);
		OK(!body_chain_add(&c, words_stage_new(&opt, &result)));
		while (in < 1u << 20) {
			OK(!body_chain_write(&c, parts[i], strlen(parts[i])));
			in += strlen(parts[i]);
			OK(in - out.len < MASKER_HELD);
		}
		OK(!body_chain_end(&c));
		body_chain_fini(&c);
		OK(out.len == in);
		buf_fini(&out);
	}
	words_unref(opt.words);
}

/* 10,000 bodies under way at once, fed in turn, in pieces that cut every term. */
static void test_bodies_share_no_state(void)
{
	enum { COUNT = 10000 };
	static const char *const in[] = { "<p>forbidden ass</p>", "<p>forbi ass_</p>",
		"<p>forbi<b>dden</b> ASS</p>", "<script>'forbidden'</script>" };
	static const char *const want[] = { "<p>********* ***</p>", "<p>forbi ass_</p>",
		"<p>forbi<b>dden</b> ***</p>", "<script>'*********'</script>" };
	struct words_options opt = { .kind = MEDIA_HTML, .charset = "utf-8" };
	struct body_chain *chains = calloc(COUNT, sizeof(*chains));
	struct words_result *results = calloc(COUNT, sizeof(*results));
	struct buf *outs = calloc(COUNT, sizeof(*outs));

	opt.words = compile(words_default_engine());
	for (size_t i = 0; i < COUNT; i++) {
		const struct body_sink sink = { on_sink, NULL, &outs[i] };

		buf_init(&outs[i], 0);
		body_chain_init(&chains[i], &sink);
		OK(!body_chain_add(&chains[i], words_stage_new(&opt, &results[i])));
	}
	for (size_t at = 0; at < 32; at++) {
		for (size_t i = 0; i < COUNT; i++) {
			if (at < strlen(in[i % 4]))
				OK(!body_chain_write(&chains[i], in[i % 4] + at, 1));
		}
	}
	for (size_t i = 0; i < COUNT; i++) {
		OK(!body_chain_end(&chains[i]));
		STR_IS((char *)outs[i].data, want[i % 4]);
		body_chain_fini(&chains[i]);
		buf_fini(&outs[i]);
	}
	words_unref(opt.words);
	free(chains);
	free(results);
	free(outs);
}

int main(void)
{
	TAP_RUN(test_text_of_elements_is_masked);
	TAP_RUN(test_attributes_that_people_see_are_masked);
	TAP_RUN(test_pages_in_attributes_are_masked);
	TAP_RUN(test_occurrences_may_overlap);
	TAP_RUN(test_exact_terms_are_whole_words);
	TAP_RUN(test_case_is_folded_in_unicode);
	TAP_RUN(test_white_space_is_one_blank);
	TAP_RUN(test_unseen_characters_do_not_hide_a_term);
	TAP_RUN(test_references_count_as_their_character);
	TAP_RUN(test_what_browsers_without_scripts_see_is_masked);
	TAP_RUN(test_markup_stays);
	TAP_RUN(test_titles_and_text_areas_are_text);
	TAP_RUN(test_strings_of_inline_scripts_are_masked);
	TAP_RUN(test_the_end_of_a_script_is_found_as_browsers_do);
	TAP_RUN(test_scripts_allowed_by_hash_stay);
	TAP_RUN(test_xhtml_ends_elements_at_once);
	TAP_RUN(test_javascript_strings_and_templates);
	TAP_RUN(test_javascript_code_comments_and_expressions_stay);
	TAP_RUN(test_keys_and_modules_stay);
	TAP_RUN(test_a_program_that_cannot_be_followed_stays);
	TAP_RUN(test_json_values_are_masked);
	TAP_RUN(test_json_that_is_too_deep_stays);
	TAP_RUN(test_bytes_that_are_no_utf8_stay);
	TAP_RUN(test_declared_charsets_are_read);
	TAP_RUN(test_charsets_with_state_pass);
	TAP_RUN(test_words_under_a_charset_that_is_none_are_masked);
	TAP_RUN(test_the_page_may_declare_its_charset);
	TAP_RUN(test_integrity_is_told);
	TAP_RUN(test_what_is_held_back_is_bounded);
	TAP_RUN(test_bodies_share_no_state);
	return tap_done();
}
