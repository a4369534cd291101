-- The key of pseudonyms as masked views use it: inner and outer pad.
SELECT inner_pad, outer_pad FROM Access_Keys WHERE key_name = 'pseudonym'
