/* SPDX-License-Identifier: GPL-3.0-or-later */
/* No include guard: ends one reading of common/bus_schema.def. */
#undef ENUM_BEGIN
#undef ENUM_VALUE
#undef ENUM_END
#undef RECORD_BEGIN
#undef FIELD_STR
#undef FIELD_BOOL
#undef FIELD_INT
#undef FIELD_ENUM
#undef FIELD_STRS
#undef FIELD_OBJ
#undef FIELD_OBJS
#undef FIELD_INLINE
#undef FIELD_JSON
#undef RECORD_END
#undef TOPIC
#undef EVENT
#undef REQUEST
#undef QUEUE
#undef BLOB
