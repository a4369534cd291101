-- A file of the running load. Parameters: file_no, file_name.
INSERT INTO Staging_Files (file_no, file_name) VALUES (?, ?)
