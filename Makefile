# SPDX-License-Identifier: MIT
#
# The front door: wraps CMake, and installs what is missing before it is needed. `make demo` and
# `make test` work as the first command on a fresh clone.
# Options of the build are CMake's: see CONTRIBUTING.md.

BUILD  ?= build
PREFIX ?= /usr/local
JOBS   := $(shell nproc 2>/dev/null || echo 2)
CHECKS := $(sort $(wildcard scripts/check-*))

MAKEFLAGS += --no-print-directory

.PHONY: all demo test check bench test-long fuzz install uninstall clean help
.DEFAULT_GOAL := all

help:
	@echo "make            the libraries and the command mend, in $(BUILD)/"
	@echo "make demo       real programs run on mend, with time and memory beside the C library;"
	@echo "                then a fragmented heap is mended, with pictures before and after"
	@echo "make test       everything that must pass, in every variant (45 minutes, 2 cores)"
	@echo "make check      fast lints: layers, names, sizes, format, docs, fast path"
	@echo "make bench      mend beside the installed allocators: table, JSON and chart"
	@echo "make test-long  the same tests as make test, 20 times as long (hours)"
	@echo "make fuzz       the randomized model tests with fresh seeds, and attackers made of random"
	@echo "                bytes at each level of the hardened build, until one fails or ^C"
	@echo "make install    to PREFIX, default $(PREFIX); below DESTDIR, if that is given"
	@echo "make uninstall  takes the last one back, with the same PREFIX and DESTDIR"
	@echo "make clean      removes $(BUILD)/"

all:
	@cmake -S . -B $(BUILD) >/dev/null
	@cmake --build $(BUILD) --parallel $(JOBS) --target mend mend_static mend_core \
	  mend_core_static mend_secure mend_secure_static mend_secure_core mend_secure_core_static \
	  mend_o mend_command

demo:
	@scripts/setup demo
	@$(MAKE) all >/dev/null
	@scripts/demo $(BUILD)/libmend.so

test:
	@scripts/setup test
	@scripts/run-tests

test-long:
	@scripts/setup test
	@scripts/run-tests --long

check:
	@scripts/setup test
	@$(MAKE) all >/dev/null
	@status=0; for check in $(CHECKS); do \
	  $$check $(BUILD); case $$? in \
	  0) echo "ok    $$check" ;; \
	  77) echo "skip  $$check" ;; \
	  *) echo "FAIL  $$check"; status=1 ;; \
	  esac; \
	done; exit $$status

bench:
	@scripts/setup bench
	@$(MAKE) all >/dev/null
	@bench/run
	@bench/cpp

fuzz:
	@scripts/setup test
	@cmake -S . -B $(BUILD) -DENABLE_TESTS=ON >/dev/null
	@cmake --build $(BUILD) --parallel $(JOBS) >/dev/null
	@while ctest --test-dir $(BUILD) -L model --output-on-failure && scripts/fuzz $(BUILD) 60; \
	  do :; done; exit 1

install: all
	DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

uninstall:
	DESTDIR="$(DESTDIR)" scripts/uninstall $(BUILD) "$(PREFIX)"

clean:
	rm -rf $(BUILD)
