-- Other keys by which a feed would bring a customer back, as src/shop/load_sql.c compares them: a mark (1: a
-- person, 2: an order) and the weights of the collation. Parameter: customer, three times. Not those that an
-- erasure made. Indexes: foreign keys of Orders and TR_Orders_Archive.
SELECT 1, WEIGHT_STRING(RTRIM(external_id) COLLATE utf8mb4_unicode_ci) FROM Feed_Aliases
 WHERE entity = 'customers' AND target_id = ?
UNION
SELECT 2, WEIGHT_STRING(RTRIM(external_id) COLLATE utf8mb4_unicode_ci) FROM Orders
 WHERE customer_id = ? AND external_id IS NOT NULL AND external_id NOT REGEXP '^erased-[0-9A-F]{32}$'
UNION
SELECT 2, WEIGHT_STRING(RTRIM(external_id) COLLATE utf8mb4_unicode_ci) FROM TR_Orders_Archive
 WHERE customer_id = ? AND external_id IS NOT NULL AND external_id NOT REGEXP '^erased-[0-9A-F]{32}$'
