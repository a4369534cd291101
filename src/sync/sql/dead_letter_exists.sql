-- Whether anything is set aside: then a success has to look for its dead letter.
SELECT EXISTS (SELECT 1 FROM sync_dead_letter)
