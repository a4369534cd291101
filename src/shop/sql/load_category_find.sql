-- A category by its path. Parameter: slug. Index: uq_category_slug.
SELECT category_id, category_name FROM Categories WHERE category_slug = ?
