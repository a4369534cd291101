BEGIN
  DECLARE v_a, v_b INT DEFAULT (SELECT MAX(price) FROM Products);
  DECLARE c CURSOR FOR SELECT id, p.name AS label FROM Products p;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION, NOT FOUND BEGIN SET @x = NULL; RESIGNAL; END;
  SELECT id, CASE WHEN price > 1 THEN name ELSE customer END INTO v_a, @y FROM Products FOR UPDATE;
  FOR r IN (SELECT o.id, (SELECT name FROM Products WHERE id = o.id) AS n FROM Orders o) DO
    CALL p(r.id, @y, f(r.n));
    INSERT INTO Orders (id, name) VALUES (r.n, v_a + 1), (1, (2)) ON DUPLICATE KEY UPDATE name = VALUES(name), price = @y;
  END FOR;
  l: LOOP
    FETCH NEXT FROM c INTO v_a, v_b;
    UPDATE Orders o JOIN (SELECT id, SUM(price) AS t FROM Products GROUP BY id) h ON h.id = o.id SET o.price = h.t, NEW.name = 1;
  END LOOP;
  CASE v_a WHEN 1 THEN SET NEW.price = OLD.price, @z := 3; ELSE DO @a := 1, @b := @a; END CASE;
  CREATE TEMPORARY TABLE t AS SELECT v_a AS a, id FROM Orders;
  EXECUTE IMMEDIATE CONCAT('INSERT INTO Orders (id, price) VALUES ', v_b);
  RETURN (SELECT price FROM Products);
END
