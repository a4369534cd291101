-- What tokens are for. A few hundred at most: no index.
SELECT token_id, token_name FROM Access_Tokens WHERE token_name <> ''
