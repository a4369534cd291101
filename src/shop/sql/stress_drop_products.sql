-- Deletes some products of a stress run, whose lines are gone. Parameters: what the keys of its products are like, how many.
-- Indexes: uq_product_external.
DELETE FROM Products WHERE external_id LIKE ? LIMIT ?
