// SPDX-License-Identifier: MIT
//
// What a look at a heap comes to, as members of an object of JSON.
#ifndef TOOLS_REMOTE_JSON_H
#define TOOLS_REMOTE_JSON_H

#include <stdio.h>

#include "remote.h"

// Behind other members: the totals and the counters, named as in struct mend_stats.
void remote_json_totals(FILE *stream, const struct remote *remote);

#endif
