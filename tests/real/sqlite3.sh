#!/bin/bash
# SPDX-License-Identifier: MIT
#
# SQLite: a database file is filled, indexed, joined, changed and compacted. The file itself is
# compared too.
. "$(dirname "$0")/lib/real.bash"

needs sqlite3 sqlite3

job() {
  sqlite3 shop.db <<'SQL'
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, note TEXT);
CREATE TABLE sale(item INTEGER, day INTEGER, amount INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
  INSERT INTO item SELECT i, printf('item-%05d', i * 7919 % 20000), i * 31 % 997,
    replace(hex(zeroblob(i % 200)), '00', char(97 + i % 26)) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
  INSERT INTO sale SELECT i * 16807 % 20000 + 1, i % 365, i % 11 FROM n;
CREATE INDEX item_name ON item(name);
CREATE INDEX sale_item ON sale(item, day);
SELECT day, count(*), sum(price * amount), group_concat(DISTINCT amount) FROM sale
  JOIN item ON item.id = sale.item GROUP BY day ORDER BY day;
SELECT name, length(note), sum(amount) AS sold FROM item JOIN sale ON sale.item = item.id
  WHERE name LIKE '%77%' GROUP BY name ORDER BY sold DESC, name LIMIT 100;
CREATE VIRTUAL TABLE search USING fts5(body);
INSERT INTO search SELECT 'the ' || name || ' costs ' || price FROM item;
SELECT count(*) FROM search WHERE search MATCH 'costs AND 500';
WITH ranked AS (SELECT day, amount, rank() OVER (PARTITION BY day ORDER BY amount DESC, item) AS r
  FROM sale) SELECT day, sum(amount) FROM ranked WHERE r <= 5 GROUP BY day HAVING day % 10 = 0;
UPDATE item SET note = note || note WHERE id % 3 = 0;
DELETE FROM sale WHERE day % 2 = 0;
VACUUM;
PRAGMA integrity_check;
SQL
}

compare sqlite3
