/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flame_script: flame.js and flame.css, as they are in the source tree, inside the program.
 */
#ifndef STOKER_RENDER_FLAME_SCRIPT_H
#define STOKER_RENDER_FLAME_SCRIPT_H

extern const char flame_script[]; /* NUL-terminated, as all of these */
extern const char flame_style[];

#endif
