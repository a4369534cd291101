-- After migrations: what is changed from now on is not their work.
UPDATE Access_Definitions SET before_hash = NULL WHERE before_hash IS NOT NULL
