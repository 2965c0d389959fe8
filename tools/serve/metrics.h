// SPDX-License-Identifier: MIT
//
// A picture's figures as OpenMetrics. All are gauges, so that readers of Prometheus's older text
// format take them as well. Where mend_stats_write has the same figure, the name is the same.
#ifndef TOOLS_SERVE_METRICS_H
#define TOOLS_SERVE_METRICS_H

#include <stdio.h>

#include "serve/picture.h"

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

void metrics_write(const struct picture *picture, FILE *stream);

#endif
