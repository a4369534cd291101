BEGIN
  CREATE OR REPLACE TEMPORARY TABLE Page (id BIGINT NOT NULL PRIMARY KEY, price DECIMAL(12,2), KEY (price)) ENGINE=InnoDB;
  -- a comment; with a semicolon
  INSERT IGNORE INTO Page SELECT p.id, COALESCE(p.price, 0) FROM shop.Products p WHERE p.name <> 'x;y';
  INSERT INTO Fact (id, price) SELECT g.id, g.price FROM Page g ON DUPLICATE KEY UPDATE price = VALUES(price);
  UPDATE Page g JOIN Fact f ON f.id = g.id SET f.customer = g.id, f.name = REPLACE(f.name, 'a', /* b */ 'c') WHERE g.price > 0;
  IF 1 THEN DELETE FROM Fact; END IF;
END
