-- A category that the shop does not have. Parameters: parent_id or NULL, name, slug.
INSERT INTO Categories (parent_id, category_name, category_slug) VALUES (?, ?, ?)
