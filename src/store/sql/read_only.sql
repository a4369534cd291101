-- Whether the server refuses writes: a replica.
SELECT @@GLOBAL.read_only
