-- The category of what a stress run makes; it stays.
INSERT IGNORE INTO Categories (category_name, category_slug) VALUES ('Stress test', 'stress-test')
