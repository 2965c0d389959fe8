// SPDX-License-Identifier: MIT
//
// Variables that do not change after the start, but for rare setters: options, roots, functions to
// call. In the hardened build they are in pages of their own, which os/sealed.h makes read-only; in
// the others they are variables like any.
#ifndef BASE_SEALED_H
#define BASE_SEALED_H

#ifdef MEND_HARDENED
// Of a type, behind its braces: it fills whole pages, so that nothing else is in them.
#define SEALED_PAGES __attribute__((aligned(4096)))
// Of a variable of such a type, behind its name.
#define SEALED __attribute__((section("mend_sealed")))
#else
#define SEALED_PAGES
#define SEALED
#endif

#endif
