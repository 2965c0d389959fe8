// SPDX-License-Identifier: MIT
//
// The forms in which a profile is written, each for a reader of its own. Those with one value a
// stack take what the profile was made by; those without negative numbers leave out what has
// shrunk. Each returns false after a complaint; whether the stream has taken all is for the caller
// to see.
#ifndef TOOLS_PROFILE_FORMATS_H
#define TOOLS_PROFILE_FORMATS_H

#include <stdio.h>

#include "profile.h"

// profile.proto, compressed by gzip: Go's pprof, speedscope, Perfetto, Pyroscope, Parca.
bool profile_write_pprof(const struct profile *profile, FILE *stream);
// root;...;leaf VALUE: flamegraph.pl, speedscope, Perfetto.
bool profile_write_collapsed(const struct profile *profile, FILE *stream);
// heap_v2 of gperftools: google-pprof, jeprof, Go's pprof. These scale samples up again.
bool profile_write_heap(const struct profile *profile, FILE *stream);
// Version 3: heaptrack_print, heaptrack_gui. Each block is an event, or several are if there are
// too many.
bool profile_write_heaptrack(const struct profile *profile, FILE *stream);
// massif.out with one snapshot: ms_print, massif-visualizer.
bool profile_write_massif(const struct profile *profile, FILE *stream);
// All that is known: docs/profile.md.
bool profile_write_json(const struct profile *profile, FILE *stream);

// For people: the largest sites, as many as `rows`, each with as many callers as `callers`.
struct profile_table {
  size_t rows;
  size_t callers;
  bool has_colour;
};
bool profile_write_table(const struct profile *profile, const struct profile_table *table,
                         FILE *stream);

// Compresses what was written to memory.
bool gzip_write(FILE *stream, const void *bytes, size_t length);

#endif
