-- What the step did.
SELECT @warehouse_rows, @warehouse_is_over
