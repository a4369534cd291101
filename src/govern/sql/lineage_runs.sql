-- Runs that go on, and for how many seconds nothing was heard of them. Parameters: job, job (empty: of all).
-- Index: ix_lineage_runs_job.
SELECT run_id, job_name, process, TIMESTAMPDIFF(SECOND, seen_at, UTC_TIMESTAMP(6))
  FROM Lineage_Runs WHERE job_name = ? OR ? = ''
