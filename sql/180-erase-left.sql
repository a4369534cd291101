-- An erasure may end with something left that nobody can take away: its certificate lists what and says why.

ALTER TABLE Erasures
  MODIFY erasure_state ENUM('copies','done','left') NOT NULL
    COMMENT 'copies: the shop''s rows are done, what was made of them not yet; left: ended, with a rest that the proof lists';
