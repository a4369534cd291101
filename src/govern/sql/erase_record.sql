-- How far somebody's erasure is. Parameter: subject. Index: uq_erasure_subject.
SELECT erasure_id, erasure_state, sought, receipts, certificate, requested_by, purpose, begun_at, key_mark,
  earlier
  FROM Erasures WHERE subject = ?
