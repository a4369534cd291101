-- The feed spells a category's name otherwise. Parameters: name, category_id. Index: primary key.
UPDATE Categories SET category_name = ? WHERE category_id = ?
