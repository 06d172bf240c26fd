/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loops by macro that cppcheck does not see, for it reads no library's headers: tests/lint/analyze.
 */
#define cJSON_ArrayForEach(e, a) for (e = (a)->child; e; e = e->next)
#define mnl_attr_for_each(a, n, o)                                                                 \
	for (a = mnl_nlmsg_get_payload_offset(n, o); a; a = mnl_attr_next(a))
#define mnl_attr_for_each_nested(a, n) for (a = mnl_attr_get_payload(n); a; a = mnl_attr_next(a))
#define mnl_attr_for_each_payload(p, n)                                                            \
	for (struct nlattr *attr = p; attr; attr = mnl_attr_next(attr))
