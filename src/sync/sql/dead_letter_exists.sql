-- Whether anything is set aside: then a success has to look for its dead letter. The first row of
-- any index.
SELECT EXISTS (SELECT 1 FROM sync_dead_letter)
