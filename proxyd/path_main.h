/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* proxyd --path: a daemon of its own, with section [path] of the configuration, without any
 * certificate or key. Returns the exit status. */
int path_main(int argc, char **argv);
