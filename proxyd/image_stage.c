/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/image_stage.h"
#include "proxyd/html_tag.h"
#include "proxyd/image_blank.h"
#include "proxyd/image_size.h"
#include "proxyd/xml_root.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct image_stage {
	struct body_stage stage;
	struct image_options opt;
	struct buf head; /* of the image */
	bool is_done;
	enum { IS_IMAGE, IS_UNKNOWN, IS_OTHER } is;
	struct xml_root root;
	size_t looked; /* bytes of head that root has taken */
};

const char *image_stage_type(const struct image_options *opt)
{
	return opt->is_svg ? "image/svg+xml" : "image/png";
}

/* The tag of the root element; *root is filled. -EAGAIN: it is not there yet. */
static int find_root(const struct buf *head, struct html_tag *root)
{
	const char *text = (const char *)head->data, *p = text;
	size_t left = head->len, n;

	while ((p = memmem(p, left, "<svg", 4))) {
		p += 4;
		left = head->len - (size_t)(p - text);
		if (!left || !strchr(" \t\r\n/>", *p))
			continue;
		html_tag_start(root, false);
		root->is_kept = true;
		root->state = TAG_BEFORE_ATTRIBUTE;
		n = html_tag_take(root, (const uint8_t *)p, left);
		(void)n;
		return root->state == TAG_DONE ? 0 : -EAGAIN;
	}
	return -EAGAIN;
}

static int make_svg(const struct buf *head, bool is_final, struct buf *out)
{
	struct html_tag root;
	int err;

	html_tag_init(&root);
	err = find_root(head, &root);
	if (err && is_final)
		html_tag_start(&root, false);
	if (!err || is_final)
		err = image_blank_svg(out, &root);
	html_tag_fini(&root);
	return err;
}

static int make_png(const struct image_stage *s, bool is_final, struct buf *out)
{
	struct image_size size;
	int err = image_size_parse(s->head.data, s->head.len, &size);

	if (err == -EAGAIN && !is_final)
		return err;
	if (err)
		size = (struct image_size){ .width = 1, .height = 1 };
	return s->opt.cache ? image_cache_png(s->opt.cache, size.width, size.height, out)
			    : image_blank_png(out, size.width, size.height);
}

/* What has no type is taken for SVG with a declaration alone; it does no harm to what has one. */
static int begin_svg(const struct image_stage *s, struct buf *out)
{
	bool is_told = !s->opt.is_untyped && !s->opt.is_xml;

	return is_told || !s->opt.is_svg ? 0 : buf_append_str(out, "<?xml version=\"1.0\"?>");
}

/* Gives the image out if its size is known, or never will be. */
static int try_image(struct image_stage *s, bool is_final)
{
	struct buf out;
	ssize_t n = 0;
	int err;

	buf_init(&out, 0);
	is_final |= s->head.len >= s->opt.limit;
	err = begin_svg(s, &out);
	if (!err)
		err = s->opt.is_svg ? make_svg(&s->head, is_final, &out)
				    : make_png(s, is_final, &out);
	if (!err) {
		s->is_done = s->stage.chain->has_enough = true;
		n = body_pass(&s->stage, out.data, out.len);
	}
	buf_fini(&out);
	if (n < 0)
		return (int)n;
	return err == -EAGAIN ? 0 : err;
}

/* 0: an image; -EAGAIN, -EPROTO. is_final: no more bytes come, or may be kept. */
static int find_kind(struct image_stage *s, bool is_final)
{
	int err = s->opt.is_xml ? -EPROTO : image_format_scan(s->head.data, s->head.len);

	if (err != -EPROTO)
		return err;
	err = xml_root_take(&s->root, s->head.data + s->looked, s->head.len - s->looked);
	s->looked = s->head.len;
	/* So much before the root is nothing that pages and feeds have. */
	if (err == -EAGAIN && is_final && s->head.len >= s->opt.limit)
		err = 0;
	s->opt.is_svg = !err;
	return err;
}

/* Tells by the first bytes what it is, and passes what is no image. */
static int take_look(struct image_stage *s, bool is_final)
{
	int err = find_kind(s, is_final);
	ssize_t n;

	if (err == -EAGAIN && !is_final)
		return 0;
	s->is = err ? IS_OTHER : IS_IMAGE;
	if (s->is == IS_IMAGE)
		return 0;
	n = body_pass(&s->stage, s->head.data, s->head.len);
	buf_fini(&s->head);
	return n < 0 ? (int)n : 0;
}

/* As many of the first bytes as tell what it is; how many of these that were, or -errno. */
static ssize_t take_first(struct image_stage *s, const void *data, size_t len)
{
	size_t room = s->opt.limit + IMAGE_FORMAT_BYTES - s->head.len, want = room;
	int err;

	if (s->head.len < IMAGE_FORMAT_BYTES)
		want = IMAGE_FORMAT_BYTES - s->head.len;
	want = len < want ? len : want;
	err = buf_append(&s->head, data, want);
	if (!err)
		err = take_look(s, want == room);
	return err ? err : (ssize_t)want;
}

static int take_image(struct image_stage *s, const void *data, size_t len)
{
	size_t room = s->opt.limit > s->head.len ? s->opt.limit - s->head.len : 0;
	int err;

	if (s->is_done)
		return 0;
	err = buf_append(&s->head, data, len < room ? len : room);
	return err ? err : try_image(s, false);
}

static ssize_t on_write(struct body_stage *stage, const void *data, size_t len)
{
	struct image_stage *s = (struct image_stage *)stage;
	size_t rest = len;
	ssize_t n = 0;

	while (s->is == IS_UNKNOWN && rest) {
		n = take_first(s, data, rest);
		if (n < 0)
			return n;
		data = (const uint8_t *)data + n;
		rest -= (size_t)n;
	}
	n = 0;
	if (s->is == IS_OTHER && rest)
		n = body_pass(stage, data, rest);
	else if (s->is == IS_IMAGE && len)
		n = take_image(s, data, rest);
	return n < 0 ? n : (ssize_t)len;
}

static int on_end(struct body_stage *stage)
{
	struct image_stage *s = (struct image_stage *)stage;
	int err = s->is == IS_UNKNOWN ? take_look(s, true) : 0;

	if (!err && !s->is_done && s->is == IS_IMAGE)
		err = try_image(s, true);
	return err ? err : body_pass_end(stage);
}

static int on_flush(struct body_stage *stage)
{
	return body_pass_flush(stage);
}

static void on_free(struct body_stage *stage)
{
	struct image_stage *s = (struct image_stage *)stage;

	buf_fini(&s->head);
	free(s);
}

struct body_stage *image_stage_new(const struct image_options *opt)
{
	static const struct body_stage_ops ops = {
		.write = on_write,
		.flush = on_flush,
		.end = on_end,
		.free = on_free,
	};
	struct image_stage *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->stage.ops = &ops;
	s->opt = *opt;
	s->is = opt->is_untyped || opt->is_xml ? IS_UNKNOWN : IS_IMAGE;
	xml_root_init(&s->root, !opt->is_xml);
	buf_init(&s->head, opt->limit + IMAGE_FORMAT_BYTES);
	return &s->stage;
}
