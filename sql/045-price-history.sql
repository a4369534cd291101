-- The history of prices writes itself: whoever changes a price, by whatever client, leaves a row.
-- Other triggers of the same events (those of the synchronisation) run beside these.

CREATE OR REPLACE TRIGGER tr_product_first_price AFTER INSERT ON Products FOR EACH ROW
INSERT INTO Product_Price_History (product_id, old_price, new_price, currency)
VALUES (NEW.product_id, NULL, NEW.price, NEW.currency);

CREATE OR REPLACE TRIGGER tr_product_new_price AFTER UPDATE ON Products FOR EACH ROW
INSERT INTO Product_Price_History (product_id, old_price, new_price, currency)
SELECT NEW.product_id, OLD.price, NEW.price, NEW.currency FROM DUAL
WHERE NOT (NEW.price <=> OLD.price AND BINARY NEW.currency <=> BINARY OLD.currency);
