-- By which the person would come back. Parameters: fingerprint, erasure.
INSERT IGNORE INTO Erased_Keys (fingerprint, erasure_id) VALUES (?, ?)
