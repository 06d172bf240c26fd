/* SPDX-License-Identifier: GPL-3.0-or-later */
/* No include guard: gives an empty meaning to every macro of common/bus_schema.def that the
 * reading at hand did not define. Include right before the schema. */
#ifndef ENUM_BEGIN
#define ENUM_BEGIN(name)
#endif
#ifndef ENUM_VALUE
#define ENUM_VALUE(name, c_name, text)
#endif
#ifndef ENUM_END
#define ENUM_END(name)
#endif
#ifndef RECORD_BEGIN
#define RECORD_BEGIN(name)
#endif
#ifndef FIELD_STR
#define FIELD_STR(rec, field, max, flags)
#endif
#ifndef FIELD_BOOL
#define FIELD_BOOL(rec, field, flags)
#endif
#ifndef FIELD_INT
#define FIELD_INT(rec, field, flags)
#endif
#ifndef FIELD_ENUM
#define FIELD_ENUM(rec, field, enum_name, flags)
#endif
#ifndef FIELD_STRS
#define FIELD_STRS(rec, field, max, flags)
#endif
#ifndef FIELD_OBJ
#define FIELD_OBJ(rec, field, other, flags)
#endif
#ifndef FIELD_OBJS
#define FIELD_OBJS(rec, field, other, max, flags)
#endif
#ifndef FIELD_INLINE
#define FIELD_INLINE(rec, field, other)
#endif
#ifndef FIELD_JSON
#define FIELD_JSON(rec, field, flags)
#endif
#ifndef RECORD_END
#define RECORD_END(name)
#endif
#ifndef TOPIC
#define TOPIC(name, record, owners, readers, flags)
#endif
#ifndef EVENT
#define EVENT(daemon, kind, record, readers)
#endif
#ifndef REQUEST
#define REQUEST(daemon, op, record, callers)
#endif
#ifndef QUEUE
#define QUEUE(name, producers, consumers)
#endif
#ifndef BLOB
#define BLOB(writers, readers)
#endif
