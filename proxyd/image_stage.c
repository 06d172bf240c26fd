/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/image_stage.h"
#include "proxyd/html_tag.h"
#include "proxyd/image_blank.h"
#include "proxyd/image_size.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct image_stage {
	struct body_stage stage;
	struct image_options opt;
	struct buf head; /* of the image */
	bool is_done;
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

/* Gives the image out if its size is known, or never will be. */
static int try_image(struct image_stage *s, bool is_final)
{
	struct buf out;
	ssize_t n = 0;
	int err;

	buf_init(&out, 0);
	is_final |= s->head.len >= s->opt.limit;
	err = s->opt.is_svg ? make_svg(&s->head, is_final, &out) : make_png(s, is_final, &out);
	if (!err) {
		s->is_done = s->stage.chain->has_enough = true;
		n = body_pass(&s->stage, out.data, out.len);
	}
	buf_fini(&out);
	if (n < 0)
		return (int)n;
	return err == -EAGAIN ? 0 : err;
}

static ssize_t on_write(struct body_stage *stage, const void *data, size_t len)
{
	struct image_stage *s = (struct image_stage *)stage;
	size_t room = s->opt.limit > s->head.len ? s->opt.limit - s->head.len : 0;
	int err;

	if (s->is_done || !len)
		return (ssize_t)len;
	err = buf_append(&s->head, data, len < room ? len : room);
	if (!err)
		err = try_image(s, false);
	return err ? err : (ssize_t)len;
}

static int on_end(struct body_stage *stage)
{
	struct image_stage *s = (struct image_stage *)stage;
	int err = s->is_done ? 0 : try_image(s, true);

	return err ? err : body_pass_end(stage);
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
		.end = on_end,
		.free = on_free,
	};
	struct image_stage *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->stage.ops = &ops;
	s->opt = *opt;
	buf_init(&s->head, opt->limit + 1);
	return &s->stage;
}
