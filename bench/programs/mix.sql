-- Inserts, an index, joins, aggregates and updates in an in-memory database.
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price INTEGER, shop INTEGER);
CREATE TABLE shop (id INTEGER PRIMARY KEY, city TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO item SELECT i, 'item ' || (i * 7919 % 10007), i * 31 % 997, i % 101 FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
    INSERT INTO shop SELECT i, 'city ' || (i % 17) FROM n;
CREATE INDEX item_name ON item (name);
SELECT count(*), sum(a.price) FROM item a JOIN item b ON a.name = b.name WHERE a.id < b.id;
SELECT city, count(*), sum(price) FROM item JOIN shop ON shop.id = item.shop GROUP BY city ORDER BY 3;
UPDATE item SET price = price + 1 WHERE name LIKE '%7%';
SELECT sum(price), max(name), min(length(name)) FROM item;
DELETE FROM item WHERE id % 3 = 0;
SELECT count(*) FROM (SELECT DISTINCT substr(name, 1, 7) FROM item);
