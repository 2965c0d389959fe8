#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Redis: a server with I/O threads, over a socket file. First many clients at once, to keep the
# threads busy; then one, whose answers are all compared. The server also forks, to save in the
# background while it is being written to.
. "$(dirname "$0")/lib/real.bash"

needs redis-server redis-server
needs redis-cli redis-tools

make_input() {
  awk 'BEGIN {
    for (n = 0; n < 5000; n++) {
      print "SET key:" n " value-" n * 7919 % 100003
      print "APPEND key:" n % 500 " more"
      print "LPUSH list:" n % 50 " " n
      print "HSET hash:" n % 300 " field" n " " n * 3
      print "ZADD rank " n * 31 % 9973 " member" n % 4000
      print "SADD set:" n % 20 " " n * 17 % 5000
      if (n % 7 == 0) print "DEL key:" n / 2
      if (n == 2500) print "BGSAVE"
    }
    for (n = 0; n < 50; n++) print "LRANGE list:" n " 0 20\nSCARD set:" n % 20 "\nHLEN hash:" n
    print "ZRANGE rank 0 200 WITHSCORES\nGET key:7\nSTRLEN key:3\nDBSIZE\nMEMORY PURGE"
    print "EVAL \"local s = 0 for i = 1, 1000 do s = s + i" \
      " redis.call(\047SET\047, \047l\047 .. i, s) end return s\" 0"
    print "DEBUG DIGEST"
  }' >"$input/commands"
}

# The socket's path must be short, so it is given relative to the folder.
job() {
  redis-server --port 0 --unixsocket ./socket --enable-debug-command yes --save '' \
    --io-threads 2 --io-threads-do-reads yes --rdbcompression no >"$scratch/server.log" 2>&1 &
  local server=$!
  # shellcheck disable=SC2064
  trap "kill $server 2>/dev/null" EXIT
  until redis-cli -s ./socket ping >/dev/null 2>&1; do
    kill -0 "$server" || { tail "$scratch/server.log" >&2 && exit 1; }
    sleep 0.05
  done
  redis-benchmark -s ./socket -q -c 30 -n 3000 -t set,lpush,sadd,hset,zadd >/dev/null
  redis-cli -s ./socket <"$input/commands"
  redis-cli -s ./socket SHUTDOWN NOSAVE 2>/dev/null || true
  wait "$server"
  trap - EXIT
  rm -f dump.rdb
}

compare redis-server redis-cli redis-benchmark
