-- SPDX-License-Identifier: MIT
-- The demo's job for sqlite3: a database in memory is filled, indexed, searched and changed.
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, note TEXT);
CREATE TABLE sale(item INTEGER, day INTEGER, amount INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
  INSERT INTO item SELECT i, printf('item-%05d', i * 7919 % 40000), i * 31 % 997,
    replace(hex(zeroblob(i % 200)), '00', char(97 + i % 26)) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
  INSERT INTO sale SELECT i * 16807 % 40000 + 1, i % 365, i % 11 FROM n;
CREATE INDEX item_name ON item(name);
CREATE INDEX sale_item ON sale(item, day);
SELECT day, count(*), sum(price * amount) FROM sale JOIN item ON item.id = sale.item
  GROUP BY day ORDER BY day;
SELECT name, length(note), sum(amount) AS sold FROM item JOIN sale ON sale.item = item.id
  WHERE name LIKE '%77%' GROUP BY name ORDER BY sold DESC, name LIMIT 50;
UPDATE item SET note = note || name WHERE id % 3 = 0;
DELETE FROM sale WHERE day % 2 = 0;
SELECT count(*), sum(amount) FROM sale;
