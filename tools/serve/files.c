// SPDX-License-Identifier: MIT
#include "serve/files.h"

#include <string.h>

#include "page_flame_js.h"
#include "page_index_html.h"
#include "page_map_js.h"
#include "page_page_css.h"
#include "page_page_js.h"
#include "page_uPlot_iife_min_js.h"
#include "page_uPlot_min_css.h"
#include "page_words_js.h"

#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"

static const struct serve_file files[] = {
    {"/", "text/html; charset=utf-8", page_index_html, sizeof page_index_html},
    {"/page.css", STYLE, page_page_css, sizeof page_page_css},
    {"/page.js", SCRIPT, page_page_js, sizeof page_page_js},
    {"/map.js", SCRIPT, page_map_js, sizeof page_map_js},
    {"/flame.js", SCRIPT, page_flame_js, sizeof page_flame_js},
    {"/words.js", SCRIPT, page_words_js, sizeof page_words_js},
    {"/uplot/uPlot.min.css", STYLE, page_uPlot_min_css, sizeof page_uPlot_min_css},
    {"/uplot/uPlot.iife.min.js", SCRIPT, page_uPlot_iife_min_js, sizeof page_uPlot_iife_min_js},
};

const struct serve_file *serve_file_find(const char *path)
{
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    if (strcmp(files[i].path, path) == 0) return &files[i];
  }
  return NULL;
}
