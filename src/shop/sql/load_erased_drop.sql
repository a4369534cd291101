-- What else was found in rows of people who were erased: it holds their values. Parameters: begin, end
-- (stage_id). Index: ix_staging_quality.
DELETE q
  FROM Staging_Quality q
  JOIN Staging_Quality e ON e.stage_id = q.stage_id AND e.quality_rule = 'subject_erased'
 WHERE q.stage_id >= ? AND q.stage_id < ? AND q.quality_rule <> 'subject_erased'
