-- A token is for nobody that is known. Parameter: id. Index: primary key.
UPDATE Access_Tokens SET token_name = '' WHERE token_id = ?
