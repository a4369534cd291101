-- A category never comes to stand below itself. A CHECK may not name an AUTO_INCREMENT column, and
-- sees one row only, so triggers look: at the row when it is new, up the tree when it moves.

DELIMITER //

CREATE OR REPLACE TRIGGER tr_category_new BEFORE INSERT ON Categories FOR EACH ROW
IF NEW.parent_id = NEW.category_id THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a category cannot be its own parent';
END IF//

CREATE OR REPLACE TRIGGER tr_category_move BEFORE UPDATE ON Categories FOR EACH ROW
IF NOT NEW.parent_id <=> OLD.parent_id AND EXISTS (
    WITH RECURSIVE above (category_id) AS (
      SELECT NEW.parent_id
      UNION
      SELECT c.parent_id FROM Categories c JOIN above a ON c.category_id = a.category_id
      WHERE c.parent_id IS NOT NULL
    )
    SELECT 1 FROM above WHERE category_id IN (OLD.category_id, NEW.category_id)) THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a category cannot stand below itself';
END IF//

DELIMITER ;
