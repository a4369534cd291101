-- Views, routines, triggers and events count as they are: as if a migration had made each of them just now.
UPDATE Access_Definitions SET before_hash = 'accepted'
